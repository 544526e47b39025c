// Resizing along one axis: each place of the output is a weighted sum of a few neighbours, whose places and weights are tables.
#ifndef COMMONWEIGHT_RESIZE_H
#define COMMONWEIGHT_RESIZE_H

#include "indexing.h"

// The sum over t < taps of w[t] * from[t]; linear and cubic have up to four taps.
INLINE float weighted_sum(const float *from, const float *w, const unsigned taps) {
  float found = w[0] * from[0];
  if (taps > 1) found += w[1] * from[1];
  if (taps > 2) found += w[2] * from[2];
  if (taps > 3) found += w[3] * from[3];
  ROLLED for (unsigned t = 4; t < taps; t++) found += w[t] * from[t];
  return found;
}

// x (outer, axis, inner) -> y (outer, out, inner): the sum over t < taps of weights[p][t] * x[first[p] + t].
INLINE void resize_axis_f32(const float *x, float *y, const int32_t *first, const float *weights, unsigned outer, unsigned axis, unsigned out,
                            unsigned inner, const unsigned taps) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner) {
    const float *w = weights;
    unsigned p = 0;
    ROLLED for (; inner == 1 && p + 4 <= out; p += 4, y += 4, w += 4 * taps) {
      UNROLL for (unsigned k = 0; k < 4; k++) y[k] = weighted_sum(x + (unsigned)first[p + k], w + k * taps, taps);
    }
    ROLLED for (; p < out; p++, y += inner, w += taps) {
      const float *from = x + (unsigned)first[p] * inner;
      if (inner == 1) {
        *y = weighted_sum(from, w, taps);
        continue;
      }
      ROLLED for (unsigned i = 0; i < inner; i += 4) {
        f32x4 found = mul(load_splat(w), load(from + i));
        if (taps > 1) found = add(found, mul(load_splat(w + 1), load(from + inner + i)));
        if (taps > 2) found = add(found, mul(load_splat(w + 2), load(from + 2 * inner + i)));
        if (taps > 3) found = add(found, mul(load_splat(w + 3), load(from + 3 * inner + i)));
        ROLLED for (unsigned t = 4; t < taps; t++) found = add(found, mul(load_splat(w + t), load(from + t * inner + i)));
        store_n(y + i, found, inner - i);
      }
    }
  }
}

INLINE void resize_axis_f64(const double *x, double *y, const int32_t *first, const double *weights, unsigned outer, unsigned axis, unsigned out,
                            unsigned inner, unsigned taps) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner)
    ROLLED for (unsigned p = 0; p < out; p++)
      ROLLED for (unsigned i = 0; i < inner; i++) {
        double found = 0.0;
        ROLLED for (unsigned t = 0; t < taps; t++) found += weights[p * taps + t] * x[((unsigned)first[p] + t) * inner + i];
        *y++ = found;
      }
}

// The nearest element only, of any type: runs of `size` bytes.
INLINE void resize_nearest(const uint8_t *x, uint8_t *y, const int32_t *first, unsigned outer, unsigned axis, unsigned out, uint32_t size) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * size) {
    unsigned p = 0;
    ROLLED for (; size <= 8 && p + 4 <= out; p += 4, y += 4 * size) {
      UNROLL for (unsigned k = 0; k < 4; k++) copy_run(y + k * size, x + (unsigned)first[p + k] * size, size);
    }
    ROLLED for (; p < out; p++, y += size) copy_run(y, x + (unsigned)first[p] * size, size);
  }
}

#endif
