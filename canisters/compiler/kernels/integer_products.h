// Products of integers of 8 bits, exact in int32: rows of int16 times panels of pairs, as dense_int8.h has them, with no steps and no bias.
//
// Either side has its zero point taken off before, so a factor fits in nine bits and a pair of products in i32x4.dot_i16x8_s. Sums wrap as
// int32 does. A panel has 16 columns (the last one cut to a multiple of 4): for each pair of k the two factors of each column, as int16, or
// as int8 where all fit.
#ifndef COMMONWEIGHT_INTEGER_PRODUCTS_H
#define COMMONWEIGHT_INTEGER_PRODUCTS_H

#include "dense_row.h"

INLINE void integer_steps(v128_t *sum, const int16_t *x, unsigned pitch, const uint8_t *w, const unsigned MR, const unsigned NV, const unsigned U,
                          const bool narrow) {
  v128_t a[8][8];
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned u = 0; u < U; u++) a[r][u] = wasm_v128_load32_splat(x + r * pitch + 2 * u);
  UNROLL for (unsigned v = 0; v < NV; v++) {
    v128_t b[8];
    UNROLL for (unsigned u = 0; u < U; u++) {
      const unsigned at = u * NV + v;
      b[u] = narrow ? wasm_i16x8_load8x8(w + at * 8) : wasm_v128_load(w + at * 16);
    }
    UNROLL for (unsigned r = 0; r < MR; r++)
      UNROLL for (unsigned u = 0; u < U; u++) sum[r * NV + v] = wasm_i32x4_add(sum[r * NV + v], wasm_i32x4_dot_i16x8(a[r][u], b[u]));
  }
}

INLINE void integer_tile(const int16_t *x, unsigned pitch, const uint8_t *w, int32_t *y, unsigned n, unsigned pairs, unsigned columns,
                         const unsigned MR, const unsigned NV, const bool narrow) {
  v128_t sum[32];
  UNROLL for (unsigned i = 0; i < MR * NV; i++) sum[i] = wasm_i32x4_const_splat(0);
  const unsigned bytes = narrow ? 8 : 16;
  const int16_t *whole = x + 2 * (pairs & ~7u), *end = x + 2 * pairs;
  ROLLED for (; x != whole; x += 16, w += 8 * bytes * NV) integer_steps(sum, x, pitch, w, MR, NV, 8, narrow);
  ROLLED for (; x != end; x += 2, w += bytes * NV) integer_steps(sum, x, pitch, w, MR, NV, 1, narrow);
  UNROLL for (unsigned r = 0; r < MR; r++)
    UNROLL for (unsigned v = 0; v < NV; v++) store_n((float *)(y + r * n + 4 * v), sum[r * NV + v], columns - 4 * v);
}

// One panel: y (m, n) at the panel's first column. x: m rows of `pitch` int16, zero behind k when k is odd.
INLINE void integer_panel(const int16_t *x, unsigned pitch, const void *panel, int32_t *y, unsigned m, unsigned n, unsigned pairs, unsigned columns,
                          const unsigned NV, const bool narrow) {
  const uint8_t *w = panel;
  unsigned r = 0;
  ROLLED for (; r + 8 <= m; r += 8) integer_tile(x + r * pitch, pitch, w, y + r * n, n, pairs, columns, 8, NV, narrow);
  ROLLED for (; r + 4 <= m; r += 4) integer_tile(x + r * pitch, pitch, w, y + r * n, n, pairs, columns, 4, NV, narrow);
  ROLLED for (; r < m; r++) integer_tile(x + r * pitch, pitch, w, y + r * n, n, pairs, columns, 1, NV, narrow);
}

// y (m, n) = x (m, k) * panels.
INLINE void integer_products(const int16_t *x, unsigned pitch, const void *panels, int32_t *y, unsigned m, unsigned n, unsigned k, const bool narrow) {
  const unsigned pairs = (k + 1) / 2, bytes = narrow ? 2 : 4;
  const uint8_t *panel = panels;
  unsigned c = 0;
  ROLLED for (; c + 16 <= n; c += 16, panel += pairs * 16 * bytes) integer_panel(x, pitch, panel, y + c, m, n, pairs, 16, 4, narrow);
  if (n % 16) integer_panel(x, pitch, panel, y + c, m, n, pairs, n % 16, (n % 16 + 3) / 4, narrow);
}

// n bytes less `zero` to int16; n may be 0.
INLINE void widen_bytes(const uint8_t *x, const bool is_signed, int zero, int16_t *to, unsigned n) {
  const v128_t less = wasm_i16x8_splat((int16_t)zero);
  unsigned i = 0;
  ROLLED for (; i + 8 <= n; i += 8)
    wasm_v128_store(to + i, wasm_i16x8_sub(is_signed ? wasm_i16x8_load8x8(x + i) : wasm_u16x8_load8x8(x + i), less));
  ROLLED for (; i < n; i++) to[i] = (int16_t)((is_signed ? ((const int8_t *)x)[i] : x[i]) - zero);
}

// m rows of k bytes to rows of `pitch` int16, zero behind k. `zeros`: one zero point a row, or one for all when `each` is false; 0 for none.
INLINE void widen_rows(const uint8_t *x, const bool is_signed, const uint8_t *zeros, const bool each, int16_t *to, unsigned m, unsigned k,
                       unsigned pitch) {
  ROLLED for (unsigned r = 0; r < m; r++, x += k, to += pitch) {
    const uint8_t *at = zeros + (each ? r : 0);
    widen_bytes(x, is_signed, zeros ? is_signed ? *(const int8_t *)at : *at : 0, to, k);
    ROLLED for (unsigned i = k; i < pitch; i++) to[i] = 0;
  }
}

// w (k, n) of bytes, each column's zero point taken off, to panels of int16.
INLINE void pack_bytes(const uint8_t *w, const bool is_signed, const uint8_t *zeros, const bool each, int16_t *panels, unsigned k, unsigned n) {
  int16_t *to = panels;
  ROLLED for (unsigned c = 0; c < n; c += 16) {
    const unsigned columns = n - c < 16 ? n - c : 16, padded = (columns + 3) & ~3u;
    ROLLED for (unsigned i = 0; i < (k + 1) / 2 * 2; i++)
      ROLLED for (unsigned j = 0; j < padded; j++) {
        const uint8_t *zero = zeros + (each ? c + j : 0), *at = w + i * n + c + j;
        const bool inside = j < columns && i < k;
        const int value = inside ? is_signed ? *(const int8_t *)at : *at : 0;
        to[i / 2 * 2 * padded + 2 * j + i % 2] = (int16_t)(inside && zeros ? value - (is_signed ? *(const int8_t *)zero : *zero) : value);
      }
    to += (k + 1) / 2 * 2 * padded;
  }
}

#endif
