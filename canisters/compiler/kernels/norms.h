// Normalisations beside layer_norm_f32: of each channel of a sample, by the root mean square of a row, and by the channels around.
#ifndef COMMONWEIGHT_NORMS_H
#define COMMONWEIGHT_NORMS_H

#include "rows.h"

// Each of `rows` rows of n to mean 0 and variance 1, then scaled and shifted by its channel's: the rows' channels repeat.
INLINE void instance_norm_f32(const float *x, const float *scale, const float *shift, float *y, unsigned rows, unsigned channels, unsigned n,
                              float epsilon) {
  ROLLED for (unsigned r = 0; r < rows; r++, x += n, y += n) {
    const float mean = reduced_row(x, n, SUM) * (1.0f / (float)n);
    f32x4 squares = splat(0.0f);
    ROLLED for (unsigned i = 0; i < n; i += 4) {
      const f32x4 d = first_n(sub(load(x + i), splat(mean)), splat(0.0f), n - i);
      squares = add(squares, mul(d, d));
    }
    const float inverse = 1.0f / __builtin_sqrtf(sum_of(squares) * (1.0f / (float)n) + epsilon);
    const f32x4 middle = splat(mean), factor = splat(inverse * scale[r % channels]), base = splat(shift[r % channels]);
    EACH_F32(y, n, add(mul(sub(load(x + i), middle), factor), base));
  }
}

// y = x / sqrt(mean of squares + epsilon) * scale over each of `rows` rows of n; `scale` is one number when it does not step.
INLINE void rms_norm_f32(const float *x, const float *scale, const bool steps, float *y, unsigned rows, unsigned n, float epsilon) {
  ROLLED for (unsigned r = 0; r < rows; r++, x += n, y += n) {
    f32x4 squares = splat(0.0f);
    ROLLED for (unsigned i = 0; i < n; i += 4) {
      const f32x4 v = first_n(load(x + i), splat(0.0f), n - i);
      squares = add(squares, mul(v, v));
    }
    const f32x4 inverse = splat(1.0f / __builtin_sqrtf(sum_of(squares) * (1.0f / (float)n) + epsilon)), all = load_splat(scale);
    EACH_F32(y, n, mul(mul(load(x + i), inverse), steps ? load(scale + i) : all));
  }
}

// x (batch, channels, inner) / (bias + alpha * sum of squares of the channels from `before` below to `after` above) ^ beta.
INLINE void local_response_norm_f32(const float *x, float *y, unsigned batch, unsigned channels, unsigned inner, unsigned before, unsigned after,
                                    float alpha, float beta, float bias) {
  ROLLED for (unsigned b = 0; b < batch; b++, x += channels * inner, y += channels * inner)
    ROLLED for (unsigned c = 0; c < channels; c++) {
      const unsigned first = c < before ? 0 : c - before, end = c + after + 1 < channels ? c + after + 1 : channels;
      ROLLED for (unsigned i = 0; i < inner; i += 4) {
        f32x4 sum = splat(0.0f);
        ROLLED for (unsigned o = first; o < end; o++) {
          const f32x4 v = load(x + o * inner + i);
          sum = add(sum, mul(v, v));
        }
        const f32x4 share = exp4(mul(log4(add(splat(bias), mul(splat(alpha), sum))), splat(-beta)));
        store_n(y + c * inner + i, mul(load(x + c * inner + i), share), inner - i);
      }
    }
}

#endif
