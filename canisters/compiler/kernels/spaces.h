// Windows over one, two or three spatial axes in full generality: any stride, dilation and border, weights known or not.
//
// Sixteen outputs at a time: their windows are gathered into a panel as dense layers read it, or what a product gives is scattered over
// their windows. That costs about ten instructions for each element of a window, shared by all output channels; the kernels in conv_f32.h
// are for what common networks do. One and two axes are three with sizes of 1.
#ifndef COMMONWEIGHT_SPACES_H
#define COMMONWEIGHT_SPACES_H

#include "integer_products.h"

enum { SPACE_COLUMNS = 16 };

struct space {
  unsigned size[3], kernel[3], stride[3], dilation[3];
  int before[3];
  unsigned out[3];
};

INLINE unsigned space_size(struct space s) { return s.size[0] * s.size[1] * s.size[2]; }
INLINE unsigned space_taps(struct space s) { return s.kernel[0] * s.kernel[1] * s.kernel[2]; }
INLINE unsigned space_outs(struct space s) { return s.out[0] * s.out[1] * s.out[2]; }

// Where window `p` begins, in coordinates of the image; that may be outside.
INLINE void window_start(struct space s, unsigned p, int *at) {
  const unsigned x = p % s.out[2], y = p / s.out[2] % s.out[1], z = p / (s.out[1] * s.out[2]);
  at[0] = (int)(z * s.stride[0]) - s.before[0];
  at[1] = (int)(y * s.stride[1]) - s.before[1];
  at[2] = (int)(x * s.stride[2]) - s.before[2];
}

// The element of the image under tap (a, b, d) of a window, or -1 outside.
INLINE int tap_offset(struct space s, const int *at, unsigned a, unsigned b, unsigned d) {
  const int z = at[0] + (int)(a * s.dilation[0]), y = at[1] + (int)(b * s.dilation[1]), x = at[2] + (int)(d * s.dilation[2]);
  const bool inside = (unsigned)z < s.size[0] && (unsigned)y < s.size[1] && (unsigned)x < s.size[2];
  return inside ? (z * (int)s.size[1] + y) * (int)s.size[2] + x : -1;
}

// Of windows p to p + columns; -1 for the rest of the panel's `width`.
INLINE void tap_offsets(struct space s, unsigned p, unsigned columns, unsigned width, unsigned a, unsigned b, unsigned d, int *offsets) {
  ROLLED for (unsigned j = 0; j < width; j++) {
    int at[3];
    window_start(s, p + j, at);
    offsets[j] = j < columns ? tap_offset(s, at, a, b, d) : -1;
  }
}

#define EACH_TAP(s)                                          \
  ROLLED for (unsigned a = 0, t = 0; a < (s).kernel[0]; a++) \
    ROLLED for (unsigned b = 0; b < (s).kernel[1]; b++)      \
      ROLLED for (unsigned d = 0; d < (s).kernel[2]; d++, t++)

// --- convolution in float32 ---

INLINE void gather_panel_f32(const float *x, float *panel, struct space s, unsigned channels, unsigned p, unsigned columns, unsigned width) {
  fill_f32(panel, 0.0f, width);
  EACH_TAP(s) {
    int offsets[SPACE_COLUMNS];
    tap_offsets(s, p, columns, width, a, b, d, offsets);
    const float *plane = x;
    float *row = panel + width + t * width;
    ROLLED for (unsigned c = 0; c < channels; c++, plane += space_size(s), row += space_taps(s) * width)
      ROLLED for (unsigned j = 0; j < width; j++) row[j] = offsets[j] < 0 ? 0.0f : plane[offsets[j]];
  }
}

// x (groups * ic, image), w (groups * oc, ic * taps), bias (groups * oc) or 0 -> y (groups * oc, outs). `panel`: scratch, (ic * taps + 1) * 16.
INLINE void conv_space_f32(const float *x, const float *w, const float *bias, float *y, float *panel, struct space s, unsigned groups, unsigned ic,
                           unsigned oc) {
  const unsigned k = ic * space_taps(s), n = space_outs(s), rest = n % SPACE_COLUMNS;
  ROLLED for (unsigned g = 0; g < groups; g++, x += ic * space_size(s), w += oc * k, y += oc * n) {
    unsigned p = 0;
    ROLLED for (; p + SPACE_COLUMNS <= n; p += SPACE_COLUMNS) {
      gather_panel_f32(x, panel, s, ic, p, SPACE_COLUMNS, SPACE_COLUMNS);
      dense_f32_panel(w, panel, y + p, oc, n, k, SPACE_COLUMNS, 4, NONE, 0, 0);
    }
    if (rest) {
      gather_panel_f32(x, panel, s, ic, p, rest, (rest + 3) / 4 * 4);
      dense_f32_panel(w, panel, y + p, oc, n, k, rest, (rest + 3) / 4, NONE, 0, 0);
    }
    if (bias) {
      ROLLED for (unsigned o = 0; o < oc; o++) {
        float *row = y + o * n;
        const f32x4 shift = splat(bias[g * oc + o]);
        EACH_F32(row, n, add(load(row + i), shift));
      }
    }
  }
}

// --- its transpose ---

// products (oc * taps, pitch) of windows p to p + columns, added to y (oc, image).
INLINE void scatter_products_f32(const float *products, unsigned pitch, float *y, struct space s, unsigned oc, unsigned p, unsigned columns) {
  EACH_TAP(s) {
    int offsets[SPACE_COLUMNS];
    tap_offsets(s, p, columns, columns, a, b, d, offsets);
    float *plane = y;
    const float *row = products + t * pitch;
    ROLLED for (unsigned o = 0; o < oc; o++, plane += space_size(s), row += space_taps(s) * pitch)
      ROLLED for (unsigned j = 0; j < columns; j++)
        if (offsets[j] >= 0) plane[offsets[j]] += row[j];
  }
}

// x (groups * ic, outs), w (groups * oc * taps, ic), bias (groups * oc) or 0 -> y (groups * oc, image): the image is what a convolution
// would read. `panel`: scratch, (ic + 1) * 16; `products`: scratch, oc * taps * 16.
INLINE void conv_transpose_f32(const float *x, const float *w, const float *bias, float *y, float *panel, float *products, struct space s,
                               unsigned groups, unsigned ic, unsigned oc) {
  const unsigned m = oc * space_taps(s), n = space_outs(s), rest = n % SPACE_COLUMNS;
  ROLLED for (unsigned g = 0; g < groups; g++, x += ic * n, w += m * ic, y += oc * space_size(s)) {
    ROLLED for (unsigned o = 0; o < oc; o++) fill_f32(y + o * space_size(s), bias ? bias[g * oc + o] : 0.0f, space_size(s));
    unsigned p = 0;
    ROLLED for (; p + SPACE_COLUMNS <= n; p += SPACE_COLUMNS) {
      pack_panels_f32(x + p, n, 1, panel, ic, SPACE_COLUMNS);
      dense_f32_panel(w, panel, products, m, SPACE_COLUMNS, ic, SPACE_COLUMNS, 4, NONE, 0, 0);
      scatter_products_f32(products, SPACE_COLUMNS, y, s, oc, p, SPACE_COLUMNS);
    }
    if (rest) {
      pack_panels_f32(x + p, n, 1, panel, ic, rest);
      dense_f32_panel(w, panel, products, m, SPACE_COLUMNS, ic, rest, (rest + 3) / 4, NONE, 0, 0);
      scatter_products_f32(products, SPACE_COLUMNS, y, s, oc, p, rest);
    }
  }
}

// --- convolution of bytes ---

INLINE void gather_panel_bytes(const uint8_t *x, const bool is_signed, int zero, int16_t *panel, struct space s, unsigned channels, unsigned p,
                               unsigned columns, unsigned width) {
  const unsigned k = channels * space_taps(s);
  fill_bytes((uint8_t *)(panel + k / 2 * 2 * width), 0, k % 2 * 4 * width);
  EACH_TAP(s) {
    int offsets[SPACE_COLUMNS];
    tap_offsets(s, p, columns, width, a, b, d, offsets);
    const uint8_t *plane = x;
    unsigned r = t;
    ROLLED for (unsigned c = 0; c < channels; c++, plane += space_size(s), r += space_taps(s)) {
      int16_t *row = panel + r / 2 * 2 * width + r % 2;
      ROLLED for (unsigned j = 0; j < width; j++)
        row[2 * j] = (int16_t)(offsets[j] < 0 ? 0 : (is_signed ? ((const int8_t *)plane)[offsets[j]] : plane[offsets[j]]) - zero);
    }
  }
}

// x (groups * ic, image) of bytes less `zero`, w (groups * oc) rows of `pitch` int16 -> y (groups * oc, outs) in int32.
INLINE void conv_space_bytes(const uint8_t *x, const bool is_signed, int zero, const int16_t *w, unsigned pitch, int32_t *y, int16_t *panel,
                             struct space s, unsigned groups, unsigned ic, unsigned oc) {
  const unsigned k = ic * space_taps(s), pairs = (k + 1) / 2, n = space_outs(s), rest = n % SPACE_COLUMNS;
  ROLLED for (unsigned g = 0; g < groups; g++, x += ic * space_size(s), w += oc * pitch, y += oc * n) {
    unsigned p = 0;
    ROLLED for (; p + SPACE_COLUMNS <= n; p += SPACE_COLUMNS) {
      gather_panel_bytes(x, is_signed, zero, panel, s, ic, p, SPACE_COLUMNS, SPACE_COLUMNS);
      integer_panel(w, pitch, panel, y + p, oc, n, pairs, SPACE_COLUMNS, 4, false);
    }
    if (rest) {
      gather_panel_bytes(x, is_signed, zero, panel, s, ic, p, rest, (rest + 3) / 4 * 4);
      integer_panel(w, pitch, panel, y + p, oc, n, pairs, rest, (rest + 3) / 4, false);
    }
  }
}

// --- pooling ---

// Window p of a plane of any type: the largest element (the first of equals; NaN stays) and where it lies, -1 for an empty window.
#define LARGEST_OF_WINDOW(plane, s, p, best, where)                                                \
  do {                                                                                             \
    int start_[3];                                                                                 \
    window_start(s, p, start_);                                                                    \
    EACH_TAP(s) {                                                                                  \
      const int offset_ = tap_offset(s, start_, a, b, d);                                          \
      if (offset_ >= 0 && (where < 0 || (plane)[offset_] > best || (plane)[offset_] != (plane)[offset_])) { \
        if (best == best || where < 0) best = (plane)[offset_], where = offset_;                   \
      }                                                                                            \
    }                                                                                              \
  } while (0)

// The sum of a window's elements, or of their magnitudes to a power when that is not 0.
INLINE float sum_of_window(const float *plane, struct space s, unsigned p, const float power) {
  int start[3];
  float sum = 0.0f;
  window_start(s, p, start);
  EACH_TAP(s) {
    const int offset = tap_offset(s, start, a, b, d);
    const float v = offset < 0 ? 0.0f : plane[offset], magnitude = __builtin_fabsf(v);
    if (power == 0.0f) {
      sum += v;
    } else if (power == 1.0f) {
      sum += magnitude;
    } else {
      sum += power == 2.0f ? v * v : offset < 0 ? 0.0f : wasm_f32x4_extract_lane(exp4(mul(log4(splat(magnitude)), splat(power))), 0);
    }
  }
  return sum;
}

INLINE float root_of(float sum, const float power) {
  if (power == 1.0f) return sum;
  if (power == 2.0f) return __builtin_sqrtf(sum);
  return wasm_f32x4_extract_lane(exp4(mul(log4(splat(sum)), splat(1.0f / power))), 0);
}

#endif
