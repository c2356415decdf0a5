/* The tiles that multiply by a panel: of the matrix unit if the build has one, otherwise of vector registers. */
#pragma once

#if defined(CRNN_BFLOAT16) && defined(__AMX_BF16__)
#include "amx_tile.h"
#else
#include "register_tile.h"
#define RELEASE_TILES() ((void)0)
#define CELL_PANELS 1
#endif

/* panel[depth, width] = w[rows, columns], padded with zeros to whole vectors */
NO_INLINE static void pack_panel(ptrdiff_t rows, ptrdiff_t columns, const real *w, ptrdiff_t ldw, real *panel) {
    enum { FULL = TILE_VECTORS * LANES };
    if (columns == FULL) /* a copy of known size needs no call */
        pack_columns(rows, FULL, w, ldw, FULL, panel);
    else
        pack_columns(rows, columns, w, ldw, (columns + LANES - 1) / LANES * LANES, panel);
}

/* Call a cell's function on n units, with a constant instead of n if it is the width of most panels: the compiler
 * then unrolls its loops. */
#define AT_KNOWN_WIDTH(function, n, H, before, gates, first, second) \
    do { \
        if ((n) == CELL_PANELS * TILE_VECTORS * LANES) \
            function(CELL_PANELS * TILE_VECTORS * LANES, H, before, gates, first, second); \
        else if ((n) == (TILE_VECTORS - 1) * LANES) /* if the columns do not fill whole panels */ \
            function((TILE_VECTORS - 1) * LANES, H, before, gates, first, second); \
        else \
            function(n, H, before, gates, first, second); \
    } while (0)
