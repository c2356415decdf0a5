/* Fetch the cache line that contains p, into the first-level cache to be read soon, or only into the second. p may be
 * any address, even an invalid one. */
#pragma once

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(p) __builtin_prefetch(p)
#define PREFETCH_FAR(p) __builtin_prefetch(p, 0, 2)
#elif defined(_M_X64)
#include <xmmintrin.h>
#define PREFETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define PREFETCH_FAR(p) _mm_prefetch((const char *)(p), _MM_HINT_T1)
#else
#define PREFETCH(p) ((void)(p))
#define PREFETCH_FAR(p) ((void)(p))
#endif
