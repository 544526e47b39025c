// The first k elements of each column in order, by a heap whose top is the last of those kept.
#ifndef COMMONWEIGHT_ORDERING_H
#define COMMONWEIGHT_ORDERING_H

#include "base.h"

// For one element type. `ahead`: whether place a comes before place b; of equals the earlier place, and a NaN is larger than any number.
// `sunk`: place b put into a heap of n from its top down. top_k: x (outer, axis, inner) -> y and places (outer, k, inner); `heap`: k numbers.
#define TOP_K_OF(type)                                                                                                           \
  INLINE bool ahead_##type(const type *x, unsigned inner, unsigned a, unsigned b, bool largest) {                                \
    const type v = x[a * inner], w = x[b * inner];                                                                               \
    if (v < w || v > w) return largest ? v > w : v < w;                                                                          \
    const bool no_v = v != v, no_w = w != w;                                                                                     \
    return no_v == no_w ? a < b : largest ? no_v : no_w;                                                                         \
  }                                                                                                                              \
  INLINE void sunk_##type(const type *x, unsigned inner, uint32_t *heap, unsigned n, uint32_t b, bool largest) {                  \
    unsigned at = 0;                                                                                                             \
    ROLLED for (unsigned child = 1; child < n; child = 2 * at + 1) {                                                             \
      if (child + 1 < n && ahead_##type(x, inner, heap[child], heap[child + 1], largest)) child++;                               \
      if (!ahead_##type(x, inner, b, heap[child], largest)) break;                                                               \
      heap[at] = heap[child];                                                                                                    \
      at = child;                                                                                                                \
    }                                                                                                                            \
    heap[at] = b;                                                                                                                \
  }                                                                                                                              \
  SHARED void top_k_##type(const type *x, type *y, int64_t *places, uint32_t *heap, unsigned outer, unsigned axis, unsigned inner, \
                           unsigned k, bool largest) {                                                                           \
    ROLLED for (unsigned c = 0; c < outer * inner; c++) {                                                                        \
      const type *const column = x + c / inner * axis * inner + c % inner;                                                       \
      ROLLED for (unsigned b = 0; b < k; b++) {                                                                                  \
        unsigned at = b;                                                                                                         \
        ROLLED for (; at && ahead_##type(column, inner, heap[(at - 1) / 2], b, largest); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2]; \
        heap[at] = b;                                                                                                            \
      }                                                                                                                          \
      ROLLED for (unsigned b = k; b < axis; b++)                                                                                 \
        if (ahead_##type(column, inner, b, heap[0], largest)) sunk_##type(column, inner, heap, k, b, largest);                   \
      ROLLED for (unsigned n = k; n--;) {                                                                                        \
        const unsigned to = (c / inner * k + n) * inner + c % inner;                                                             \
        y[to] = column[heap[0] * inner];                                                                                         \
        places[to] = heap[0];                                                                                                    \
        if (n) sunk_##type(column, inner, heap, n, heap[n], largest);                                                            \
      }                                                                                                                          \
    }                                                                                                                            \
  }

TOP_K_OF(float)
TOP_K_OF(double)
TOP_K_OF(int8_t)
TOP_K_OF(int16_t)
TOP_K_OF(int32_t)
TOP_K_OF(int64_t)
TOP_K_OF(uint8_t)
TOP_K_OF(uint16_t)
TOP_K_OF(uint32_t)
TOP_K_OF(uint64_t)

#endif
