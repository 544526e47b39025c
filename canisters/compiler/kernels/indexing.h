// Runs of neighbouring elements taken from, or put to, places that are only known when the network runs.
#ifndef COMMONWEIGHT_INDEXING_H
#define COMMONWEIGHT_INDEXING_H

#include "failure.h"

// One run; of 1, 2, 4 or 8 bytes it is a single load and store.
INLINE void copy_run(uint8_t *to, const uint8_t *from, const uint32_t size) {
  if (size == 1) {
    *to = *from;
  } else if (size == 2) {
    *(uint16_t *)to = *(const uint16_t *)from;
  } else if (size == 4) {
    *(uint32_t *)to = *(const uint32_t *)from;
  } else if (size == 8) {
    *(uint64_t *)to = *(const uint64_t *)from;
  } else {
    copy_bytes(to, from, size);
  }
}

// x (outer, axis, run of `size` bytes) at n indices -> y (outer, n, run).
INLINE void gather_runs(const uint8_t *x, const void *indices, uint8_t *y, const bool is_wide, unsigned outer, unsigned axis, unsigned n,
                        uint32_t size, const char *text) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * size)
    ROLLED for (unsigned i = 0; i < n; i++, y += size) copy_run(y, x + place(index_at(indices, i, is_wide), axis, text) * size, size);
}

#endif
