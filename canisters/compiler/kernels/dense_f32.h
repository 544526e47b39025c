// Rows times packed weights, in float32: y (m, n) = activation(x (m, k) * w (k, n) + bias (n)).
//
// Weights lie in panels of `width` columns (the last one is cut to a multiple of 4): the panel's biases, then k rows of `width` floats.
// A tile of MR rows by NV vectors lives in locals. The k loop takes U steps at once: it loads all operands, then adds each accumulator's
// U products as one expression, which stays on wasm's stack; taking it step by step costs a local.get and a local.set more each time.
#ifndef COMMONWEIGHT_DENSE_F32_H
#define COMMONWEIGHT_DENSE_F32_H

#include "functions.h"

INLINE void dense_f32_steps(f32x4 *sum, const float *x, unsigned x_pitch, const float *w, const unsigned MR, const unsigned NV, const unsigned U) {
  f32x4 a[8][8], b[8][8];
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned u = 0; u < U; u++) a[r][u] = load_splat(x + r * x_pitch + u);
  if (MR > 1) {
    UNROLL for (unsigned u = 0; u < U; u++)
      UNROLL for (unsigned v = 0; v < NV; v++) b[u][v] = load(w + (u * NV + v) * 4);
  }
  UNROLL for (unsigned v = 0; v < NV; v++)
    UNROLL for (unsigned r = 0; r < MR; r++)
      UNROLL for (unsigned u = 0; u < U; u++)
        sum[r * NV + v] = add(sum[r * NV + v], mul(a[r][u], MR > 1 ? b[u][v] : load(w + (u * NV + v) * 4)));
}

INLINE void dense_f32_tile(const float *x, unsigned x_pitch, const float *panel, float *y, unsigned y_pitch, unsigned k, unsigned columns,
                           const unsigned MR, const unsigned NV, enum activation kind, float p, float q) {
  f32x4 sum[64];
  UNROLL for (unsigned v = 0; v < NV; v++) {
    const f32x4 bias = load(panel + 4 * v);
    UNROLL for (unsigned r = 0; r < MR; r++) sum[r * NV + v] = bias;
  }
  const float *w = panel + 4 * NV;
  const unsigned whole = k & ~7u;
  ROLLED for (const float *end = x + whole; x != end; x += 8, w += 32 * NV) dense_f32_steps(sum, x, x_pitch, w, MR, NV, 8);
  if (k & 7u) dense_f32_steps(sum, x, x_pitch, w, MR, NV, k & 7u);
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned v = 0; v < NV; v++)
      store_n(y + r * y_pitch + 4 * v, activate(sum[r * NV + v], kind, p, q), columns - 4 * v);
}

INLINE void dense_f32_panel(const float *x, const float *panel, float *y, unsigned m, unsigned n, unsigned k, unsigned columns,
                            const unsigned NV, enum activation kind, float p, float q) {
  unsigned r = 0;
  ROLLED for (; r + 8 <= m; r += 8) dense_f32_tile(x + r * k, k, panel, y + r * n, n, k, columns, 8, NV, kind, p, q);
  if (m & 4u) dense_f32_tile(x + r * k, k, panel, y + r * n, n, k, columns, 4, NV, kind, p, q), r += 4;
  if (m & 2u) dense_f32_tile(x + r * k, k, panel, y + r * n, n, k, columns, 2, NV, kind, p, q), r += 2;
  if (m & 1u) dense_f32_tile(x + r * k, k, panel, y + r * n, n, k, columns, 1, NV, kind, p, q);
}

// `width`: 16, or 32 for a single row, where wide panels spread the loads of x further. All counts are constants of the node.
INLINE void dense_f32(const float *x, const float *panels, float *y, unsigned m, unsigned n, unsigned k, const unsigned width,
                      enum activation kind, float p, float q) {
  const float *panel = panels;
  unsigned c = 0;
  ROLLED for (; c + width <= n; c += width, panel += (k + 1) * width) dense_f32_panel(x, panel, y + c, m, n, k, width, width / 4, kind, p, q);
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
