// Rows times packed int8 weights: weights rounded to int8 with one scale a column, activations to int16 with one scale a row at run time.
//
// Weights lie in panels of 16 columns (the last one cut to a multiple of 4): scales, biases (float32), then ceil(k/2) rows of pairs:
// for each column the weights of k = 2i and 2i + 1, so that one i32x4.dot_i16x8_s adds both to each of four columns. Activations are
// rounded to at most LIMIT in magnitude, where k * 127 * LIMIT < 2^31: the sums in int32 cannot overflow.
#ifndef COMMONWEIGHT_DENSE_INT8_H
#define COMMONWEIGHT_DENSE_INT8_H

#include "functions.h"

INLINE float largest_magnitude(const float *x, unsigned n) {
  f32x4 most = splat(0.0f);
  unsigned i = 0;
  // NaN is passed over (the first operand of pmax stays): it becomes 0 when it is rounded.
  ROLLED for (; i + 4 <= n; i += 4) most = at_least(most, wasm_f32x4_abs(load(x + i)));
  if (n % 4) most = at_least(most, first_n(wasm_f32x4_abs(load(x + i)), splat(0.0f), n % 4));
  return largest_of(most);
}

// Eight floats, scaled and rounded to int16.
INLINE v128_t quantised(const float *x, f32x4 scale) {
  const v128_t low = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(mul(load(x), scale)));
  const v128_t high = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(mul(load(x + 4), scale)));
  return wasm_i16x8_narrow_i32x4(low, high);
}

// What `limit` steps of int16 stand for, and its inverse; an all-zero or infinite row keeps finite factors.
INLINE float step_of(float most, float limit) { return most > 0.0f && most < __builtin_inff() ? most / limit : 1.0f; }

// Rows of k floats to rows of `pitch` int16 (a multiple of 8, zero behind k), and the step of each row.
INLINE void quantise_rows(const float *x, int16_t *to, float *steps, unsigned m, unsigned k, unsigned pitch, float limit) {
  ROLLED for (unsigned r = 0; r < m; r++, x += k, to += pitch) {
    const float step = step_of(largest_magnitude(x, k), limit);
    const f32x4 scale = splat(1.0f / step);
    steps[r] = step;
    unsigned i = 0;
    ROLLED for (; i + 8 <= k; i += 8) wasm_v128_store(to + i, quantised(x + i, scale));
    if (k % 8) {
      const v128_t lane = wasm_i16x8_const(0, 1, 2, 3, 4, 5, 6, 7);
      wasm_v128_store(to + i, wasm_v128_and(quantised(x + i, scale), wasm_i16x8_lt(lane, wasm_i16x8_splat((int16_t)(k % 8)))));
    }
  }
}

INLINE void dense_int8_steps(v128_t *sum, const int16_t *x, unsigned pitch, const int8_t *w, const unsigned MR, const unsigned NV, const unsigned U) {
  v128_t a[8][16], b[16][8];
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned u = 0; u < U; u++) a[r][u] = wasm_v128_load32_splat(x + r * pitch + 2 * u);
  if (MR > 1) {
    UNROLL for (unsigned u = 0; u < U; u++)
      UNROLL for (unsigned v = 0; v < NV; v++) b[u][v] = wasm_i16x8_load8x8(w + (u * NV + v) * 8);
  }
  UNROLL for (unsigned v = 0; v < NV; v++)
    UNROLL for (unsigned r = 0; r < MR; r++)
      UNROLL for (unsigned u = 0; u < U; u++)
        sum[r * NV + v] = wasm_i32x4_add(
            sum[r * NV + v], wasm_i32x4_dot_i16x8(a[r][u], MR > 1 ? b[u][v] : wasm_i16x8_load8x8(w + (u * NV + v) * 8)));
}

INLINE void dense_int8_tile(const int16_t *x, const float *steps, unsigned pitch, const uint8_t *panel, float *y, unsigned n, unsigned pairs,
                            unsigned columns, const unsigned MR, const unsigned NV, enum activation kind, float p, float q) {
  v128_t sum[64];
  UNROLL for (unsigned i = 0; i < MR * NV; i++) sum[i] = wasm_i32x4_const_splat(0);
  const float *head = (const float *)panel;
  const int8_t *w = (const int8_t *)panel + 32 * NV;
  const unsigned U = MR == 8 ? 16 : 8, whole = pairs - pairs % U;
  ROLLED for (const int16_t *end = x + 2 * whole; x != end; x += 2 * U, w += 8 * U * NV) dense_int8_steps(sum, x, pitch, w, MR, NV, U);
  if (pairs % U) dense_int8_steps(sum, x, pitch, w, MR, NV, pairs % U);
  UNROLL for (unsigned r = 0; r < MR; r++) {
    const f32x4 step = load_splat(steps + r);
    UNROLL for (unsigned v = 0; v < NV; v++) {
      const f32x4 scaled = mul(mul(wasm_f32x4_convert_i32x4(sum[r * NV + v]), step), load(head + 4 * v));
      store_n(y + r * n + 4 * v, activate(add(scaled, load(head + 4 * NV + 4 * v)), kind, p, q), columns - 4 * v);
    }
  }
}

INLINE void dense_int8_panel(const int16_t *x, const float *steps, unsigned pitch, const uint8_t *panel, float *y, unsigned m, unsigned n,
                             unsigned pairs, unsigned columns, const unsigned NV, enum activation kind, float p, float q) {
  unsigned r = 0;
  ROLLED for (; r + 8 <= m; r += 8)
    dense_int8_tile(x + r * pitch, steps + r, pitch, panel, y + r * n, n, pairs, columns, 8, NV, kind, p, q);
  if (m & 4u) dense_int8_tile(x + r * pitch, steps + r, pitch, panel, y + r * n, n, pairs, columns, 4, NV, kind, p, q), r += 4;
  if (m & 2u) dense_int8_tile(x + r * pitch, steps + r, pitch, panel, y + r * n, n, pairs, columns, 2, NV, kind, p, q), r += 2;
  if (m & 1u) dense_int8_tile(x + r * pitch, steps + r, pitch, panel, y + r * n, n, pairs, columns, 1, NV, kind, p, q);
}

// `rows`: scratch for m * pitch int16; `steps`: scratch for m floats.
INLINE void dense_int8(const float *x, const uint8_t *panels, float *y, int16_t *rows, float *steps, unsigned m, unsigned n, unsigned k,
                       const unsigned width, float limit, enum activation kind, float p, float q) {
  const unsigned pitch = (k + 7) & ~7u, pairs = (k + 1) / 2;
  quantise_rows(x, rows, steps, m, k, pitch, limit);
  const uint8_t *panel = panels;
  unsigned c = 0;
  ROLLED for (; c + width <= n; c += width, panel += (8 + 2 * pairs) * width)
    dense_int8_panel(rows, steps, pitch, panel, y + c, m, n, pairs, width, width / 4, kind, p, q);
  if (n % width) dense_int8_panel(rows, steps, pitch, panel, y + c, m, n, pairs, n % width, (n % width + 3) / 4, kind, p, q);
}

#endif
