// How a convolution or pooling lays out its input before the kernel runs: borders filled in, and strides taken apart into phases.
//
// A convolution of stride (sh, sw) over one plane is sh * sw convolutions of stride 1 over the planes of every sh-th row and sw-th
// column. Splitting the input once costs a copy of it; every load of the kernel is then a plain vector load, and im2col, which would
// copy each element once a tap, is not needed.
#ifndef COMMONWEIGHT_CONV_INPUT_H
#define COMMONWEIGHT_CONV_INPUT_H

#include "base.h"

// n is a constant of the node: what is left of the turns of eight vectors is written out.
INLINE void copy_row(float *to, const float *from, const unsigned n) {
  unsigned i = 0;
  ROLLED for (; i + 32 <= n; i += 32)
    UNROLL for (unsigned v = 0; v < 8; v++) store(to + i + 4 * v, load(from + i + 4 * v));
  UNROLL for (unsigned v = 0; v < n % 32 / 4; v++) store(to + i + 4 * v, load(from + i + 4 * v));
  if (n % 4) store_n(to + i + n % 32 / 4 * 4, load(from + i + n % 32 / 4 * 4), n % 4);
}

INLINE void deal_vector(float *even, float *odd, const float *from) {
  const f32x4 a = load(from), b = load(from + 4);
  store(even, wasm_i32x4_shuffle(a, b, 0, 2, 4, 6));
  store(odd, wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
}

// n floats (a constant of the node), alternately to two rows.
INLINE void deal_row(float *even, float *odd, const float *from, const unsigned n) {
  unsigned i = 0;
  ROLLED for (; i + 32 <= n; i += 32, even += 16, odd += 16)
    UNROLL for (unsigned v = 0; v < 4; v++) deal_vector(even + 4 * v, odd + 4 * v, from + i + 8 * v);
  const unsigned pairs = n % 32 / 8;
  UNROLL for (unsigned v = 0; v < pairs; v++) deal_vector(even + 4 * v, odd + 4 * v, from + i + 8 * v);
  if (n % 8) {
    const f32x4 a = load(from + i + 8 * pairs), b = load(from + i + 8 * pairs + 4);
    store_n(even + 4 * pairs, wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), (n % 8 + 1) / 2);
    store_n(odd + 4 * pairs, wasm_i32x4_shuffle(a, b, 1, 3, 5, 7), n % 8 / 2);
  }
}

// One plane (h, w) into its bordered place: element (i + top, j + left) to phase ((i + top) % sh, (j + left) % sw), row (i + top) / sh,
// column (j + left) / sw. The border is not touched.
INLINE void place_row_f32(const float *x, float *to, unsigned i, const unsigned w, const unsigned left, const unsigned sh, const unsigned sw,
                          const unsigned rows, const unsigned pitch) {
  const unsigned phase = rows * pitch;
  float *row = to + i % sh * sw * phase + i / sh * pitch;
  if (sw == 1) {
    copy_row(row + left, x, w);
  } else if (sw == 2) {
    deal_row(row + left % 2 * phase + left / 2, row + (left + 1) % 2 * phase + (left + 1) / 2, x, w);
  } else {
    ROLLED for (unsigned j = 0; j < w; j++) row[(j + left) % sw * phase + (j + left) / sw] = x[j];
  }
}

INLINE void place_plane_f32(const float *x, float *to, const unsigned h, const unsigned w, const unsigned top, const unsigned left,
                            const unsigned sh, const unsigned sw, const unsigned rows, const unsigned pitch) {
  if (sh == 1 && h * ((w + 3) / 4) <= 16) {
    UNROLL for (unsigned i = 0; i < h; i++) place_row_f32(x + i * w, to, i + top, w, left, sh, sw, rows, pitch);
  } else {
    ROLLED for (unsigned i = 0; i < h; i++) place_row_f32(x + i * w, to, i + top, w, left, sh, sw, rows, pitch);
  }
}

// (channels, h, w) -> (channels, sh, sw, rows, pitch), bordered by `border`.
INLINE void split_phases_f32(const float *x, float *to, unsigned channels, const unsigned h, const unsigned w, const unsigned top,
                             const unsigned left, const unsigned sh, const unsigned sw, const unsigned rows, const unsigned pitch, float border) {
  const unsigned plane = sh * sw * rows * pitch;
  fill_f32(to, border, channels * plane);
  ROLLED for (unsigned c = 0; c < channels; c++, to += plane, x += h * w) place_plane_f32(x, to, h, w, top, left, sh, sw, rows, pitch);
}

#endif
