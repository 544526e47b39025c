// 2-d convolution with int8 weights and int16 activations, and how activations are rounded to int16 for it.
//
// The input is rounded with one step for the whole tensor, and laid out (channel pairs, rows, columns, 2) with a zero border. The lanes
// are pixels (conv_pixels of conv_f32.h; its weights are widened to int16 when packed), or, where weights are many and pixels few, output
// channels: one 32-bit splat load then brings the pair that one i32x4.dot_i16x8_s needs. See dense_int8.h for the scales and why the sums
// cannot overflow.
#ifndef COMMONWEIGHT_CONV_INT8_H
#define COMMONWEIGHT_CONV_INT8_H

#include "conv_f32.h"
#include "dense_int8.h"

// Four values over the step, rounded to int16 in the low halves of the lanes (what the high ones hold is not said).
INLINE v128_t rounded(const float *x, f32x4 scale, const bool is_bounded) {
  // Values known to be small: adding 1.5 * 2^23 leaves the nearest integer in the low bits. Others saturate.
  if (is_bounded) return add(mul(load(x), scale), splat(12582912.0f));
  const v128_t whole = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(mul(load(x), scale)));
  return wasm_i16x8_narrow_i32x4(whole, whole);
}

// Pairs of a channel and the next one, or of a channel and zero.
INLINE v128_t paired(const float *low, const float *high, f32x4 scale, const bool is_bounded) {
  const v128_t a = rounded(low, scale, is_bounded), b = high ? rounded(high, scale, is_bounded) : wasm_i32x4_const_splat(0);
  return is_bounded ? wasm_i16x8_shuffle(a, b, 0, 8, 2, 10, 4, 12, 6, 14) : wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

INLINE void pair_row(float *row, const float *low, const float *high, const unsigned w, f32x4 scale, const bool is_bounded) {
  unsigned j = 0;
  ROLLED for (; j + 16 <= w; j += 16)
    UNROLL for (unsigned v = 0; v < 16; v += 4) store(row + j + v, paired(low + j + v, high ? high + j + v : 0, scale, is_bounded));
  const unsigned at = w - w % 16;
  UNROLL for (unsigned v = 0; v < w % 16; v += 4)
    store_n(row + at + v, paired(low + at + v, high ? high + at + v : 0, scale, is_bounded), w % 16 - v);
}

// (channels, h, w) floats to (groups * ceil(channels/groups/2), rows, pitch) pairs of int16. `most`: the largest magnitude that there can
// be, or 0 to look for it. Returns the step.
INLINE float quantise_pairs(const float *x, int16_t *to, unsigned groups, const unsigned channels, const unsigned h, const unsigned w,
                            const unsigned top, const unsigned left, const unsigned rows, const unsigned pitch, float most, float limit) {
  const unsigned plane = h * w, pairs = (channels + 1) / 2;
  const bool is_bounded = most > 0.0f;
  const float step = step_of(is_bounded ? most : largest_magnitude(x, groups * channels * plane), limit);
  const f32x4 scale = splat(1.0f / step);
  if (rows * pitch != plane) fill_bytes((uint8_t *)to, 0, groups * pairs * rows * pitch * 4);
  float *out = (float *)to + top * pitch + left;
  ROLLED for (unsigned g = 0; g < groups; g++) {
    ROLLED for (unsigned c = 0; c + 2 <= channels; c += 2, out += rows * pitch, x += 2 * plane)
      ROLLED for (unsigned i = 0; i < h; i++) pair_row(out + i * pitch, x + i * w, x + plane + i * w, w, scale, is_bounded);
    if (channels % 2) {
      ROLLED for (unsigned i = 0; i < h; i++) pair_row(out + i * pitch, x + i * w, 0, w, scale, is_bounded);
      out += rows * pitch, x += plane;
    }
  }
  return step;
}

INLINE void channel_steps_int8(v128_t *sum, const int16_t *x, const int8_t *w, struct conv s, const unsigned first, const unsigned T,
                               const unsigned NR, const unsigned NC, const unsigned NV) {
  v128_t a[MOST_TAPS][8], b[MOST_TAPS][8];
  UNROLL for (unsigned t = 0; t < T; t++) {
    UNROLL for (unsigned i = 0; i < NR; i++)
      UNROLL for (unsigned j = 0; j < NC; j++)
        a[t][i * NC + j] = wasm_v128_load32_splat(x + 2 * (channel_tap(s, first + t) + i * s.sh * s.pitch + j * s.sw));
    UNROLL for (unsigned v = 0; v < NV; v++) b[t][v] = wasm_i16x8_load8x8(w + (t * NV + v) * 8);
  }
  UNROLL for (unsigned v = 0; v < NV; v++)
    UNROLL for (unsigned r = 0; r < NR * NC; r++)
      UNROLL for (unsigned t = 0; t < T; t++) sum[r * NV + v] = wasm_i32x4_add(sum[r * NV + v], wasm_i32x4_dot_i16x8(a[t][r], b[t][v]));
}

INLINE void channel_taps_int8(v128_t *sum, const int16_t *x, const int8_t *w, struct conv s, const unsigned T, const unsigned NR,
                              const unsigned NC, const unsigned NV) {
  UNROLL for (unsigned t = 0; t < T; t += MOST_TAPS)
    channel_steps_int8(sum, x, w + t * 8 * NV, s, t, T - t < MOST_TAPS ? T - t : MOST_TAPS, NR, NC, NV);
}

INLINE void channel_tile_int8(const int16_t *x, const uint8_t *panel, float *y, struct conv s, float step, unsigned channels,
                              const unsigned NR, const unsigned NC, const unsigned NV) {
  v128_t sum[64];
  UNROLL for (unsigned i = 0; i < NR * NC * NV; i++) sum[i] = wasm_i32x4_const_splat(0);
  const float *head = (const float *)panel;
  const int8_t *w = (const int8_t *)panel + 32 * NV;
  const unsigned T = conv_taps(s), K = s.kh * s.kw, pairs = (s.ic + 1) / 2;
  if (K == 1) {
    const unsigned whole = pairs & ~7u;
    ROLLED for (const int16_t *end = x + 2 * whole * s.plane; x != end; x += 16 * s.plane, w += 64 * NV)
      channel_steps_int8(sum, x, w, s, 0, 8, NR, NC, NV);
    if (pairs & 7u) channel_steps_int8(sum, x, w, s, 0, pairs & 7u, NR, NC, NV);
  } else {
    const unsigned row = 2 * s.dh * s.pitch, rows = K / T;
    ROLLED for (const int16_t *end = x + 2 * pairs * s.plane; x != end; x += 2 * s.plane - rows * row)
      ROLLED for (const int16_t *last = x + rows * row; x != last; x += row, w += T * 8 * NV)
        channel_taps_int8(sum, x, w, s, T, NR, NC, NV);
  }
  const unsigned out = s.oh * s.ow;
  UNROLL for (unsigned v = 0; v < NV; v++) {
    const f32x4 scale = mul(load(head + 4 * v), splat(step)), bias = load(head + 4 * NV + 4 * v);
    UNROLL for (unsigned i = 0; i < NR; i++)
      UNROLL for (unsigned j = 0; j < NC; j++) {
        const f32x4 found = add(mul(wasm_f32x4_convert_i32x4(sum[(i * NC + j) * NV + v]), scale), bias);
        store_lanes(y + i * s.ow + j + 4 * v * out, out, activate(found, s.kind, s.p, s.q), channels - 4 * v);
      }
  }
}

INLINE void channel_panel_int8(const int16_t *x, const uint8_t *w, float *y, struct conv s, float step, unsigned channels, const unsigned NV) {
  const unsigned columns = channel_columns(s), rows = 8 / columns, below = s.oh % rows, rest = s.ow % columns;
  unsigned i = 0;
  ROLLED for (; i + rows <= s.oh; i += rows) {
    const int16_t *from = x + 2 * i * s.sh * s.pitch;
    unsigned j = 0;
    ROLLED for (; j + columns <= s.ow; j += columns)
      channel_tile_int8(from + 2 * j * s.sw, w, y + i * s.ow + j, s, step, channels, rows, columns, NV);
    if (rest) channel_tile_int8(from + 2 * j * s.sw, w, y + i * s.ow + j, s, step, channels, rows, rest, NV);
  }
  if (below) channel_tile_int8(x + 2 * i * s.sh * s.pitch, w, y + i * s.ow, s, step, channels, below, columns, NV);
}

// Weights: for each group, panels of 16 output channels (the last one cut to a multiple of 4): scales, biases, then for each pair of
// input channels and tap the panel's pairs. `plane` and `pitch` count pairs.
INLINE void conv_int8(const int16_t *x, const uint8_t *w, float *y, struct conv s, float step) {
  const unsigned pairs = (s.ic + 1) / 2, size = pairs * s.kh * s.kw * 2 + 8, out = s.oh * s.ow;
  ROLLED for (unsigned g = 0; g < s.groups; g++, x += 2 * pairs * s.plane) {
    unsigned o = 0;
    ROLLED for (; o + 16 <= s.oc; o += 16, w += 16 * size, y += 16 * out) channel_panel_int8(x, w, y, s, step, 16, 4);
    const unsigned rest = s.oc % 16, padded = (rest + 3) & ~3u;
    if (rest) channel_panel_int8(x, w, y, s, step, rest, padded / 4), w += padded * size, y += rest * out;
  }
}

#endif
