// Elementwise loops, and what looks at a whole row or column: sums, maxima, softmax, layer normalisation, argmax.
//
// A tensor is seen as (outer, axis, inner): inner is 1 for rows, whose elements are neighbours. The order of additions is fixed.
#ifndef COMMONWEIGHT_ROWS_H
#define COMMONWEIGHT_ROWS_H

#include "functions.h"

// to[i] = value(i) for four lanes from i on; `value` is an expression of i. Four vectors a turn while they last.
#define EACH_F32(to, n, value)                            \
  do {                                                    \
    unsigned i = 0;                                       \
    ROLLED for (; i + 16 <= (n);) {                       \
      store((to) + i, value), i += 4;                     \
      store((to) + i, value), i += 4;                     \
      store((to) + i, value), i += 4;                     \
      store((to) + i, value), i += 4;                     \
    }                                                     \
    ROLLED for (; i + 4 <= (n); i += 4) store((to) + i, value); \
    if ((n) % 4) store_n((to) + i, value, (n) % 4);       \
  } while (0)

// The same without repeating a long expression.
#define EACH_F32_LONG(to, n, value)                       \
  do {                                                    \
    ROLLED for (unsigned i = 0; i < (n); i += 4) store_n((to) + i, value, (n) - i); \
  } while (0)

// Elements of any other type, one by one.
#define EACH(to, n, value)                                \
  do {                                                    \
    ROLLED for (unsigned i = 0; i < (n); i++) (to)[i] = value; \
  } while (0)

enum reduction { SUM, LARGEST, SMALLEST, PRODUCT };
// What is done to each element before it is joined, and to what they are joined to.
enum before { AS_IS, ABSOLUTE, SQUARED };
enum after { TIMES, ROOT, LOGARITHM };

INLINE f32x4 joined(f32x4 a, f32x4 b, enum reduction kind) {
  return kind == SUM ? add(a, b) : kind == PRODUCT ? mul(a, b) : kind == LARGEST ? larger(a, b) : smaller(a, b);
}

INLINE f32x4 neutral(enum reduction kind) {
  return splat(kind == SUM ? 0.0f : kind == PRODUCT ? 1.0f : kind == LARGEST ? -__builtin_inff() : __builtin_inff());
}

INLINE f32x4 prepared(f32x4 v, enum before how) { return how == ABSOLUTE ? wasm_f32x4_abs(v) : how == SQUARED ? mul(v, v) : v; }

INLINE f32x4 settled(f32x4 v, enum after how, float factor) {
  return how == ROOT ? wasm_f32x4_sqrt(v) : how == LOGARITHM ? log4(v) : mul(v, splat(factor));
}

// One row; four sums run side by side, then the lanes are joined.
INLINE float reduced_row_as(const float *x, unsigned n, enum reduction kind, enum before how) {
  f32x4 a = neutral(kind), b = a, c = a, d = a;
  unsigned i = 0;
  ROLLED for (; i + 16 <= n; i += 16) {
    a = joined(a, prepared(load(x + i), how), kind);
    b = joined(b, prepared(load(x + i + 4), how), kind);
    c = joined(c, prepared(load(x + i + 8), how), kind);
    d = joined(d, prepared(load(x + i + 12), how), kind);
  }
  ROLLED for (; i + 4 <= n; i += 4) a = joined(a, prepared(load(x + i), how), kind);
  if (n % 4) b = joined(b, first_n(prepared(load(x + i), how), neutral(kind), n % 4), kind);
  a = joined(joined(a, b, kind), joined(c, d, kind), kind);
  a = joined(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1), kind);
  return wasm_f32x4_extract_lane(joined(a, wasm_i32x4_shuffle(a, a, 1, 0, 3, 2), kind), 0);
}

INLINE float reduced_row(const float *x, unsigned n, enum reduction kind) { return reduced_row_as(x, n, kind, AS_IS); }

// (outer, axis, inner) -> (outer, inner), times `factor` or as `last` says.
INLINE void reduce_as_f32(const float *x, float *y, unsigned outer, unsigned axis, unsigned inner, enum reduction kind, enum before first,
                          enum after last, float factor) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner, y += inner) {
    if (inner == 1) {
      const float found = reduced_row_as(x, axis, kind, first);
      y[0] = last == TIMES ? found * factor : wasm_f32x4_extract_lane(settled(splat(found), last, factor), 0);
      continue;
    }
    ROLLED for (unsigned i = 0; i < inner; i += 4) {
      f32x4 found = neutral(kind);
      ROLLED for (unsigned a = 0; a < axis; a++) found = joined(found, prepared(load(x + a * inner + i), first), kind);
      store_n(y + i, settled(found, last, factor), inner - i);
    }
  }
}

INLINE void reduce_f32(const float *x, float *y, unsigned outer, unsigned axis, unsigned inner, enum reduction kind, float factor) {
  reduce_as_f32(x, y, outer, axis, inner, kind, AS_IS, TIMES, factor);
}

INLINE void softmax_row(const float *x, float *y, unsigned n, const bool is_log) {
  const f32x4 most = splat(reduced_row(x, n, LARGEST));
  f32x4 sum = splat(0.0f);
  ROLLED for (unsigned i = 0; i < n; i += 4) {
    const f32x4 e = exp4(sub(load(x + i), most));
    sum = add(sum, first_n(e, splat(0.0f), n - i));
    if (!is_log) store_n(y + i, e, n - i);
  }
  const f32x4 total = splat(sum_of(sum));
  if (is_log) {
    const f32x4 shift = log4(total);
    EACH_F32(y, n, sub(sub(load(x + i), most), shift));
  } else {
    const f32x4 share = divide(splat(1.0f), total);
    EACH_F32(y, n, mul(load(y + i), share));
  }
}

// Four columns of (axis, inner), of which n are kept.
INLINE void softmax_columns(const float *x, float *y, unsigned axis, unsigned inner, unsigned n, const bool is_log) {
  f32x4 most = neutral(LARGEST), sum = splat(0.0f);
  ROLLED for (unsigned a = 0; a < axis; a++) most = larger(most, load(x + a * inner));
  ROLLED for (unsigned a = 0; a < axis; a++) sum = add(sum, exp4(sub(load(x + a * inner), most)));
  const f32x4 shift = log4(sum), share = divide(splat(1.0f), sum);
  ROLLED for (unsigned a = 0; a < axis; a++) {
    const f32x4 centred = sub(load(x + a * inner), most);
    store_n(y + a * inner, is_log ? sub(centred, shift) : mul(exp4(centred), share), n);
  }
}

INLINE void softmax_f32(const float *x, float *y, unsigned outer, unsigned axis, unsigned inner, const bool is_log) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner, y += axis * inner) {
    if (inner == 1) {
      softmax_row(x, y, axis, is_log);
      continue;
    }
    ROLLED for (unsigned i = 0; i < inner; i += 4) softmax_columns(x + i, y + i, axis, inner, inner - i, is_log);
  }
}

// y = (x - mean) / sqrt(variance + epsilon) * scale + shift over each of `rows` rows of n; `shift` may be 0.
INLINE void layer_norm_f32(const float *x, const float *scale, const float *shift, float *y, unsigned rows, unsigned n, float epsilon) {
  ROLLED for (unsigned r = 0; r < rows; r++, x += n, y += n) {
    const f32x4 mean = splat(reduced_row(x, n, SUM) * (1.0f / (float)n));
    f32x4 squares = splat(0.0f);
    ROLLED for (unsigned i = 0; i < n; i += 4) {
      const f32x4 d = first_n(sub(load(x + i), mean), splat(0.0f), n - i);
      squares = add(squares, mul(d, d));
    }
    const float variance = sum_of(squares) * (1.0f / (float)n);
    const f32x4 inverse = splat(1.0f / __builtin_sqrtf(variance + epsilon));
    if (shift) {
      EACH_F32(y, n, add(mul(mul(sub(load(x + i), mean), inverse), load(scale + i)), load(shift + i)));
    } else {
      EACH_F32(y, n, mul(mul(sub(load(x + i), mean), inverse), load(scale + i)));
    }
  }
}

// Index of the largest (or smallest) of each column; the first of equals, or the last one. A NaN is taken as soon as it is met.
INLINE void arg_f32(const float *x, int64_t *y, unsigned outer, unsigned axis, unsigned inner, const bool smallest, const bool last) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner, y += inner)
    ROLLED for (unsigned i = 0; i < inner; i++) {
      float best = x[i];
      unsigned at = 0;
      ROLLED for (unsigned a = 1; a < axis && best == best; a++) {
        const float v = x[a * inner + i];
        const bool better = smallest ? v < best : v > best;
        if (better || v != v || (last && v == best)) best = v, at = a;
      }
      y[i] = at;
    }
}

#endif
