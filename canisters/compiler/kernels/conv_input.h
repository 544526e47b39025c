// How a convolution or pooling lays out its input before the kernel runs: borders filled in, and strides taken apart into phases.
//
// A convolution of stride (sh, sw) over one plane is sh * sw convolutions of stride 1 over the planes of every sh-th row and sw-th
// column. Splitting the input once costs a copy of it; every load of the kernel is then a plain vector load, and im2col, which would
// copy each element once a tap, is not needed.
#ifndef COMMONWEIGHT_CONV_INPUT_H
#define COMMONWEIGHT_CONV_INPUT_H

#include "base.h"

INLINE void copy_row(float *to, const float *from, unsigned n) {
  unsigned i = 0;
  ROLLED for (; i + 4 <= n; i += 4) store(to + i, load(from + i));
  store_n(to + i, load(from + i), n % 4);
}

// n floats, alternately to two rows.
INLINE void deal_row(float *even, float *odd, const float *from, unsigned n) {
  unsigned i = 0;
  ROLLED for (; i + 8 <= n; i += 8, even += 4, odd += 4) {
    const f32x4 a = load(from + i), b = load(from + i + 4);
    store(even, wasm_i32x4_shuffle(a, b, 0, 2, 4, 6));
    store(odd, wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
  }
  const f32x4 a = load(from + i), b = load(from + i + 4);
  store_n(even, wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), (n % 8 + 1) / 2);
  store_n(odd, wasm_i32x4_shuffle(a, b, 1, 3, 5, 7), n % 8 / 2);
}

// (channels, h, w) -> (channels, sh, sw, rows, pitch): bordered by `border`, element (i + top, j + left) of the bordered plane at phase
// ((i + top) % sh, (j + left) % sw), row (i + top) / sh, column (j + left) / sw.
INLINE void split_phases_f32(const float *x, float *to, unsigned channels, unsigned h, unsigned w, unsigned top, unsigned left,
                             const unsigned sh, const unsigned sw, unsigned rows, unsigned pitch, float border) {
  const unsigned phase = rows * pitch, plane = sh * sw * phase;
  fill_f32(to, border, channels * plane);
  ROLLED for (unsigned c = 0; c < channels; c++, to += plane)
    ROLLED for (unsigned i = 0; i < h; i++, x += w) {
      float *row = to + (i + top) % sh * sw * phase + (i + top) / sh * pitch;
      if (sw == 1) {
        copy_row(row + left, x, w);
      } else if (sw == 2) {
        deal_row(row + left % 2 * phase + left / 2, row + (left + 1) % 2 * phase + (left + 1) / 2, x, w);
      } else {
        ROLLED for (unsigned j = 0; j < w; j++) row[(j + left) % sw * phase + (j + left) / sw] = x[j];
      }
    }
}

#endif
