// Rows of features before a classical model: norms, and places of values in sorted tables.
#ifndef COMMONWEIGHT_FEATURES_H
#define COMMONWEIGHT_FEATURES_H

#include "rows.h"

enum norm { NORM_MAX, NORM_L1, NORM_L2 };

// A row whose norm is 0 stays as it is.
INLINE void normalize_features(const float *x, float *y, unsigned n, const enum norm kind) {
  float size = kind == NORM_MAX ? x[0] : 0.0f;
  ROLLED for (unsigned i = 0; i < n; i++) {
    if (kind == NORM_MAX) size = x[i] > size ? x[i] : size;
    if (kind == NORM_L1) size += x[i] < 0.0f ? -x[i] : x[i];
    if (kind == NORM_L2) size += x[i] * x[i];
  }
  if (kind == NORM_L2) size = __builtin_sqrtf(size);
  const f32x4 divisor = splat(size == 0.0f ? 1.0f : size);
  EACH_F32(y, n, divide(load(x + i), divisor));
}

// The place of `key` among n ascending ones, n when it is not among them.
#define PLACE_IN(name, type)                                    \
  INLINE unsigned name(type key, const type *keys, unsigned n) { \
    unsigned low = 0, high = n;                                 \
    ROLLED while (low < high) {                                 \
      const unsigned middle = (low + high) / 2;                 \
      if (keys[middle] < key) {                                 \
        low = middle + 1;                                       \
      } else {                                                  \
        high = middle;                                          \
      }                                                         \
    }                                                           \
    return low < n && keys[low] == key ? low : n;               \
  }

PLACE_IN(place_in_float32, float)
PLACE_IN(place_in_float64, double)
PLACE_IN(place_in_int64, int64_t)
PLACE_IN(place_in_int32, int32_t)
PLACE_IN(place_in_int16, int16_t)

#endif
