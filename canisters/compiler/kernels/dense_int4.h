// Rows times 4-bit weights: groups of 32 along k, each with a bfloat16 scale a column; activations are int16 as for int8.
//
// Panels of 64 columns: biases (float32), then for each group the columns' scales, and for l = 0..3, for each four columns, 16 bytes: an
// int16 lane for each column and each of the pair (k = 2l, 2l + 1 of an octet), whose four nibbles are the weights of four octets. A
// nibble is used where it lies: masked, not moved. Octets 0 to 2 come out as 1, 16 and 256 times weight + 8, the last, signed, as 4,096
// times the weight; the sums are joined by shifting, which is exact. The 8 of the others is taken off once for all columns.
//
// Activations are at most INT4_LIMIT in magnitude: eight products of 8 * 4096 * 8191 stay below 2^31.
#ifndef COMMONWEIGHT_DENSE_INT4_H
#define COMMONWEIGHT_DENSE_INT4_H

#include "dense_row.h"

enum { INT4_GROUP = 32, INT4_LIMIT = 8191, INT4_GROUP_BYTES = ROW_WIDTH * (2 + INT4_GROUP / 2) };

// The dot products of an octet, from four loads of weights.
INLINE v128_t int4_octet(v128_t sum, const v128_t *pairs, const v128_t *w, v128_t mask) {
  UNROLL for (unsigned l = 0; l < 4; l++) sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_v128_and(w[l], mask), pairs[l]));
  return sum;
}

INLINE void int4_group(f32x4 *sum, const int16_t *x, const uint8_t *group) {
  v128_t pairs[16], eights = wasm_i32x4_const_splat(0);
  UNROLL for (unsigned i = 0; i < 16; i++) pairs[i] = wasm_v128_load32_splat(x + 2 * i);
  UNROLL for (unsigned i = 0; i < 12; i++) eights = wasm_i32x4_sub(eights, wasm_i32x4_dot_i16x8(pairs[i], wasm_i16x8_const_splat(8)));
  UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) {
    v128_t w[4];
    UNROLL for (unsigned l = 0; l < 4; l++) w[l] = wasm_v128_load(group + 2 * ROW_WIDTH + (l * ROW_VECTORS + v) * 16);
    v128_t whole = int4_octet(wasm_i32x4_const_splat(0), pairs + 12, w, wasm_i16x8_const_splat((int16_t)0xf000));
    whole = int4_octet(wasm_i32x4_shr(whole, 4), pairs + 8, w, wasm_i16x8_const_splat(0x0f00));
    whole = int4_octet(wasm_i32x4_shr(whole, 4), pairs + 4, w, wasm_i16x8_const_splat(0x00f0));
    whole = int4_octet(wasm_i32x4_add(wasm_i32x4_shr(whole, 4), eights), pairs, w, wasm_i16x8_const_splat(0x000f));
    const f32x4 scale = wasm_i32x4_shl(wasm_u32x4_load16x4(group + 8 * v), 16);
    sum[v] = add(sum[v], mul(wasm_f32x4_convert_i32x4(whole), scale));
  }
}

// y (panels * 64) = min(max(x * w + bias, low), high). x: groups * 32 int16 of the given step, zeros behind k.
SHARED void row_int4(const int16_t *x, float step, const uint8_t *panel, float *y, unsigned panels, unsigned groups, float low, float high) {
  ROLLED for (; panels; panels--, y += ROW_WIDTH) {
    f32x4 sum[ROW_VECTORS];
    const float *bias = (const float *)panel;
    panel += 4 * ROW_WIDTH;
    UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) sum[v] = splat(0.0f);
    ROLLED for (const int16_t *at = x, *end = x + groups * INT4_GROUP; at != end; at += INT4_GROUP, panel += INT4_GROUP_BYTES)
      int4_group(sum, at, panel);
    UNROLL for (unsigned v = 0; v < ROW_VECTORS; v++) {
      const f32x4 found = add(mul(sum[v], splat(step)), load(bias + 4 * v));
      store(y + 4 * v, at_most(at_least(found, splat(low)), splat(high)));
    }
  }
}

// m rows. `row`: scratch for k rounded up to a multiple of 32. `last`: scratch for the 64 columns of a last panel that is not full.
INLINE void dense_int4(const float *x, const uint8_t *panels, float *y, int16_t *row, float *last, unsigned m, unsigned n, unsigned k, float low,
                       float high) {
  const unsigned groups = (k + INT4_GROUP - 1) / INT4_GROUP, whole = n / ROW_WIDTH, rest = n % ROW_WIDTH;
  ROLLED for (unsigned r = 0; r < m; r++, x += k, y += n) {
    const float step = quantise_row(x, row, k, groups * INT4_GROUP, INT4_LIMIT);
    if (whole) row_int4(row, step, panels, y, whole, groups, low, high);
    if (rest) {
      row_int4(row, step, panels + whole * (4 * ROW_WIDTH + groups * INT4_GROUP_BYTES), last, 1, groups, low, high);
      copy_bytes((uint8_t *)(y + whole * ROW_WIDTH), (const uint8_t *)last, 4 * rest);
    }
  }
}

#endif
