// Samples of an image (batch, channel, depth, rows, columns) at places that are only known when the network runs. Nothing outside it is read.
#ifndef COMMONWEIGHT_SAMPLING_H
#define COMMONWEIGHT_SAMPLING_H

#include "elements.h"
#include "failure.h"

enum border { ZEROS, BORDER, REFLECTION };

// Neighbours of a place along one axis, -1 being one that counts as 0, and their weights.
struct taps {
  int64_t at[4];
  float weight[4];
};

INLINE double reflected(double x, double low, double high) {
  const double length = high - low;
  if (!(length > 0.0)) return low;
  if (x >= low && x <= high) return x;
  const double away = x < low ? low - x : x - high;
  const double times = __builtin_trunc(away / length), rest = away - times * length;
  const bool is_even = times - 2.0 * __builtin_floor(times / 2.0) == 0.0;
  return (x < low) == is_even ? low + rest : high - rest;
}

INLINE int64_t within(int64_t at, unsigned size, enum border border, double low, double high) {
  if (border == REFLECTION) at = int_of(reflected((double)at, low, high));
  if (at >= 0 && at < (int64_t)size) return at;
  return border == ZEROS ? -1 : at < 0 ? 0 : (int64_t)size - 1;
}

// `g` from -1 to 1 over an axis of `size`; `count` 1 takes the nearest element, 2 is linear, 4 cubic (a = -0.75).
INLINE struct taps grid_taps(float g, unsigned size, unsigned count, enum border border, const bool align) {
  const double low = align ? 0.0 : -0.5, high = align ? (double)size - 1.0 : (double)size - 0.5;
  float x = align ? (g + 1.0f) / 2.0f * (float)(size - 1) : ((g + 1.0f) * (float)size - 1.0f) / 2.0f;
  if (count == 1) x = __builtin_rintf(x);
  if (border == BORDER && (x < low || x > high)) x = x < 0.0f ? 0.0f : (float)(size - 1);
  if (border == REFLECTION) x = (float)reflected(x, low, high);
  const float floor = __builtin_floorf(x);
  const float r = x - floor, a = -0.75f;
  // Beyond this no element lies, and there is room for the neighbours.
  const int64_t first = floor > 1e15f ? 1000000000000000 : floor < -1e15f ? -1000000000000000 : int_of(floor);
  struct taps found = {{0}, {1.0f}};
  if (count == 2) {
    found.weight[0] = 1.0f - r;
    found.weight[1] = r;
  }
  if (count == 4) {
    found.weight[0] = ((a * (r + 1.0f) - 5.0f * a) * (r + 1.0f) + 8.0f * a) * (r + 1.0f) - 4.0f * a;
    found.weight[1] = ((a + 2.0f) * r - (a + 3.0f)) * r * r + 1.0f;
    found.weight[2] = ((a + 2.0f) * (1.0f - r) - (a + 3.0f)) * (1.0f - r) * (1.0f - r) + 1.0f;
    found.weight[3] = ((a * (2.0f - r) - 5.0f * a) * (2.0f - r) + 8.0f * a) * (2.0f - r) - 4.0f * a;
  }
  UNROLL for (unsigned i = 0; i < 4; i++)
    if (i < count) found.at[i] = within(first + i - (count == 4), size, border, low, high);
  return found;
}

// grid (batch, points, axes), the last axis of the image first. y (batch, channel, points).
INLINE void grid_sample_f32(const float *x, const float *grid, float *y, unsigned batches, unsigned channels, unsigned depth, unsigned rows,
                            unsigned columns, unsigned points, const unsigned axes, const unsigned count, enum border border, const bool align) {
  const unsigned plane = depth * rows * columns;
  ROLLED for (unsigned p = 0; p < batches * points; p++, grid += axes) {
    const struct taps whole = {{0}, {1.0f}};
    const struct taps c = grid_taps(grid[0], columns, count, border, align);
    const struct taps r = axes > 1 ? grid_taps(grid[1], rows, count, border, align) : whole;
    const struct taps d = axes > 2 ? grid_taps(grid[2], depth, count, border, align) : whole;
    // The same for all channels: the elements that count, and by how much.
    uint32_t at[64];
    float weight[64];
    unsigned n = 0;
    ROLLED for (unsigned i = 0; i < (axes > 2 ? count : 1); i++)
      ROLLED for (unsigned j = 0; j < (axes > 1 ? count : 1); j++)
        ROLLED for (unsigned k = 0; k < count; k++) {
          if (d.at[i] < 0 || r.at[j] < 0 || c.at[k] < 0) continue;
          at[n] = ((unsigned)d.at[i] * rows + (unsigned)r.at[j]) * columns + (unsigned)c.at[k];
          weight[n++] = d.weight[i] * r.weight[j] * c.weight[k];
        }
    const float *image = x + p / points * channels * plane;
    float *to = y + p / points * channels * points + p % points;
    ROLLED for (unsigned channel = 0; channel < channels; channel++, image += plane, to += points) {
      float found = 0.0f;
      ROLLED for (unsigned t = 0; t < n; t++) found += weight[t] * image[at[t]];
      *to = found;
    }
  }
}

enum { MOST_SAMPLES = 4096 };  // along one side of a bin

// Samples along one side of a bin: as many as asked for, or one for each element.
INLINE unsigned samples_of(float bin, unsigned asked, const char *text) {
  if (asked) return asked;
  const float count = __builtin_ceilf(bin);
  if (!(count <= (float)MOST_SAMPLES)) {
    fail(text);
    return 0;
  }
  return count > 0.0f ? (unsigned)int_of(count) : 0;
}

// The two elements around a place on an axis, and how far it lies behind the first; false when it is outside.
INLINE bool neighbours(float at, unsigned size, unsigned *low, unsigned *high, float *part) {
  if (!(at >= -1.0f && at <= (float)size)) return false;
  if (at < 0.0f) at = 0.0f;
  *low = (unsigned)int_of(at);
  const bool is_last = *low >= size - 1;
  if (is_last) *low = size - 1;
  *high = is_last ? *low : *low + 1;
  *part = is_last ? 0.0f : at - (float)*low;
  return true;
}

// x (batch, channels, rows, columns), regions (count, 4) -> y (count, channels, high, wide): the mean, or the largest, of samples in each bin.
INLINE void roi_align_f32(const float *x, const float *regions, const int64_t *batch, float *y, unsigned batches, unsigned channels, unsigned rows,
                          unsigned columns, unsigned count, unsigned high, unsigned wide, unsigned asked, float scale, float offset,
                          const bool is_max, const char *text) {
  ROLLED for (unsigned n = 0; n < count; n++, regions += 4) {
    const float left = regions[0] * scale - offset, top = regions[1] * scale - offset;
    float width = regions[2] * scale - offset - left, height = regions[3] * scale - offset - top;
    if (offset == 0.0f) {
      if (width < 1.0f) width = 1.0f;
      if (height < 1.0f) height = 1.0f;
    }
    const float bin_high = height / (float)high, bin_wide = width / (float)wide;
    const unsigned down = samples_of(bin_high, asked, text), across = samples_of(bin_wide, asked, text);
    const unsigned image = place(batch[n] < 0 ? INT64_MAX : batch[n], batches, text);
    ROLLED for (unsigned c = 0; c < channels; c++) {
      const float *from = x + (image * channels + c) * rows * columns;
      ROLLED for (unsigned bin = 0; bin < high * wide; bin++) {
        float found = 0.0f;
        ROLLED for (unsigned s = 0; s < down * across; s++) {
          const float at_row = top + (float)(bin / wide) * bin_high + ((float)(s / across) + 0.5f) * bin_high / (float)down;
          const float at_column = left + (float)(bin % wide) * bin_wide + ((float)(s % across) + 0.5f) * bin_wide / (float)across;
          unsigned r0, r1, c0, c1;
          float pr, pc, v = 0.0f;
          if (neighbours(at_row, rows, &r0, &r1, &pr) && neighbours(at_column, columns, &c0, &c1, &pc)) {
            const float v00 = (1.0f - pr) * (1.0f - pc) * from[r0 * columns + c0], v01 = (1.0f - pr) * pc * from[r0 * columns + c1];
            const float v10 = pr * (1.0f - pc) * from[r1 * columns + c0], v11 = pr * pc * from[r1 * columns + c1];
            const float m0 = v00 > v01 ? v00 : v01, m1 = v10 > v11 ? v10 : v11;
            v = is_max ? (m0 > m1 ? m0 : m1) : v00 + v01 + v10 + v11;
          }
          found = !is_max ? found + v : s == 0 || v > found ? v : found;
        }
        *y++ = is_max || down * across == 0 ? found : found / (float)(down * across);
      }
    }
  }
}

#endif
