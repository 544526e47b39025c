// What classifiers of ai.onnx.ml share: the class with the largest score, and the post transforms of a row of scores.
//
// Transforms follow ONNX Runtime: SOFTMAX_ZERO leaves scores of zero out of the sum, PROBIT uses Winitzki's approximation of erf's inverse.
#ifndef COMMONWEIGHT_SCORES_H
#define COMMONWEIGHT_SCORES_H

#include "rows.h"

enum post { POST_NONE, POST_LOGISTIC, POST_SOFTMAX, POST_SOFTMAX_ZERO, POST_PROBIT };

// The first of the largest.
INLINE unsigned place_of_largest(const float *scores, unsigned n) {
  unsigned best = 0;
  ROLLED for (unsigned i = 1; i < n; i++) best = scores[i] > scores[best] ? i : best;
  return best;
}

INLINE float scalar_of(f32x4 v) { return wasm_f32x4_extract_lane(v, 0); }

INLINE f32x4 probit4(f32x4 p) {
  const f32x4 x = sub(mul(splat(2.0f), p), splat(1.0f));
  const f32x4 logarithm = log4(mul(sub(splat(1.0f), x), add(splat(1.0f), x)));
  const f32x4 v = add(splat(2.0f / (3.14159265358979f * 0.147f)), mul(splat(0.5f), logarithm));
  const f32x4 inner = wasm_f32x4_sqrt(sub(mul(v, v), mul(splat(1.0f / 0.147f), logarithm)));
  const f32x4 size = mul(wasm_f32x4_sqrt(sub(inner, v)), splat(1.41421356237f));
  return choose(wasm_f32x4_lt(x, splat(0.0f)), wasm_f32x4_neg(size), size);
}

INLINE void softmax_zero_row(float *scores, unsigned n) {
  const float most = reduced_row(scores, n, LARGEST);
  const float of_zero = scalar_of(exp4(splat(-most)));
  float sum = 0.0f;
  ROLLED for (unsigned i = 0; i < n; i++) {
    const bool is_zero = scores[i] <= 0.0000001f && scores[i] >= -0.0000001f;
    const float found = is_zero ? scores[i] * of_zero : scalar_of(exp4(splat(scores[i] - most)));
    if (!is_zero) sum += found;
    scores[i] = found;
  }
  ROLLED for (unsigned i = 0; i < n; i++) scores[i] /= sum;
}

INLINE void post_transform(float *scores, unsigned n, const enum post kind) {
  if (kind == POST_LOGISTIC) EACH_F32_LONG(scores, n, sigmoid4(load(scores + i)));
  if (kind == POST_PROBIT) EACH_F32_LONG(scores, n, probit4(load(scores + i)));
  if (kind == POST_SOFTMAX) softmax_row(scores, scores, n, false);
  if (kind == POST_SOFTMAX_ZERO) softmax_zero_row(scores, n);
}

#endif
