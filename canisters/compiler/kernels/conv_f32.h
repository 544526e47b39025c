// 2-d convolution, two ways; the compiler takes the cheaper one by instruction count.
//
// conv_pixels: the four lanes are neighbouring pixels of a row, weights are splat. For planes at least a few pixels wide.
// conv_f32_channels: the four lanes are output channels, pixels are splat. For narrow planes and any stride without phases.
// Both keep a tile of sums in locals and add a whole group of taps to each sum as one expression (see dense_f32.h).
//
// conv_pixels also takes pairs of int16 where floats would be, in x and in the weights: two input channels in the room of one float, added
// at once by i32x4.dot_i16x8_s (conv_int8.h says where they come from). Its addresses are the same.
#ifndef COMMONWEIGHT_CONV_F32_H
#define COMMONWEIGHT_CONV_F32_H

#include "conv_input.h"
#include "functions.h"

// Constants of a node. `ic`, `oc`: channels of one group. `plane`, `phase`, `pitch`: floats from one input channel, one phase and one
// row to the next.
struct conv {
  unsigned groups, ic, oc, oh, ow, kh, kw, sh, sw, dh, dw, plane, phase, pitch;
  enum activation kind;
  float p, q;
};

enum element { FLOATS, PAIRS };

INLINE v128_t product_of(v128_t a, v128_t b, const enum element element) { return element == PAIRS ? wasm_i32x4_dot_i16x8(a, b) : mul(a, b); }

// Taps of one step: a 1x1 kernel takes eight channels, a small one a whole channel, a large one a row of a channel. One expression adds
// at most MOST_TAPS of them.
enum { MOST_TAPS = 16, MANY_PAIRS = 48 };
INLINE unsigned conv_taps(struct conv s) { return s.kh * s.kw == 1 ? 8 : s.kh * s.kw <= 9 ? s.kh * s.kw : s.kw; }

INLINE unsigned pixel_tap(struct conv s, unsigned tap) {
  if (s.kh * s.kw == 1) return tap * s.plane;
  const unsigned h = tap / s.kw * s.dh, w = tap % s.kw * s.dw;
  return (h % s.sh * s.sw + w % s.sw) * s.phase + h / s.sh * s.pitch + w / s.sw;
}

INLINE void pixel_steps(v128_t *sum, const float *x, const float *w, struct conv s, const enum element element, const unsigned first,
                        const unsigned T, const unsigned MR, const unsigned NR, const unsigned NC) {
  const unsigned NV = NR * NC;
  v128_t a[MOST_TAPS][8], b[MOST_TAPS][8];
  UNROLL for (unsigned t = 0; t < T; t++) {
    UNROLL for (unsigned r = 0; r < MR; r++) a[t][r] = load_splat(w + t * MR + r);
    UNROLL for (unsigned i = 0; i < NR; i++)
      UNROLL for (unsigned j = 0; j < NC; j++) b[t][i * NC + j] = load(x + pixel_tap(s, first + t) + i * s.pitch + 4 * j);
  }
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned v = 0; v < NV; v++) {
      v128_t product[MOST_TAPS];
      UNROLL for (unsigned t = 0; t < T; t++) product[t] = product_of(a[t][r], b[t][v], element);
      if (element == PAIRS) {
        UNROLL for (unsigned t = 0; t < T; t++) sum[r * NV + v] = wasm_i32x4_add(sum[r * NV + v], product[t]);
      } else {
        sum[r * NV + v] = add(sum[r * NV + v], tree_sum(product, T));
      }
    }
}

INLINE void pixel_taps(v128_t *sum, const float *x, const float *w, struct conv s, const enum element element, const unsigned first,
                       const unsigned T, const unsigned MR, const unsigned NR, const unsigned NC) {
  UNROLL for (unsigned t = 0; t < T; t += MOST_TAPS)
    pixel_steps(sum, x, w + t * MR, s, element, first + t, T - t < MOST_TAPS ? T - t : MOST_TAPS, MR, NR, NC);
}

// All input channels of a tile, added to its sums.
INLINE void pixel_sums(v128_t *sum, const float *x, const float *w, struct conv s, const enum element element, const unsigned MR,
                       const unsigned NR, const unsigned NC) {
  const unsigned K = s.kh * s.kw, T = K == 1 && element == PAIRS && s.ic >= MANY_PAIRS ? 16 : conv_taps(s);
  if (K == 1) {
    const unsigned whole = s.ic - s.ic % T;
    ROLLED for (const float *end = x + whole * s.plane; x != end; x += T * s.plane, w += T * MR) pixel_steps(sum, x, w, s, element, 0, T, MR, NR, NC);
    if (s.ic % T) pixel_steps(sum, x, w, s, element, 0, s.ic % T, MR, NR, NC);
  } else if (K > T && s.sh == 1) {  // every row of the kernel is the same code
    ROLLED for (const float *end = x + s.ic * s.plane; x != end; x += s.plane - s.kh * s.dh * s.pitch)
      ROLLED for (const float *last = x + s.kh * s.dh * s.pitch; x != last; x += s.dh * s.pitch, w += T * MR)
        pixel_taps(sum, x, w, s, element, 0, T, MR, NR, NC);
  } else {
    ROLLED for (const float *end = x + s.ic * s.plane; x != end; x += s.plane, w += K * MR)
      UNROLL for (unsigned first = 0; first < K; first += T) pixel_taps(sum, x, w + first * MR, s, element, first, T, MR, NR, NC);
  }
}

// MR output channels of NR rows of NC vectors, of whose last one `last` floats are kept. `step`: of the activations, for pairs.
INLINE void pixel_tile(const float *x, const float *w, float *y, struct conv s, const enum element element, float step, unsigned last,
                       const unsigned MR, const unsigned NR, const unsigned NC) {
  const unsigned NV = NR * NC;
  v128_t sum[64];
  UNROLL for (unsigned r = 0; r < MR; r++) {
    const v128_t first = element == PAIRS ? wasm_i32x4_const_splat(0) : load_splat(w + r);
    UNROLL for (unsigned v = 0; v < NV; v++) sum[r * NV + v] = first;
  }
  pixel_sums(sum, x, w + (element == PAIRS ? 2 : 1) * MR, s, element, MR, NR, NC);
  UNROLL for (unsigned r = 0; r < MR; r++) {
    const f32x4 scale = element == PAIRS ? splat(w[r] * step) : splat(1.0f), bias = load_splat(w + MR + r);
    UNROLL for (unsigned i = 0; i < NR; i++)
      UNROLL for (unsigned j = 0; j < NC; j++) {
        f32x4 found = sum[r * NV + i * NC + j];
        if (element == PAIRS) found = add(mul(wasm_f32x4_convert_i32x4(found), scale), bias);
        store_n(y + r * s.oh * s.ow + i * s.ow + 4 * j, activate(found, s.kind, s.p, s.q), j + 1 < NC ? 4 : last);
      }
  }
}

// `count` tiles of NC vectors along a row, of which the last one of the row may be cut.
INLINE void pixel_tiles(const float *x, const float *w, float *y, struct conv s, const enum element element, float step, const unsigned count,
                        const bool is_last, const unsigned MR, const unsigned NC) {
  ROLLED for (unsigned t = 0; t < count; t++)
    pixel_tile(x + 4 * NC * t, w, y + 4 * NC * t, s, element, step, is_last && s.ow % 4 && t + 1 == count ? s.ow % 4 : 4, MR, 1, NC);
}

// A row's vectors go to as few tiles as hold them, all of one size or of two next to each other: few output channels leave room for more
// pixels in a tile. Rows that are short share a tile.
INLINE void pixel_planes(const float *x, const float *w, float *y, struct conv s, const enum element element, float step, const unsigned MR) {
  const unsigned most = MR <= 2 ? 8 : 4, vectors = (s.ow + 3) / 4;
  if (2 * vectors > most) {
    const unsigned tiles = (vectors + most - 1) / most, large = (vectors + tiles - 1) / tiles, larger_ones = vectors - tiles * (large - 1);
    const unsigned smaller_ones = tiles - larger_ones;
    ROLLED for (unsigned i = 0; i < s.oh; i++) {
      const float *from = x + i * s.pitch;
      float *to = y + i * s.ow;
      pixel_tiles(from, w, to, s, element, step, larger_ones, smaller_ones == 0, MR, large);
      if (smaller_ones) pixel_tiles(from + 4 * large * larger_ones, w, to + 4 * large * larger_ones, s, element, step, smaller_ones, true, MR, large - 1);
    }
  } else {
    const unsigned rows = most / vectors, rest = s.oh % rows, last = s.ow - 4 * (vectors - 1);
    unsigned i = 0;
    ROLLED for (; i + rows <= s.oh; i += rows) pixel_tile(x + i * s.pitch, w, y + i * s.ow, s, element, step, last, MR, rows, vectors);
    if (rest) pixel_tile(x + i * s.pitch, w, y + i * s.ow, s, element, step, last, MR, rest, vectors);
  }
}

// Weights: for each group, tiles of 8, then 4, 2, 1 output channels; a tile holds its scales (of pairs), its biases, then for each input
// channel (pair of them) and tap its channels' weights. `ic` counts pairs when x does.
INLINE void conv_pixels(const float *x, const float *w, float *y, struct conv s, const enum element element, float step) {
  const unsigned size = s.ic * s.kh * s.kw + (element == PAIRS ? 2 : 1), out = s.oh * s.ow;
  ROLLED for (unsigned g = 0; g < s.groups; g++, x += s.ic * s.plane) {
    unsigned o = 0;
    ROLLED for (; o + 8 <= s.oc; o += 8, w += 8 * size, y += 8 * out) pixel_planes(x, w, y, s, element, step, 8);
    if (s.oc & 4u) pixel_planes(x, w, y, s, element, step, 4), w += 4 * size, y += 4 * out;
    if (s.oc & 2u) pixel_planes(x, w, y, s, element, step, 2), w += 2 * size, y += 2 * out;
    if (s.oc & 1u) pixel_planes(x, w, y, s, element, step, 1), w += size, y += out;
  }
}

INLINE unsigned channel_tap(struct conv s, unsigned tap) {
  return s.kh * s.kw == 1 ? tap * s.plane : tap / s.kw * s.dh * s.pitch + tap % s.kw * s.dw;
}

INLINE void channel_steps(f32x4 *sum, const float *x, const float *w, struct conv s, const unsigned first, const unsigned T,
                          const unsigned NR, const unsigned NC, const unsigned NV) {
  f32x4 a[MOST_TAPS][8], b[MOST_TAPS][8];
  UNROLL for (unsigned t = 0; t < T; t++) {
    UNROLL for (unsigned i = 0; i < NR; i++)
      UNROLL for (unsigned j = 0; j < NC; j++) a[t][i * NC + j] = load_splat(x + channel_tap(s, first + t) + i * s.sh * s.pitch + j * s.sw);
    UNROLL for (unsigned v = 0; v < NV; v++) b[t][v] = load(w + (t * NV + v) * 4);
  }
  UNROLL for (unsigned v = 0; v < NV; v++)
    UNROLL for (unsigned r = 0; r < NR * NC; r++) {
      f32x4 product[MOST_TAPS];
      UNROLL for (unsigned t = 0; t < T; t++) product[t] = mul(a[t][r], b[t][v]);
      sum[r * NV + v] = add(sum[r * NV + v], tree_sum(product, T));
    }
}

INLINE void channel_taps(f32x4 *sum, const float *x, const float *w, struct conv s, const unsigned T, const unsigned NR, const unsigned NC,
                         const unsigned NV) {
  UNROLL for (unsigned t = 0; t < T; t += MOST_TAPS)
    channel_steps(sum, x, w + t * 4 * NV, s, t, T - t < MOST_TAPS ? T - t : MOST_TAPS, NR, NC, NV);
}

INLINE void channel_tile(const float *x, const float *w, float *y, struct conv s, unsigned channels, const unsigned NR, const unsigned NC,
                         const unsigned NV) {
  f32x4 sum[64];
  UNROLL for (unsigned v = 0; v < NV; v++) {
    const f32x4 bias = load(w + 4 * v);
    UNROLL for (unsigned r = 0; r < NR * NC; r++) sum[r * NV + v] = bias;
  }
  w += 4 * NV;
  const unsigned T = conv_taps(s), K = s.kh * s.kw;
  if (K == 1) {
    const unsigned whole = s.ic & ~7u;
    ROLLED for (const float *end = x + whole * s.plane; x != end; x += 8 * s.plane, w += 32 * NV) channel_steps(sum, x, w, s, 0, 8, NR, NC, NV);
    if (s.ic & 7u) channel_steps(sum, x, w, s, 0, s.ic & 7u, NR, NC, NV);
  } else {
    ROLLED for (const float *end = x + s.ic * s.plane; x != end; x += s.plane - K / T * s.dh * s.pitch)
      ROLLED for (const float *last = x + K / T * s.dh * s.pitch; x != last; x += s.dh * s.pitch, w += T * 4 * NV)
        channel_taps(sum, x, w, s, T, NR, NC, NV);
  }
  const unsigned out = s.oh * s.ow;
  UNROLL for (unsigned i = 0; i < NR; i++)
    UNROLL for (unsigned j = 0; j < NC; j++)
      UNROLL for (unsigned v = 0; v < NV; v++)
        store_lanes(y + i * s.ow + j + 4 * v * out, out, activate(sum[(i * NC + j) * NV + v], s.kind, s.p, s.q), channels - 4 * v);
}

// Pixels of a row in a tile: at most eight, and tiles of a row as even as they can be.
INLINE unsigned channel_columns(struct conv s) {
  const unsigned tiles = (s.ow + 7) / 8;
  return (s.ow + tiles - 1) / tiles;
}

INLINE void channel_panel(const float *x, const float *w, float *y, struct conv s, unsigned channels, const unsigned NV) {
  const unsigned columns = channel_columns(s), rows = 8 / columns, below = s.oh % rows, rest = s.ow % columns;
  unsigned i = 0;
  ROLLED for (; i + rows <= s.oh; i += rows) {
    const float *from = x + i * s.sh * s.pitch;
    unsigned j = 0;
    ROLLED for (; j + columns <= s.ow; j += columns) channel_tile(from + j * s.sw, w, y + i * s.ow + j, s, channels, rows, columns, NV);
    if (rest) channel_tile(from + j * s.sw, w, y + i * s.ow + j, s, channels, rows, rest, NV);
  }
  if (below) channel_tile(x + i * s.sh * s.pitch, w, y + i * s.ow, s, channels, below, columns, NV);
}

// Weights: for each group, panels of 16 output channels (the last one cut to a multiple of 4): biases, then for each input channel and
// tap the panel's weights. The input is bordered but not split into phases.
INLINE void conv_f32_channels(const float *x, const float *w, float *y, struct conv s) {
  const unsigned size = s.ic * s.kh * s.kw + 1, out = s.oh * s.ow;
  ROLLED for (unsigned g = 0; g < s.groups; g++, x += s.ic * s.plane) {
    unsigned o = 0;
    ROLLED for (; o + 16 <= s.oc; o += 16, w += 16 * size, y += 16 * out) channel_panel(x, w, y, s, 16, 4);
    const unsigned rest = s.oc % 16, padded = (rest + 3) & ~3u;
    if (rest) channel_panel(x, w, y, s, rest, padded / 4), w += padded * size, y += rest * out;
  }
}

#endif
