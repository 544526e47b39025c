// Rows against many vectors at once, four vectors side by side: linear models and support vector machines.
//
// `packed` holds groups of four vectors, feature by feature: (groups, features, 4), the last group filled up with zeros.
#ifndef COMMONWEIGHT_VECTORS_H
#define COMMONWEIGHT_VECTORS_H

#include "scores.h"

enum svm_kernel { SVM_LINEAR, SVM_POLY, SVM_RBF, SVM_SIGMOID };

INLINE f32x4 vector_dots4(const float *x, const float *packed, unsigned features) {
  f32x4 sum = splat(0.0f);
  ROLLED for (unsigned f = 0; f < features; f++) sum = add(sum, mul(load_splat(x + f), load(packed + 4 * f)));
  return sum;
}

INLINE f32x4 vector_distances4(const float *x, const float *packed, unsigned features) {
  f32x4 sum = splat(0.0f);
  ROLLED for (unsigned f = 0; f < features; f++) {
    const f32x4 d = sub(load_splat(x + f), load(packed + 4 * f));
    sum = add(sum, mul(d, d));
  }
  return sum;
}

// y (n) = packed . x + bias
INLINE void linear_scores(const float *x, const float *packed, const float *bias, float *y, unsigned features, unsigned n) {
  ROLLED for (unsigned i = 0; i < n; i += 4)
    store_n(y + i, add(vector_dots4(x, packed + i * features, features), load(bias + i)), n - i);
}

INLINE f32x4 svm_kernel4(const float *x, const float *packed, unsigned features, const enum svm_kernel kind, float gamma, float coef0, unsigned degree) {
  if (kind == SVM_RBF) return exp4(mul(splat(-gamma), vector_distances4(x, packed, features)));
  const f32x4 dot = vector_dots4(x, packed, features);
  if (kind == SVM_LINEAR) return dot;
  const f32x4 line = add(mul(splat(gamma), dot), splat(coef0));
  if (kind == SVM_SIGMOID) return tanh4(line);
  f32x4 power = splat(1.0f);
  ROLLED for (unsigned i = 0; i < degree; i++) power = mul(power, line);
  return power;
}

// One value a support vector.
INLINE void svm_kernels(const float *x, const float *packed, float *values, unsigned features, unsigned vectors, const enum svm_kernel kind,
                        float gamma, float coef0, unsigned degree) {
  ROLLED for (unsigned i = 0; i < vectors; i += 4)
    store_n(values + i, svm_kernel4(x, packed + i * features, features, kind, gamma, coef0, degree), vectors - i);
}

INLINE double svm_sum(const float *coefficients, const float *values, unsigned n) {
  double sum = 0.0;
  ROLLED for (unsigned i = 0; i < n; i++) sum += (double)(coefficients[i] * values[i]);
  return sum;
}

// Each pair of classes votes. coefficients: (classes - 1, vectors); counts: vectors of each class. Returns the class with most votes.
INLINE unsigned svm_votes(const float *values, const float *coefficients, const uint32_t *counts, const float *rho, float *scores, uint32_t *votes,
                          unsigned classes, unsigned vectors) {
  ROLLED for (unsigned i = 0; i < classes; i++) votes[i] = 0;
  unsigned pair = 0, start_i = 0;
  ROLLED for (unsigned i = 0; i + 1 < classes; start_i += counts[i], i++) {
    unsigned start_j = start_i + counts[i];
    ROLLED for (unsigned j = i + 1; j < classes; start_j += counts[j], j++, pair++) {
      const double sum = svm_sum(coefficients + (j - 1) * vectors + start_i, values + start_i, counts[i]) +
                         svm_sum(coefficients + i * vectors + start_j, values + start_j, counts[j]) + (double)rho[pair];
      scores[pair] = (float)sum;
      votes[sum > 0.0 ? i : j]++;
    }
  }
  unsigned best = 0;
  ROLLED for (unsigned i = 1; i < classes; i++) best = votes[i] > votes[best] ? i : best;
  return best;
}

// Probabilities from pairwise ones, by the second method of Wu, Lin and Weng (2004), with LIBSVM's tolerance and number of rounds.
// pairs, q: (classes, classes) scratch; qp: (classes).
INLINE void svm_probabilities(const float *scores, const float *a, const float *b, float *pairs, float *q, float *qp, float *p, unsigned classes) {
  unsigned pair = 0;
  ROLLED for (unsigned i = 0; i < classes; i++) {
    ROLLED for (unsigned j = i + 1; j < classes; j++, pair++) {
      float share = scalar_of(sigmoid4(splat(-(scores[pair] * a[pair] + b[pair]))));
      share = share < 1e-7f ? 1e-7f : share > 1.0f - 1e-7f ? 1.0f - 1e-7f : share;
      pairs[i * classes + j] = share;
      pairs[j * classes + i] = 1.0f - share;
    }
  }
  ROLLED for (unsigned i = 0; i < classes; i++) {
    p[i] = 1.0f / (float)(int)classes;
    q[i * classes + i] = 0.0f;
    ROLLED for (unsigned j = 0; j < classes; j++) {
      if (j == i) continue;
      q[i * classes + i] += pairs[j * classes + i] * pairs[j * classes + i];
      q[i * classes + j] = -pairs[j * classes + i] * pairs[i * classes + j];
    }
  }
  const float enough = 0.005f / (float)(int)classes;
  ROLLED for (unsigned round = 0; round < 100; round++) {
    float pqp = 0.0f, worst = 0.0f;
    ROLLED for (unsigned i = 0; i < classes; i++) {
      qp[i] = 0.0f;
      ROLLED for (unsigned j = 0; j < classes; j++) qp[i] += q[i * classes + j] * p[j];
      pqp += p[i] * qp[i];
    }
    ROLLED for (unsigned i = 0; i < classes; i++) {
      const float error = qp[i] < pqp ? pqp - qp[i] : qp[i] - pqp;
      worst = error > worst ? error : worst;
    }
    if (worst < enough) break;
    ROLLED for (unsigned i = 0; i < classes; i++) {
      const float own = q[i * classes + i], step = (pqp - qp[i]) / own;
      p[i] += step;
      pqp = (pqp + step * (step * own + 2.0f * qp[i])) / (1.0f + step) / (1.0f + step);
      ROLLED for (unsigned j = 0; j < classes; j++) {
        qp[j] = (qp[j] + step * q[i * classes + j]) / (1.0f + step);
        p[j] /= 1.0f + step;
      }
    }
  }
}

#endif
