// A single row times packed weights: each weight is read once, so what counts is one load a weight vector and little else.
//
// Panels are those of dense_f32.h and dense_int8.h with 64 columns. Sizes are arguments: all nodes of a module share one copy of each
// kernel. What is left of the columns goes through those files' own tiles.
#ifndef COMMONWEIGHT_DENSE_ROW_H
#define COMMONWEIGHT_DENSE_ROW_H

#include "dense_f32.h"
#include "dense_int8.h"

enum { ROW_WIDTH = 64, ROW_VECTORS = 16, ROW_STEPS = 16 };

// y (panels * 64) = min(max(x (k) * w + bias, low), high); without bounds they are infinite, and NaN stays.
SHARED void row_f32(const float *x, const float *panel, float *y, unsigned panels, unsigned k, float low, float high) {
  const float *whole = x + (k & ~(ROW_STEPS - 1u)), *end = x + k;
  ROLLED for (; panels; panels--, y += ROW_WIDTH) {
    f32x4 sum[ROW_VECTORS];
    UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) sum[v] = load(panel + 4 * v);
    panel += ROW_WIDTH;
    const float *at = x;
    ROLLED for (; at != whole; at += ROW_STEPS, panel += ROW_STEPS * ROW_WIDTH) dense_f32_steps(sum, at, 0, panel, ROW_WIDTH, 1, ROW_VECTORS, ROW_STEPS);
    ROLLED for (; at != end; at++, panel += ROW_WIDTH) dense_f32_steps(sum, at, 0, panel, ROW_WIDTH, 1, ROW_VECTORS, 1);
    UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) store(y + 4 * v, at_most(at_least(sum[v], splat(low)), splat(high)));
  }
}

// x: 2 * pairs int16 of the given step; pairs is a multiple of 16, zeros behind k on either side.
SHARED void row_int8(const int16_t *x, float step, const uint8_t *panel, float *y, unsigned panels, unsigned pairs, float low, float high) {
  const int16_t *end = x + 2 * pairs;
  ROLLED for (; panels; panels--, y += ROW_WIDTH) {
    v128_t sum[ROW_VECTORS];
    UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) sum[v] = wasm_i32x4_const_splat(0);
    const float *head = (const float *)panel;
    const int8_t *w = (const int8_t *)(head + 2 * ROW_WIDTH);
    ROLLED for (const int16_t *at = x; at != end; at += 2 * ROW_STEPS, w += 2 * ROW_STEPS * ROW_WIDTH)
      dense_int8_steps(sum, at, 0, w, ROW_WIDTH, 1, ROW_VECTORS, ROW_STEPS);
    UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) {
      const f32x4 found = mul(mul(wasm_f32x4_convert_i32x4(sum[v]), splat(step)), load(head + 4 * v));
      store(y + 4 * v, at_most(at_least(add(found, load(head + ROW_WIDTH + 4 * v)), splat(low)), splat(high)));
    }
    panel = (const uint8_t *)w;
  }
}

// A row so small that its code matters more than its turns. n below 64: a single panel, cut to a multiple of 4.
SHARED void small_row_f32(const float *x, const float *panel, float *y, unsigned n, unsigned k, float low, float high) {
  const unsigned pitch = (n + 3) & ~3u;
  ROLLED for (unsigned c = 0; c < n; c += 4) {
    f32x4 sum = load(panel + c);
    const float *w = panel + pitch + c;
    ROLLED for (unsigned i = 0; i < k; i++, w += pitch) sum = add(sum, mul(load_splat(x + i), load(w)));
    store_n(y + c, at_most(at_least(sum, splat(low)), splat(high)), n - c);
  }
}

INLINE void dense_row_f32(const float *x, const float *panels, float *y, unsigned n, unsigned k, float low, float high) {
  const unsigned whole = n / ROW_WIDTH, rest = n % ROW_WIDTH;
  if (whole) row_f32(x, panels, y, whole, k, low, high);
  if (rest)
    dense_f32_panel(x, panels + whole * ROW_WIDTH * (k + 1), y + whole * ROW_WIDTH, 1, n, k, rest, (rest + 3) / 4, CLIP, low, high);
}

// `row`: scratch for k rounded up to a multiple of 32.
INLINE void dense_row_int8(const float *x, const uint8_t *panels, float *y, int16_t *row, unsigned n, unsigned k, float limit, float low,
                           float high) {
  const unsigned whole = n / ROW_WIDTH, rest = n % ROW_WIDTH, pairs = (k + 31) / 32 * 16;
  const float step = quantise_row(x, row, k, 2 * pairs, limit);
  if (whole) row_int8(row, step, panels, y, whole, pairs, low, high);
  if (rest)
    dense_int8_panel(row, &step, 2 * pairs, panels + whole * ROW_WIDTH * (8 + 2 * pairs), y + whole * ROW_WIDTH, 1, n, pairs, rest,
                     (rest + 3) / 4, CLIP, low, high);
}

#endif
