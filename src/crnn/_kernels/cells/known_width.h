/* Call a cell's function on n units, with a constant instead of n if it is the width of most panels: the compiler
 * then unrolls its loops. */
#ifndef CRNN_KNOWN_WIDTH_H
#define CRNN_KNOWN_WIDTH_H

#include "tiles.h"

#define AT_KNOWN_WIDTH(function, n, H, before, gates, first, second) \
    do { \
        if ((n) == CELL_PANELS * TILE_VECTORS * LANES) \
            function(CELL_PANELS * TILE_VECTORS * LANES, H, before, gates, first, second); \
        else if ((n) == (TILE_VECTORS - 1) * LANES) /* if the columns do not fill whole panels */ \
            function((TILE_VECTORS - 1) * LANES, H, before, gates, first, second); \
        else \
            function(n, H, before, gates, first, second); \
    } while (0)

#endif
