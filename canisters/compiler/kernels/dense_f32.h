// Rows times packed weights, in float32: y (m, n) = activation(x (m, k) * w (k, n) + bias (n)).
//
// Weights lie in panels of `width` columns (the last one is cut to a multiple of 4): the panel's biases, then k rows of `width` floats.
// A tile of MR rows by NV vectors lives in locals. The k loop takes U steps at once: it loads all operands, then adds each accumulator's
// U products as one expression, which stays on wasm's stack; taking it step by step costs a local.get and a local.set more each time.
#ifndef COMMONWEIGHT_DENSE_F32_H
#define COMMONWEIGHT_DENSE_F32_H

#include "functions.h"

// `pitch`: floats from one k to the next in the weights. A tile may be a slice of a wider panel.
INLINE void dense_f32_steps(f32x4 *sum, const float *x, unsigned x_pitch, const float *w, const unsigned pitch, const unsigned MR,
                            const unsigned NV, const unsigned U) {
  f32x4 a[8][16], b[8][8];
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned u = 0; u < U; u++) a[r][u] = load_splat(x + r * x_pitch + u);
  if (MR > 1) {
    UNROLL for (unsigned u = 0; u < U; u++)
      UNROLL for (unsigned v = 0; v < NV; v++) b[u][v] = load(w + u * pitch + 4 * v);
  }
  UNROLL for (unsigned v = 0; v < NV; v++)
    UNROLL for (unsigned r = 0; r < MR; r++) {
      f32x4 product[16];
      UNROLL for (unsigned u = 0; u < U; u++) product[u] = mul(a[r][u], MR > 1 ? b[u][v] : load(w + u * pitch + 4 * v));
      sum[r * NV + v] = add(sum[r * NV + v], tree_sum(product, U));
    }
}

INLINE void dense_f32_tile(const float *x, unsigned x_pitch, const float *bias, const float *w, const unsigned pitch, float *y, unsigned y_pitch,
                           unsigned k, unsigned columns, const unsigned MR, const unsigned NV, enum activation kind, float p, float q) {
  f32x4 sum[64];
  UNROLL for (unsigned v = 0; v < NV; v++) {
    const f32x4 first = load(bias + 4 * v);
    UNROLL for (unsigned r = 0; r < MR; r++) sum[r * NV + v] = first;
  }
  const unsigned whole = k & ~7u;
  ROLLED for (const float *end = x + whole; x != end; x += 8, w += 8 * pitch) dense_f32_steps(sum, x, x_pitch, w, pitch, MR, NV, 8);
  if (k & 7u) dense_f32_steps(sum, x, x_pitch, w, pitch, MR, NV, k & 7u);
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned v = 0; v < NV; v++)
      store_n(y + r * y_pitch + 4 * v, activate(sum[r * NV + v], kind, p, q), columns - 4 * v);
}

INLINE void dense_f32_slice(const float *x, const float *bias, const float *w, const unsigned pitch, float *y, unsigned m, unsigned n, unsigned k,
                            unsigned columns, const unsigned NV, enum activation kind, float p, float q) {
  unsigned r = 0;
  ROLLED for (; r + 8 <= m; r += 8) dense_f32_tile(x + r * k, k, bias, w, pitch, y + r * n, n, k, columns, 8, NV, kind, p, q);
  if (m & 4u) dense_f32_tile(x + r * k, k, bias, w, pitch, y + r * n, n, k, columns, 4, NV, kind, p, q), r += 4;
  if (m & 2u) dense_f32_tile(x + r * k, k, bias, w, pitch, y + r * n, n, k, columns, 2, NV, kind, p, q), r += 2;
  if (m & 1u) dense_f32_tile(x + r * k, k, bias, w, pitch, y + r * n, n, k, columns, 1, NV, kind, p, q);
}

INLINE void dense_f32_panel(const float *x, const float *panel, float *y, unsigned m, unsigned n, unsigned k, unsigned columns,
                            const unsigned NV, enum activation kind, float p, float q) {
  dense_f32_slice(x, panel, panel + 4 * NV, 4 * NV, y, m, n, k, columns, NV, kind, p, q);
}

// `width`: 16; for a single row up to 64, which spreads the loads of x further; for many rows 64 when n is a multiple of it: then one row
// and many read the same panels, and tiles are slices of 16 columns. All counts are constants of the node.
INLINE void dense_f32(const float *x, const float *panels, float *y, unsigned m, unsigned n, unsigned k, const unsigned width,
                      enum activation kind, float p, float q) {
  const float *panel = panels;
  const unsigned slice = m == 1 || width < 16 ? width : 16;
  unsigned c = 0;
  ROLLED for (; c + width <= n; c += width, panel += (k + 1) * width)
    ROLLED for (unsigned s = 0; s < width; s += slice)
      dense_f32_slice(x, panel + s, panel + width + s, width, y + c + s, m, n, k, slice, slice / 4, kind, p, q);
  if (n % width) dense_f32_panel(x, panel, y + c, m, n, k, n % width, (n % width + 3) / 4, kind, p, q);
}

// Weights that are only known at run time, (k, n) with the given steps, into panels of 16 without bias.
INLINE void pack_panels_f32(const float *w, unsigned k_step, unsigned n_step, float *panels, unsigned k, unsigned n) {
  float *to = panels;
  ROLLED for (unsigned c = 0; c < n; c += 16) {
    const unsigned columns = n - c < 16 ? n - c : 16, padded = (columns + 3) & ~3u;
    fill_f32(to, 0.0f, padded);
    to += padded;
    ROLLED for (unsigned i = 0; i < k; i++, to += padded)
      ROLLED for (unsigned j = 0; j < padded; j++) to[j] = j < columns ? w[i * k_step + (c + j) * n_step] : 0.0f;
  }
}

#endif
