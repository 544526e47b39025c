// Decision trees, walked by one loop over compact records, and the sums of what their leaves say.
//
// A record is a threshold and a word: how many records further the child lies to which a failed comparison leads (the other child is the
// next record), the feature, and, only where a model needs them, two bits for the kind of comparison and one for where NaN goes. Distance 0
// is a leaf: the threshold's place holds its weight, or where in `lists` its (target, weight) pairs are. Comparisons are exact in the
// model's own type; all of <, <=, >, >= are one <= by swapped children and the next smaller threshold. Sums are kept in float64.
#ifndef COMMONWEIGHT_TREES_H
#define COMMONWEIGHT_TREES_H

#include "scores.h"

enum aggregate { AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX };
enum comparison { TREE_AT_MOST, TREE_EQUAL, TREE_MEMBER };

typedef double unaligned_double __attribute__((aligned(4), may_alias));
typedef float unaligned_float __attribute__((aligned(4), may_alias));

// A target that no leaf has named yet is NaN, which no weight is.
INLINE double leaf_sum(double have, double weight, const enum aggregate kind) {
  if (have != have) return weight;
  if (kind == AGGREGATE_MIN) return weight < have ? weight : have;
  if (kind == AGGREGATE_MAX) return weight > have ? weight : have;
  return have + weight;
}

#define FOREST(name, type, stored, words)                                                                                       \
  INLINE bool name##_goes_on(type x, const uint32_t *record, const uint32_t *members, uint32_t flags) {                         \
    if (x != x && (flags & 1)) return true;                                                                                     \
    if (flags >> 1 == TREE_AT_MOST) return x <= *(const stored *)record;                                                             \
    if (flags >> 1 == TREE_EQUAL) return x == *(const stored *)record;                                                               \
    const uint32_t *set = members + record[0];                                                                                  \
    bool is_in = false;                                                                                                         \
    ROLLED for (uint32_t i = 0; i < set[0]; i++) is_in |= x == *(const stored *)(set + 1 + i * ((words) - 1));                  \
    return is_in;                                                                                                               \
  }                                                                                                                             \
                                                                                                                                \
  /* Adds one row's leaves to sums; roots: where each tree begins, in words, and the target of its weights when not is_listed. */ \
  INLINE void name(const type *x, const uint32_t *records, const uint32_t *roots, unsigned trees, const uint32_t *lists,        \
                   const uint32_t *members, double *sums, unsigned feature_bits, const bool has_kinds, const bool is_listed,    \
                   const enum aggregate kind) {                                                                                 \
    const unsigned flag_bits = has_kinds ? 3 : 0;                                                                               \
    const uint32_t mask = (1u << feature_bits) - 1;                                                                             \
    ROLLED for (unsigned tree = 0; tree < trees; tree++) {                                                                      \
      const uint32_t *record = records + roots[2 * tree];                                                                       \
      uint32_t word = record[(words) - 1];                                                                                      \
      ROLLED while (word >> (feature_bits + flag_bits)) {                                                                       \
        const type value = x[(word >> flag_bits) & mask];                                                                       \
        const bool next = has_kinds ? name##_goes_on(value, record, members, word & 7) : value <= *(const stored *)record;      \
        record += next ? (words) : (words) * (word >> (feature_bits + flag_bits));                                              \
        word = record[(words) - 1];                                                                                             \
      }                                                                                                                         \
      if (is_listed) {                                                                                                          \
        const uint32_t *pair = lists + record[0];                                                                               \
        const uint32_t count = *pair++;                                                                                         \
        ROLLED for (uint32_t i = 0; i < count; i++, pair += (words))                                                            \
          sums[pair[0]] = leaf_sum(sums[pair[0]], (double)*(const stored *)(pair + 1), kind);                                 \
      } else {                                                                                                                  \
        double *sum = sums + roots[2 * tree + 1];                                                                               \
        *sum = leaf_sum(*sum, (double)*(const stored *)record, kind);                                                         \
      }                                                                                                                         \
    }                                                                                                                           \
  }

FOREST(forest_f32, float, unaligned_float, 2)
FOREST(forest_f64, double, unaligned_double, 3)

INLINE void forest_start(double *sums, unsigned n) {
  ROLLED for (unsigned i = 0; i < n; i++) sums[i] = __builtin_nan("");
}

// A target that no leaf has named counts as 0. `base` may be null.
INLINE double forest_score(double sum, const double *base, unsigned i, double share) {
  return (sum == sum ? sum * share : 0.0) + (base ? base[i] : 0.0);
}

// Scores of a row, and the place of the largest among those that some leaf or base value has named.
INLINE unsigned class_scores(const double *sums, const double *base, float *scores, unsigned n) {
  unsigned best = n;
  ROLLED for (unsigned i = 0; i < n; i++) {
    scores[i] = (float)forest_score(sums[i], base, i, 1.0);
    if ((base || sums[i] == sums[i]) && (best == n || scores[i] > scores[best])) best = i;
  }
  return best == n ? 0 : best;
}

// Two classes, one score: a share when all weights are positive, otherwise a sign.
INLINE unsigned binary_scores(double sum, double base, float *scores, const bool is_share, const bool is_logistic) {
  const float score = (float)forest_score(sum, &base, 0, 1.0);
  if (is_logistic) {
    scores[0] = scalar_of(sigmoid4(splat(-score)));
    scores[1] = scalar_of(sigmoid4(splat(score)));
  } else {
    scores[0] = is_share ? 1.0f - score : -score;
    scores[1] = score;
  }
  return score > (is_share ? 0.5f : 0.0f);
}

#endif
