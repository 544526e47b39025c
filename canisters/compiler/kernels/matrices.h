// Whole matrices and rows: determinants, rows made of length 1.
#ifndef COMMONWEIGHT_MATRICES_H
#define COMMONWEIGHT_MATRICES_H

#include "rows.h"

// Of n rows of n, which are made triangular in place.
SHARED double determinant(double *rows, unsigned n) {
  double found = 1.0;
  ROLLED for (unsigned k = 0; k < n; k++) {
    unsigned pivot = k;
    ROLLED for (unsigned r = k + 1; r < n; r++)
      if (__builtin_fabs(rows[r * n + k]) > __builtin_fabs(rows[pivot * n + k])) pivot = r;
    if (pivot != k) {
      found = -found;
      ROLLED for (unsigned c = k; c < n; c++) {
        const double v = rows[k * n + c];
        rows[k * n + c] = rows[pivot * n + c];
        rows[pivot * n + c] = v;
      }
    }
    const double top = rows[k * n + k];
    found *= top;
    if (top == 0.0) return found;
    ROLLED for (unsigned r = k + 1; r < n; r++) {
      const double share = rows[r * n + k] / top;
      ROLLED for (unsigned c = k + 1; c < n; c++) rows[r * n + c] -= share * rows[k * n + c];
    }
  }
  return found;
}

// Each column of (outer, axis, inner) over the sum of its sizes, or over the root of the sum of its squares.
INLINE void lp_normalize_f32(const float *x, float *y, unsigned outer, unsigned axis, unsigned inner, const bool is_one) {
  const enum before how = is_one ? ABSOLUTE : SQUARED;
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner, y += axis * inner) {
    ROLLED for (unsigned i = 0; i < inner; i += 4) {
      f32x4 size = splat(0.0f);
      if (inner == 1) size = splat(reduced_row_as(x, axis, SUM, how));
      else ROLLED for (unsigned a = 0; a < axis; a++) size = add(size, prepared(load(x + a * inner + i), how));
      if (!is_one) size = wasm_f32x4_sqrt(size);
      const v128_t is_zero = wasm_f32x4_eq(size, splat(0.0f));
      if (inner == 1) {
        const float *const from = x;
        ROLLED for (unsigned a = 0; a < axis; a += 4) store_n(y + a, choose(is_zero, splat(0.0f), divide(load(from + a), size)), axis - a);
      } else {
        ROLLED for (unsigned a = 0; a < axis; a++)
          store_n(y + a * inner + i, choose(is_zero, splat(0.0f), divide(load(x + a * inner + i), size)), inner - i);
      }
    }
  }
}

INLINE void lp_normalize_f64(const double *x, double *y, unsigned outer, unsigned axis, unsigned inner, const bool is_one) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner, y += axis * inner)
    ROLLED for (unsigned i = 0; i < inner; i++) {
      double size = 0.0;
      ROLLED for (unsigned a = 0; a < axis; a++) {
        const double v = x[a * inner + i];
        size += is_one ? __builtin_fabs(v) : v * v;
      }
      if (!is_one) size = __builtin_sqrt(size);
      ROLLED for (unsigned a = 0; a < axis; a++) y[a * inner + i] = size == 0.0 ? 0.0 : x[a * inner + i] / size;
    }
}

#endif
