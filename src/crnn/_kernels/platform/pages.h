/* The first touch of fresh memory: the system creates a page, filled with zeros, when it is first written to.
 * For the arrays of a large model this takes the time of several training steps. To react to Ctrl-C meanwhile,
 * they are touched some MB at a time, with a poll in between, before uninterruptible work begins.
 */
#pragma once

#include <stddef.h>

#define PAGE_BYTES 4096         /* the smallest page of any system */
#define TOUCHED_BYTES (8 << 20) /* between two polls: some ten milliseconds of page faults on a virtual machine */

/* Rewrite the contents of each page, so that it does not matter whether the memory is fresh. */
static inline void touch_pages(void *first, size_t bytes) {
    volatile unsigned char *const byte = (volatile unsigned char *)first;
    size_t i;
    for (i = 0; i < bytes; i += PAGE_BYTES) {
        byte[i] = byte[i];
    }
    if (bytes) {
        byte[bytes - 1] = byte[bytes - 1];
    }
}
