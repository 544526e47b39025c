// What a language model's layers stand on: dense layers over one or many positions, norms, rotary positions, attention over a cache.
//
// Weights lie in the panels of dense_row.h for one position and for many, so both read the same bytes, and both give the same bits: int8
// sums are exact, and the steps around them are done in one order. Rows of activations are padded to whole panels of 64.
//
// The cache of one session: for every four positions and each layer the keys, (kv_size, 4) with the positions as lanes, then the values,
// (4, kv_size). What a message reads of it grows with the positions that are filled, not with those that there could be.
#ifndef COMMONWEIGHT_DECODER_H
#define COMMONWEIGHT_DECODER_H

#include "dense_row.h"
#include "rows.h"

// MR rows by a panel's 64 columns, U pairs a turn. Rows of int16 lie `pitch` apart; pairs is a multiple of 16.
INLINE void rows_tile(const int16_t *x, const float *steps, const uint8_t *panel, float *y, unsigned y_pitch, unsigned pairs, const unsigned MR,
                      const unsigned U, const unsigned pitch) {
  v128_t sum[8 * ROW_VECTORS];
  UNROLL for (unsigned i = 0; i < MR * ROW_VECTORS; i++) sum[i] = wasm_i32x4_const_splat(0);
  const float *head = (const float *)panel;
  const int8_t *w = (const int8_t *)(head + 2 * ROW_WIDTH);
  ROLLED for (const int16_t *at = x, *end = x + 2 * pairs; at != end; at += 2 * U, w += 2 * U * ROW_WIDTH) {
    v128_t a[8][ROW_STEPS], b[ROW_STEPS][ROW_VECTORS];
    UNROLL for (unsigned r = 0; r < MR; r++)
      UNROLL for (unsigned u = 0; u < U; u++) a[r][u] = wasm_v128_load32_splat(at + r * pitch + 2 * u);
    UNROLL for (unsigned u = 0; u < U; u++)
      UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) b[u][v] = wasm_i16x8_load8x8(w + 2 * u * ROW_WIDTH + 8 * v);
    UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++)
      UNROLL for (unsigned r = 0; r < MR; r++)
        UNROLL for (unsigned u = 0; u < U; u++)
          sum[r * ROW_VECTORS + v] = wasm_i32x4_add(sum[r * ROW_VECTORS + v], wasm_i32x4_dot_i16x8(a[r][u], b[u][v]));
  }
  UNROLL for (unsigned r = 0; r < MR; r++) {
    const f32x4 step = load_splat(steps + r);
    UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) {
      const f32x4 found = mul(mul(wasm_f32x4_convert_i32x4(sum[r * ROW_VECTORS + v]), step), load(head + 4 * v));
      store(y + r * y_pitch + 4 * v, add(found, load(head + ROW_WIDTH + 4 * v)));
    }
  }
}

// y (rows, panels * 64) = x (rows, k) * w + bias. `quantised_rows`: scratch for rows * pitch int16; `steps`: scratch for as many floats.
INLINE void decoder_dense_int8(const float *x, unsigned x_pitch, const uint8_t *panel, float *y, unsigned y_pitch, unsigned rows, unsigned panels,
                               unsigned k, float limit, int16_t *quantised_rows, float *steps, const unsigned pitch) {
  const unsigned pairs = (k + 31) / 32 * 16;
  ROLLED for (unsigned r = 0; r < rows; r++) steps[r] = quantise_row(x + r * x_pitch, quantised_rows + r * pitch, k, 2 * pairs, limit);
  ROLLED for (; panels; panels--, y += ROW_WIDTH, panel += (8 + 2 * pairs) * ROW_WIDTH) {
    unsigned r = 0;
    ROLLED for (; r + 8 <= rows; r += 8) rows_tile(quantised_rows + r * pitch, steps + r, panel, y + r * y_pitch, y_pitch, pairs, 8, 16, pitch);
    if (rows & 4u) rows_tile(quantised_rows + r * pitch, steps + r, panel, y + r * y_pitch, y_pitch, pairs, 4, 16, pitch), r += 4;
    ROLLED for (; r < rows; r++) rows_tile(quantised_rows + r * pitch, steps + r, panel, y + r * y_pitch, y_pitch, pairs, 1, 8, pitch);
  }
}

INLINE void decoder_dense_f32(const float *x, unsigned x_pitch, const float *panel, float *y, unsigned y_pitch, unsigned rows, unsigned panels,
                              unsigned k) {
  ROLLED for (unsigned r = 0; r < rows; r++) row_f32(x + r * x_pitch, panel, y + r * y_pitch, panels, k, -__builtin_inff(), __builtin_inff());
}

// --- embedding ---

// Column `token` of packed panels: the embedding of a model whose head is the same matrix.
INLINE void embedding_of_panels_int8(const uint8_t *panels, float *y, unsigned token, unsigned k) {
  const unsigned pairs = (k + 31) / 32 * 16, column = token % ROW_WIDTH;
  const uint8_t *panel = panels + token / ROW_WIDTH * (8 + 2 * pairs) * ROW_WIDTH;
  const float step = ((const float *)panel)[column];
  const int8_t *w = (const int8_t *)panel + 8 * ROW_WIDTH + 2 * column;
  ROLLED for (unsigned i = 0; i < k; i += 2, w += 2 * ROW_WIDTH) y[i] = (float)w[0] * step, y[i + 1] = (float)w[1] * step;
}

INLINE void embedding_of_panels_f32(const float *panels, float *y, unsigned token, unsigned k) {
  const float *w = panels + token / ROW_WIDTH * (1 + k) * ROW_WIDTH + ROW_WIDTH + token % ROW_WIDTH;
  ROLLED for (unsigned i = 0; i < k; i++, w += ROW_WIDTH) y[i] = *w;
}

// Row `token` of a table of its own: a step, then k int8.
INLINE void embedding_of_rows_int8(const uint8_t *table, float *y, unsigned token, unsigned k) {
  const uint8_t *row = table + (uint64_t)token * (4 + k);
  const f32x4 step = wasm_v128_load32_splat(row);
  ROLLED for (unsigned i = 0; i < k; i += 4) {
    const v128_t four = wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(row + 4 + i)));
    store(y + i, mul(wasm_f32x4_convert_i32x4(four), step));
  }
}

// --- norms ---

// y = x / sqrt(mean of squares + epsilon) * scale over n. Source: Zhang and Sennrich (2019), "Root Mean Square Layer Normalization".
INLINE void rms_norm_row(const float *x, const float *scale, float *y, unsigned n, float epsilon) {
  f32x4 a = splat(0.0f), b = a;
  unsigned i = 0;
  ROLLED for (; i + 8 <= n; i += 8) {
    const f32x4 low = load(x + i), high = load(x + i + 4);
    a = add(a, mul(low, low));
    b = add(b, mul(high, high));
  }
  if (n % 8) a = add(a, mul(load(x + i), load(x + i)));  // n is a multiple of 4
  const f32x4 inverse = splat(1.0f / __builtin_sqrtf(sum_of(add(a, b)) * (1.0f / (float)n) + epsilon));
  EACH_F32(y, n, mul(mul(load(x + i), inverse), load(scale + i)));
}

// --- positions ---

// Each of `heads` neighbouring heads turned: element i of the first half goes with element i of the second. `turn`: cosines, then sines.
INLINE void rotate_heads(float *x, const float *turn, unsigned heads, const unsigned half) {
  ROLLED for (; heads; heads--, x += 2 * half)
    ROLLED for (unsigned i = 0; i < half; i += 4) {
      const f32x4 low = load(x + i), high = load(x + half + i), c = load(turn + i), s = load(turn + half + i);
      store(x + i, sub(mul(low, c), mul(high, s)));
      store(x + half + i, add(mul(high, c), mul(low, s)));
    }
}

// --- attention ---

// The key and value (n each) of one position to their lane of a block. A block begins as zeros: nothing of another session shows through.
INLINE void keep_position(const float *key, const float *value, float *block, unsigned lane, const unsigned n) {
  if (lane == 0) fill_f32(block, 0.0f, 8 * n);
  ROLLED for (unsigned i = 0; i < n; i += 4) {
    const f32x4 four = load(key + i);
    wasm_v128_store32_lane(block + 4 * i + lane, four, 0);
    wasm_v128_store32_lane(block + 4 * i + 4 + lane, four, 1);
    wasm_v128_store32_lane(block + 4 * i + 8 + lane, four, 2);
    wasm_v128_store32_lane(block + 4 * i + 12 + lane, four, 3);
  }
  copy_bytes((uint8_t *)(block + 4 * n + lane * n), (const uint8_t *)value, 4 * n);
}

// One head of one position against `count` positions of the cache. `pitch`: floats from one block to the next.
INLINE void attend_head(const float *q, const float *keys, const float *values, float *y, float *scores, unsigned count, unsigned pitch,
                        const unsigned head_size, const unsigned kv_size, const float scale) {
  f32x4 most = splat(-__builtin_inff());
  ROLLED for (unsigned at = 0; at < count; at += 4, keys += pitch) {
    f32x4 sum = splat(0.0f);
    UNROLL for (unsigned d = 0; d < head_size; d++) sum = add(sum, mul(load_splat(q + d), load(keys + 4 * d)));
    sum = first_n(mul(sum, splat(scale)), splat(-__builtin_inff()), count - at);
    store(scores + at, sum);
    most = at_least(most, sum);
  }
  most = splat(largest_of(most));
  f32x4 total = splat(0.0f);
  ROLLED for (unsigned at = 0; at < count; at += 4) {
    const f32x4 e = exp4(sub(load(scores + at), most));
    store(scores + at, e);
    total = add(total, e);
  }
  f32x4 sum[128];
  UNROLL for (unsigned i = 0; i < head_size / 4; i++) sum[i] = splat(0.0f);
  ROLLED for (unsigned at = 0; at < count; at += 4, values += pitch) {
    f32x4 share[4];
    UNROLL for (unsigned lane = 0; lane < 4; lane++) share[lane] = load_splat(scores + at + lane);
    UNROLL for (unsigned i = 0; i < head_size / 4; i++)
      UNROLL for (unsigned lane = 0; lane < 4; lane++) sum[i] = add(sum[i], mul(share[lane], load(values + lane * kv_size + 4 * i)));
  }
  const f32x4 inverse = divide(splat(1.0f), splat(sum_of(total)));
  UNROLL for (unsigned i = 0; i < head_size / 4; i++) store(y + 4 * i, mul(sum[i], inverse));
}

#endif
