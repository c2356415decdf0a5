/* The first touch of fresh memory: the system makes a page of it, filled with zeros, when the page is first written to.
 * For the arrays of a large model this takes as long as several steps of training. So that Ctrl-C is heard meanwhile,
 * they are touched some MB at a time, with a poll in between, before work begins that is not broken off.
 */
#ifndef CRNN_PAGES_H
#define CRNN_PAGES_H

#include <stddef.h>

#define PAGE_BYTES 4096         /* the smallest page of any system */
#define TOUCHED_BYTES (8 << 20) /* between two polls: some ten milliseconds of page faults on a virtual machine */

/* Write to each page what is there, so that it does not matter whether the memory is fresh. */
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
#endif
