// Rows times packed int8 weights: weights rounded to int8 with one scale a column, activations to int16 with one scale a row at run time.
//
// Weights lie in panels of 16 columns (the last one cut to a multiple of 4): scales, biases (float32), then ceil(k/2) rows of pairs:
// for each column the weights of k = 2i and 2i + 1, so that one i32x4.dot_i16x8_s adds both to each of four columns. Activations are
// rounded to at most LIMIT in magnitude, where k * 127 * LIMIT < 2^31: the sums in int32 cannot overflow.
#ifndef COMMONWEIGHT_DENSE_INT8_H
#define COMMONWEIGHT_DENSE_INT8_H

#include "functions.h"

SHARED float largest_magnitude(const float *x, unsigned n) {
  // NaN is passed over (the first operand of pmax stays): it becomes 0 when it is rounded.
  f32x4 most = splat(0.0f), other = most;
  unsigned i = 0;
  ROLLED for (; i + 16 <= n; i += 16) {
    most = at_least(at_least(most, wasm_f32x4_abs(load(x + i))), wasm_f32x4_abs(load(x + i + 4)));
    other = at_least(at_least(other, wasm_f32x4_abs(load(x + i + 8))), wasm_f32x4_abs(load(x + i + 12)));
  }
  ROLLED for (; i + 4 <= n; i += 4) most = at_least(most, wasm_f32x4_abs(load(x + i)));
  if (n % 4) other = at_least(other, first_n(wasm_f32x4_abs(load(x + i)), splat(0.0f), n % 4));
  return largest_of(at_least(most, other));
}

// Eight floats, scaled and rounded to int16.
INLINE v128_t quantised(const float *x, f32x4 scale) {
  const v128_t low = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(mul(load(x), scale)));
  const v128_t high = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(mul(load(x + 4), scale)));
  return wasm_i16x8_narrow_i32x4(low, high);
}

// What `limit` steps of int16 stand for, and its inverse; an all-zero or infinite row keeps finite factors.
INLINE float step_of(float most, float limit) { return most > 0.0f && most < __builtin_inff() ? most / limit : 1.0f; }

// k floats to `pitch` int16 (a multiple of 8, zero behind k). Returns the step.
SHARED float quantise_row(const float *x, int16_t *to, unsigned k, unsigned pitch, float limit) {
  const float step = step_of(largest_magnitude(x, k), limit);
  const f32x4 scale = splat(1.0f / step);
  unsigned i = 0;
  ROLLED for (; i + 16 <= k; i += 16) {
    wasm_v128_store(to + i, quantised(x + i, scale));
    wasm_v128_store(to + i + 8, quantised(x + i + 8, scale));
  }
  ROLLED for (; i < pitch; i += 8) {
    const unsigned left = i < k ? k - i : 0;
    const v128_t lane = wasm_i16x8_const(0, 1, 2, 3, 4, 5, 6, 7);
    const v128_t kept = wasm_i16x8_lt(lane, wasm_i16x8_splat((int16_t)(left < 8 ? left : 8)));
    wasm_v128_store(to + i, left ? wasm_v128_and(quantised(x + i, scale), kept) : wasm_i32x4_const_splat(0));
  }
  return step;
}

// Rows of k floats to rows of `pitch` int16, and the step of each row.
INLINE void quantise_rows(const float *x, int16_t *to, float *steps, unsigned m, unsigned k, unsigned pitch, float limit) {
  ROLLED for (unsigned r = 0; r < m; r++, x += k, to += pitch) steps[r] = quantise_row(x, to, k, pitch, limit);
}

// `width`: columns of the panel that the tile is a slice of.
INLINE void dense_int8_steps(v128_t *sum, const int16_t *x, unsigned pitch, const int8_t *w, const unsigned width, const unsigned MR,
                             const unsigned NV, const unsigned U) {
  v128_t a[8][16], b[16][8];
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned u = 0; u < U; u++) a[r][u] = wasm_v128_load32_splat(x + r * pitch + 2 * u);
  if (MR > 1) {
    UNROLL for (unsigned u = 0; u < U; u++)
      UNROLL for (unsigned v = 0; v < NV; v++) b[u][v] = wasm_i16x8_load8x8(w + 2 * u * width + 8 * v);
  }
  UNROLL for (unsigned v = 0; v < NV; v++)
    UNROLL for (unsigned r = 0; r < MR; r++)
      UNROLL for (unsigned u = 0; u < U; u++)
        sum[r * NV + v] = wasm_i32x4_add(
            sum[r * NV + v], wasm_i32x4_dot_i16x8(a[r][u], MR > 1 ? b[u][v] : wasm_i16x8_load8x8(w + 2 * u * width + 8 * v)));
}

// `head`: the slice's scales; its biases are `width` floats on.
INLINE void dense_int8_tile(const int16_t *x, const float *steps, unsigned pitch, const float *head, const int8_t *w, const unsigned width,
                            float *y, unsigned n, unsigned pairs, unsigned columns, const unsigned MR, const unsigned NV, enum activation kind,
                            float p, float q) {
  v128_t sum[64];
  UNROLL for (unsigned i = 0; i < MR * NV; i++) sum[i] = wasm_i32x4_const_splat(0);
  const unsigned U = MR == 8 ? 16 : 8, whole = pairs - pairs % U;
  ROLLED for (const int16_t *end = x + 2 * whole; x != end; x += 2 * U, w += 2 * U * width) dense_int8_steps(sum, x, pitch, w, width, MR, NV, U);
  if (pairs % U) dense_int8_steps(sum, x, pitch, w, width, MR, NV, pairs % U);
  UNROLL for (unsigned r = 0; r < MR; r++) {
    const f32x4 step = load_splat(steps + r);
    UNROLL for (unsigned v = 0; v < NV; v++) {
      const f32x4 scaled = mul(mul(wasm_f32x4_convert_i32x4(sum[r * NV + v]), step), load(head + 4 * v));
      store_n(y + r * n + 4 * v, activate(add(scaled, load(head + width + 4 * v)), kind, p, q), columns - 4 * v);
    }
  }
}

INLINE void dense_int8_slice(const int16_t *x, const float *steps, unsigned pitch, const float *head, const int8_t *w, const unsigned width,
                             float *y, unsigned m, unsigned n, unsigned pairs, unsigned columns, const unsigned NV, enum activation kind, float p,
                             float q) {
  unsigned r = 0;
  ROLLED for (; r + 8 <= m; r += 8)
    dense_int8_tile(x + r * pitch, steps + r, pitch, head, w, width, y + r * n, n, pairs, columns, 8, NV, kind, p, q);
  if (m & 4u) dense_int8_tile(x + r * pitch, steps + r, pitch, head, w, width, y + r * n, n, pairs, columns, 4, NV, kind, p, q), r += 4;
  if (m & 2u) dense_int8_tile(x + r * pitch, steps + r, pitch, head, w, width, y + r * n, n, pairs, columns, 2, NV, kind, p, q), r += 2;
  if (m & 1u) dense_int8_tile(x + r * pitch, steps + r, pitch, head, w, width, y + r * n, n, pairs, columns, 1, NV, kind, p, q);
}

INLINE void dense_int8_panel(const int16_t *x, const float *steps, unsigned pitch, const uint8_t *panel, float *y, unsigned m, unsigned n,
                             unsigned pairs, unsigned columns, const unsigned NV, enum activation kind, float p, float q) {
  dense_int8_slice(x, steps, pitch, (const float *)panel, (const int8_t *)panel + 32 * NV, 4 * NV, y, m, n, pairs, columns, NV, kind, p, q);
}

// `width` as in dense_f32; `pairs`: of k, rounded up, or more when the weights have zeros behind k. `rows`: scratch for m rows of 2 * pairs
// int16, rounded up to a multiple of 8; `steps`: scratch for m floats.
INLINE void dense_int8_of_pairs(const float *x, const uint8_t *panels, float *y, int16_t *rows, float *steps, unsigned m, unsigned n, unsigned k,
                                const unsigned pairs, const unsigned width, float limit, enum activation kind, float p, float q) {
  const unsigned pitch = (2 * pairs + 7) & ~7u, slice = m == 1 || width < 16 ? width : 16;
  quantise_rows(x, rows, steps, m, k, pitch, limit);
  const uint8_t *panel = panels;
  unsigned c = 0;
  ROLLED for (; c + width <= n; c += width, panel += (8 + 2 * pairs) * width)
    ROLLED for (unsigned s = 0; s < width; s += slice)
      dense_int8_slice(rows, steps, pitch, (const float *)panel + s, (const int8_t *)panel + 8 * width + 2 * s, width, y + c + s, m, n, pairs, slice,
                       slice / 4, kind, p, q);
  if (n % width) dense_int8_panel(rows, steps, pitch, panel, y + c, m, n, pairs, n % width, (n % width + 3) / 4, kind, p, q);
}

INLINE void dense_int8(const float *x, const uint8_t *panels, float *y, int16_t *rows, float *steps, unsigned m, unsigned n, unsigned k,
                       const unsigned width, float limit, enum activation kind, float p, float q) {
  dense_int8_of_pairs(x, panels, y, rows, steps, m, n, k, (k + 1) / 2, width, limit, kind, p, q);
}

#endif
