// Reductions that are not a sum, product or extreme of float32: logarithms of sums of exponentials, and all of them in other types.
//
// A tensor is seen as (outer, axis, inner); the order of additions is that of the axis.
#ifndef COMMONWEIGHT_REDUCE_H
#define COMMONWEIGHT_REDUCE_H

#include "pairs.h"

INLINE double exp_f64(double x) { return wasm_f64x2_extract_lane(exp_pair(pair(x)), 0); }
INLINE double log_f64(double x) { return wasm_f64x2_extract_lane(log_pair(pair(x)), 0); }

// y[outer][inner] from `start`, by `next` (of `found` and each `v`), and `last` (of `found`).
#define REDUCE(type, kept, x, y, outer, axis, inner, start, next, last)          \
  do {                                                                           \
    const type *x_ = (const type *)(x);                                          \
    type *y_ = (type *)(y);                                                      \
    ROLLED for (unsigned o = 0; o < (outer); o++, x_ += (axis) * (inner))        \
      ROLLED for (unsigned i = 0; i < (inner); i++) {                            \
        kept found = start;                                                      \
        ROLLED for (unsigned a = 0; a < (axis); a++) {                           \
          const type v = x_[a * (inner) + i];                                    \
          found = next;                                                          \
        }                                                                        \
        *y_++ = (type)(last);                                                    \
      }                                                                          \
  } while (0)

// The largest is taken off before the exponentials, unless it is infinite or no number.
INLINE void log_sum_exp_f32(const float *x, float *y, unsigned outer, unsigned axis, unsigned inner) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner, y += inner) {
    ROLLED for (unsigned i = 0; i < inner; i += 4) {
      f32x4 most = neutral(LARGEST), sum = splat(0.0f);
      if (inner == 1) most = splat(reduced_row(x, axis, LARGEST));
      else ROLLED for (unsigned a = 0; a < axis; a++) most = larger(most, load(x + a * inner + i));
      const f32x4 off = sub(most, most);
      const f32x4 shift = choose(wasm_f32x4_eq(off, off), most, splat(0.0f));
      if (inner == 1) {
        ROLLED for (unsigned a = 0; a < axis; a += 4) sum = add(sum, first_n(exp4(sub(load(x + a), shift)), splat(0.0f), axis - a));
        sum = splat(sum_of(sum));
      } else {
        ROLLED for (unsigned a = 0; a < axis; a++) sum = add(sum, exp4(sub(load(x + a * inner + i), shift)));
      }
      store_n(y + i, add(log4(sum), shift), inner - i);
    }
  }
}

INLINE void log_sum_exp_f64(const double *x, double *y, unsigned outer, unsigned axis, unsigned inner) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner)
    ROLLED for (unsigned i = 0; i < inner; i++) {
      double most = -__builtin_inf(), sum = 0.0;
      ROLLED for (unsigned a = 0; a < axis; a++) {
        const double v = x[a * inner + i];
        if (v > most || v != v) most = v;
        if (most != most) break;
      }
      const double shift = most - most == 0.0 ? most : 0.0;
      ROLLED for (unsigned a = 0; a < axis; a++) sum += exp_f64(x[a * inner + i] - shift);
      *y++ = log_f64(sum) + shift;
    }
}

INLINE void softmax_f64(const double *x, double *y, unsigned outer, unsigned axis, unsigned inner, const bool is_log) {
  ROLLED for (unsigned o = 0; o < outer; o++, x += axis * inner, y += axis * inner)
    ROLLED for (unsigned i = 0; i < inner; i++) {
      double most = x[i], sum = 0.0;
      ROLLED for (unsigned a = 1; a < axis; a++) most = x[a * inner + i] > most || x[a * inner + i] != x[a * inner + i] ? x[a * inner + i] : most;
      ROLLED for (unsigned a = 0; a < axis; a++) sum += exp_f64(x[a * inner + i] - most);
      ROLLED for (unsigned a = 0; a < axis; a++) {
        const double centred = x[a * inner + i] - most;
        y[a * inner + i] = is_log ? centred - log_f64(sum) : exp_f64(centred) / sum;
      }
    }
}

// The place of the largest (or, with `better` turned round, the smallest) element `v` against `best`, and what is done with it, `use`.
#define ARG(type, x, outer, axis, inner, better, use)                            \
  do {                                                                           \
    const type *x_ = (const type *)(x);                                          \
    ROLLED for (unsigned o = 0; o < (outer); o++, x_ += (axis) * (inner))        \
      ROLLED for (unsigned i = 0; i < (inner); i++) {                            \
        type best = x_[i];                                                       \
        unsigned at = 0;                                                         \
        ROLLED for (unsigned a = 1; a < (axis); a++) {                           \
          const type v = x_[a * (inner) + i];                                    \
          if (better) best = v, at = a;                                          \
        }                                                                        \
        use;                                                                     \
      }                                                                          \
  } while (0)

#endif
