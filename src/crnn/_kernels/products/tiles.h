/* The tiles that multiply by a panel: of the matrix unit if the build has one, otherwise of vector registers. */
#ifndef CRNN_TILES_H
#define CRNN_TILES_H

#if defined(CRNN_BFLOAT16) && defined(__AMX_BF16__)
#include "amx_tile.h"
#else
#include "register_tile.h"
#define RELEASE_TILES() ((void)0)
#define CELL_PANELS 1
#endif

#endif
