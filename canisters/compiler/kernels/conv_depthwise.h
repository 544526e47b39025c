// A convolution that filters each channel on its own, in float32: the four lanes are neighbouring pixels of a row.
//
// A channel's weights stay in locals while its plane is filtered. The plane is bordered and taken apart by its strides into scratch for a
// single plane, whose border is written once for all channels.
#ifndef COMMONWEIGHT_CONV_DEPTHWISE_H
#define COMMONWEIGHT_CONV_DEPTHWISE_H

#include "conv_f32.h"

enum { MOST_DEPTHWISE_TAPS = 25 };

// Where a plane comes from: its size, its border above and on the left; `scratch` is null when it is read in place.
struct bordered {
  unsigned h, w, top, left, rows;
  float *scratch;
};

// `w`: the bias, then the taps.
INLINE void depthwise_tile(const float *x, const f32x4 *w, float *y, struct conv s, const unsigned columns, const unsigned NR, const unsigned NC) {
  UNROLL for (unsigned i = 0; i < NR; i++)
    UNROLL for (unsigned j = 0; j < NC; j++) {
      f32x4 product[MOST_DEPTHWISE_TAPS];
      UNROLL for (unsigned t = 0; t < s.kh * s.kw; t++) product[t] = mul(load(x + pixel_tap(s, t) + i * s.pitch + 4 * j), w[1 + t]);
      const f32x4 sum = add(w[0], tree_sum(product, s.kh * s.kw));
      store_n(y + i * s.ow + 4 * j, activate(sum, s.kind, s.p, s.q), columns - 4 * j);
    }
}

INLINE void depthwise_rows(const float *x, const f32x4 *w, float *y, struct conv s, const unsigned NR, const unsigned NC) {
  const unsigned rest = s.ow % (4 * NC);
  unsigned j = 0;
  if (s.ow / (4 * NC) == 1 && !rest) {
    depthwise_tile(x, w, y, s, 4 * NC, NR, NC);
    return;
  }
  ROLLED for (; j + 4 * NC <= s.ow; j += 4 * NC) depthwise_tile(x + j, w, y + j, s, 4 * NC, NR, NC);
  if (rest) depthwise_tile(x + j, w, y + j, s, rest, NR, (rest + 3) / 4);
}

// Weights: for each channel its bias and taps. NR rows of NC vectors are written out.
INLINE void conv_f32_depthwise(const float *x, const float *w, float *y, struct conv s, struct bordered b, const unsigned NR, const unsigned NC) {
  const unsigned K = s.kh * s.kw, below = s.oh % NR;
  if (b.scratch) fill_f32(b.scratch, 0.0f, s.plane);
  ROLLED for (unsigned g = 0; g < s.groups; g++, x += b.h * b.w, w += K + 1, y += s.oh * s.ow) {
    f32x4 weights[MOST_DEPTHWISE_TAPS + 1];
    UNROLL for (unsigned t = 0; t <= K; t++) weights[t] = load_splat(w + t);
    const float *from = x;
    if (b.scratch) {
      place_plane_f32(x, b.scratch, b.h, b.w, b.top, b.left, s.sh, s.sw, b.rows, s.pitch);
      from = b.scratch;
    }
    unsigned i = 0;
    ROLLED for (; i + NR <= s.oh; i += NR) depthwise_rows(from + i * s.pitch, weights, y + i * s.ow, s, NR, NC);
    if (below) depthwise_rows(from + i * s.pitch, weights, y + i * s.ow, s, below, NC);
  }
}

#endif
