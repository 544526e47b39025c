// The vocabulary of all kernels: fixed addresses, vectors of four floats, loads and stores that keep to what they were given.
//
// A tensor is an integer address known when the C is written. A load may read up to 64 bytes past the end of its tensor (the memory plan
// leaves that slack); no store ever passes the end. Counts are unsigned: an offset that provably does not wrap folds into the
// instruction. Costs meant here are the network's instruction weights: pmax 1 where f32x4.max is 4 and f32.max 18.
#ifndef COMMONWEIGHT_BASE_H
#define COMMONWEIGHT_BASE_H

#include <stdbool.h>
#include <stdint.h>
#include <wasm_simd128.h>

#define INLINE static inline __attribute__((always_inline))
#define NODE static __attribute__((noinline))
#define SHARED static __attribute__((noinline))  // one copy for all nodes that call it
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)") _Pragma("clang loop vectorize(disable)")

#define F32(address) ((float *)(address))
#define I64(address) ((int64_t *)(address))
#define I32(address) ((int32_t *)(address))
#define I16(address) ((int16_t *)(address))
#define I8(address) ((int8_t *)(address))
#define U8(address) ((uint8_t *)(address))

typedef v128_t f32x4;

INLINE f32x4 load(const float *p) { return wasm_v128_load(p); }
INLINE f32x4 load_splat(const float *p) { return wasm_v128_load32_splat(p); }
INLINE void store(float *p, f32x4 v) { wasm_v128_store(p, v); }
INLINE f32x4 splat(float x) { return wasm_f32x4_splat(x); }
INLINE f32x4 add(f32x4 a, f32x4 b) { return wasm_f32x4_add(a, b); }
INLINE f32x4 sub(f32x4 a, f32x4 b) { return wasm_f32x4_sub(a, b); }
INLINE f32x4 mul(f32x4 a, f32x4 b) { return wasm_f32x4_mul(a, b); }
INLINE f32x4 divide(f32x4 a, f32x4 b) { return wasm_f32x4_div(a, b); }

// The first n (1 to 4) lanes.
INLINE void store_n(float *p, f32x4 v, unsigned n) {
  if (n >= 4) {
    wasm_v128_store(p, v);
  } else if (n == 3) {
    wasm_v128_store64_lane(p, v, 0);
    wasm_v128_store32_lane(p + 2, v, 2);
  } else if (n == 2) {
    wasm_v128_store64_lane(p, v, 0);
  } else if (n == 1) {
    wasm_v128_store32_lane(p, v, 0);
  }
}

// Lane 0..3 to four places that lie `step` floats apart; only the first n.
INLINE void store_lanes(float *p, unsigned step, f32x4 v, unsigned n) {
  wasm_v128_store32_lane(p, v, 0);
  if (n > 1) wasm_v128_store32_lane(p + step, v, 1);
  if (n > 2) wasm_v128_store32_lane(p + 2 * step, v, 2);
  if (n > 3) wasm_v128_store32_lane(p + 3 * step, v, 3);
}

// NaN in the first operand stays; in the second it loses: pmax(a, b) is a < b ? b : a.
INLINE f32x4 at_least(f32x4 v, f32x4 low) { return wasm_f32x4_pmax(v, low); }
INLINE f32x4 at_most(f32x4 v, f32x4 high) { return wasm_f32x4_pmin(v, high); }

// The larger, NaN when either is.
INLINE f32x4 larger(f32x4 a, f32x4 b) { return wasm_f32x4_max(a, b); }
INLINE f32x4 smaller(f32x4 a, f32x4 b) { return wasm_f32x4_min(a, b); }

INLINE f32x4 choose(f32x4 mask, f32x4 yes, f32x4 no) { return wasm_v128_bitselect(yes, no, mask); }

// The first n lanes of v, `rest` in the others.
INLINE f32x4 first_n(f32x4 v, f32x4 rest, unsigned n) {
  const v128_t lane = wasm_i32x4_const(0, 1, 2, 3);
  return n >= 4 ? v : choose(wasm_i32x4_lt(lane, wasm_i32x4_splat((int)n)), v, rest);
}

INLINE float sum_of(f32x4 v) {
  v = add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  v = add(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2));
  return wasm_f32x4_extract_lane(v, 0);
}

INLINE float largest_of(f32x4 v) {
  v = larger(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
  v = larger(v, wasm_i32x4_shuffle(v, v, 1, 0, 3, 2));
  return wasm_f32x4_extract_lane(v, 0);
}

// The sum of n values (a constant, at most 16) by halves: as many additions as one after the other, but on wasm's stack and without each
// waiting for the one before. `values` is used up.
INLINE f32x4 tree_sum(f32x4 *values, const unsigned n) {
  UNROLL for (unsigned half = 1; half < n; half *= 2)
    UNROLL for (unsigned i = 0; i + half < n; i += 2 * half) values[i] = add(values[i], values[i + half]);
  return values[0];
}

// Copies and fills without memory.copy and memory.fill, which cost one instruction a byte; eight vectors a turn, each stored as it is loaded,
// so that none needs a local.
INLINE void copy_bytes(uint8_t *to, const uint8_t *from, uint32_t size) {
  uint32_t i = 0;
  ROLLED for (; i + 128 <= size; i += 128) {
    UNROLL for (uint32_t k = 0; k < 128; k += 16) wasm_v128_store(to + i + k, wasm_v128_load(from + i + k));
  }
  ROLLED for (; i + 16 <= size; i += 16) wasm_v128_store(to + i, wasm_v128_load(from + i));
  to += i, from += i, size -= i;
  if (size & 8) wasm_v128_store64_lane(to, wasm_v128_load64_zero(from), 0), to += 8, from += 8;
  if (size & 4) wasm_v128_store32_lane(to, wasm_v128_load32_zero(from), 0), to += 4, from += 4;
  if (size & 2) *to = *from, to[1] = from[1], to += 2, from += 2;
  if (size & 1) *to = *from;
}

INLINE void fill_f32(float *to, float value, unsigned n) {
  const f32x4 v = splat(value);
  unsigned i = 0;
  ROLLED for (; i + 16 <= n; i += 16) {
    store(to + i, v);
    store(to + i + 4, v);
    store(to + i + 8, v);
    store(to + i + 12, v);
  }
  ROLLED for (; i + 4 <= n; i += 4) store(to + i, v);
  store_n(to + i, v, n - i);
}

INLINE void fill_bytes(uint8_t *to, uint8_t value, uint32_t size) {
  const v128_t v = wasm_u8x16_splat(value);
  uint32_t i = 0;
  ROLLED for (; i + 64 <= size; i += 64)
    UNROLL for (uint32_t j = 0; j < 64; j += 16) wasm_v128_store(to + i + j, v);
  ROLLED for (; i + 16 <= size; i += 16) wasm_v128_store(to + i, v);
  ROLLED for (; i < size; i++) to[i] = value;
}

#endif
