// Loops over elements of every type: masks of bools, pairs of float64, halves; and arithmetic on single numbers where C leaves a gap.
//
// Nothing here traps: what ONNX leaves open is settled as the comments say.
#ifndef COMMONWEIGHT_ELEMENTS_H
#define COMMONWEIGHT_ELEMENTS_H

#include "rows.h"

// --- bools: a byte of 0 or 1 in memory, all bits of a lane in a mask ---

INLINE v128_t load_mask(const uint8_t *p) {
  const v128_t v = wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p));
  return wasm_i32x4_ne(wasm_u32x4_extend_low_u16x8(v), wasm_i32x4_const_splat(0));
}
INLINE v128_t splat_mask(const uint8_t *p) { return wasm_i32x4_splat(*p ? -1 : 0); }
INLINE v128_t load_pair_mask(const uint8_t *p) { return wasm_i64x2_make(p[0] ? -1 : 0, p[1] ? -1 : 0); }
INLINE v128_t splat_pair_mask(const uint8_t *p) { return wasm_i64x2_splat(*p ? -1 : 0); }

// to[i] = 1 where the mask of four lanes from i on is set.
#define EACH_MASK(to, n, mask)                                                                    \
  do {                                                                                            \
    const v128_t ones_ = wasm_u8x16_const_splat(1);                                               \
    unsigned i = 0;                                                                               \
    ROLLED for (; i + 16 <= (n); i += 4) {                                                        \
      const v128_t m0_ = mask;                                                                    \
      i += 4;                                                                                     \
      const v128_t m1_ = mask;                                                                    \
      i += 4;                                                                                     \
      const v128_t m2_ = mask;                                                                    \
      i += 4;                                                                                     \
      const v128_t m3_ = mask;                                                                    \
      const v128_t all_ = wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(m0_, m1_), wasm_i16x8_narrow_i32x4(m2_, m3_)); \
      wasm_v128_store((to) + i - 12, wasm_v128_and(all_, ones_));                                 \
    }                                                                                             \
    ROLLED for (; i < (n); i += 4) {                                                              \
      const unsigned bits_ = wasm_i32x4_bitmask(mask);                                            \
      (to)[i] = bits_ & 1;                                                                        \
      if (i + 1 < (n)) (to)[i + 1] = bits_ >> 1 & 1;                                              \
      if (i + 2 < (n)) (to)[i + 2] = bits_ >> 2 & 1;                                              \
      if (i + 3 < (n)) (to)[i + 3] = bits_ >> 3 & 1;                                              \
    }                                                                                             \
  } while (0)

// Sixteen bytes at a time.
#define EACH_BYTES(to, n, value)                                                 \
  do {                                                                           \
    unsigned i = 0;                                                              \
    ROLLED for (; i + 16 <= (n); i += 16) wasm_v128_store((to) + i, value);      \
    if (i < (n)) {                                                               \
      uint8_t rest_[16];                                                         \
      wasm_v128_store(rest_, value);                                             \
      ROLLED for (unsigned j_ = 0; i + j_ < (n); j_++) (to)[i + j_] = rest_[j_]; \
    }                                                                            \
  } while (0)

// --- float64, two lanes ---

INLINE v128_t load_pair(const double *p) { return wasm_v128_load(p); }
INLINE v128_t splat_pair(const double *p) { return wasm_v128_load64_splat(p); }

#define EACH_F64(to, n, value)                                                 \
  do {                                                                         \
    unsigned i = 0;                                                            \
    ROLLED for (; i + 2 <= (n); i += 2) wasm_v128_store((to) + i, value);      \
    if ((n) % 2) wasm_v128_store64_lane((to) + i, value, 0);                   \
  } while (0)

// --- halves: four lanes of 32 bits and back, to the nearest even one ---

INLINE f32x4 from_f16(v128_t h) {
  const f32x4 size = mul(wasm_i32x4_shl(wasm_v128_and(h, wasm_i32x4_const_splat(0x7fff)), 13), splat(0x1p112f));
  const v128_t special = wasm_v128_and(wasm_f32x4_ge(size, splat(65536.0f)), wasm_i32x4_const_splat(0x7f800000));
  const v128_t sign = wasm_i32x4_shl(wasm_v128_and(h, wasm_i32x4_const_splat(0x8000)), 16);
  return wasm_v128_or(wasm_v128_or(size, special), sign);
}

INLINE v128_t to_f16(f32x4 x) {
  const v128_t size = wasm_v128_and(x, wasm_i32x4_const_splat(0x7fffffff));
  const v128_t odd = wasm_v128_and(wasm_u32x4_shr(size, 13), wasm_i32x4_const_splat(1));
  const v128_t normal = wasm_u32x4_shr(wasm_i32x4_add(wasm_i32x4_sub(size, wasm_i32x4_const_splat(0x38000000 - 0xfff)), odd), 13);
  // The last bit of 0.5 counts 2^-24, as does that of a subnormal half: the addition rounds.
  const v128_t tiny = wasm_i32x4_sub(add(size, splat(0.5f)), wasm_i32x4_const_splat(0x3f000000));
  const v128_t nan = wasm_v128_and(wasm_i32x4_gt(size, wasm_i32x4_const_splat(0x7f800000)), wasm_i32x4_const_splat(0x0200));
  v128_t h = choose(wasm_i32x4_lt(size, wasm_i32x4_const_splat(0x38800000)), tiny, normal);
  h = choose(wasm_i32x4_ge(size, wasm_i32x4_const_splat(0x47800000)), wasm_v128_or(nan, wasm_i32x4_const_splat(0x7c00)), h);
  return wasm_v128_or(h, wasm_v128_and(wasm_u32x4_shr(x, 16), wasm_i32x4_const_splat(0x8000)));
}

INLINE f32x4 from_bf16(v128_t h) { return wasm_i32x4_shl(h, 16); }

INLINE v128_t to_bf16(f32x4 x) {
  const v128_t odd = wasm_v128_and(wasm_u32x4_shr(x, 16), wasm_i32x4_const_splat(1));
  const v128_t near = wasm_u32x4_shr(wasm_i32x4_add(wasm_i32x4_add(x, wasm_i32x4_const_splat(0x7fff)), odd), 16);
  const v128_t nan = wasm_v128_or(wasm_u32x4_shr(x, 16), wasm_i32x4_const_splat(0x40));
  return choose(wasm_f32x4_ne(x, x), nan, near);
}

INLINE v128_t load_words16(const void *p) { return wasm_u32x4_extend_low_u16x8(wasm_v128_load64_zero(p)); }
INLINE f32x4 load_f16(const uint16_t *p) { return from_f16(load_words16(p)); }
INLINE f32x4 load_bf16(const uint16_t *p) { return from_bf16(load_words16(p)); }

// The low halves of the first n (1 to 4) lanes.
INLINE void store_words16(uint16_t *p, v128_t v, unsigned n) {
  const v128_t packed = wasm_u16x8_narrow_i32x4(v, v);
  if (n >= 4) {
    wasm_v128_store64_lane(p, packed, 0);
  } else {
    wasm_v128_store16_lane(p, packed, 0);
    if (n > 1) wasm_v128_store16_lane(p + 1, packed, 1);
    if (n > 2) wasm_v128_store16_lane(p + 2, packed, 2);
  }
}

#define EACH_F16(to, n, value) \
  do { ROLLED for (unsigned i = 0; i < (n); i += 4) store_words16((to) + i, to_f16(value), (n) - i); } while (0)
#define EACH_BF16(to, n, value) \
  do { ROLLED for (unsigned i = 0; i < (n); i += 4) store_words16((to) + i, to_bf16(value), (n) - i); } while (0)

INLINE float f16_of_bits(uint16_t h) { return wasm_f32x4_extract_lane(from_f16(wasm_i32x4_splat(h)), 0); }
INLINE float bf16_of_bits(uint16_t h) { return wasm_f32x4_extract_lane(from_bf16(wasm_i32x4_splat(h)), 0); }
INLINE uint16_t f16_of(float x) { return (uint16_t)wasm_i32x4_extract_lane(to_f16(splat(x)), 0); }
INLINE uint16_t bf16_of(float x) { return (uint16_t)wasm_i32x4_extract_lane(to_bf16(splat(x)), 0); }

// float64 to float32 with the last bit set when anything is lost: rounded once more to a shorter type it is right.
INLINE float odd_float(double x) {
  union { float f; uint32_t u; } near = {(float)x};
  if ((double)near.f == x || x != x || near.f - near.f != 0.0f) return near.f;
  if (__builtin_fabs((double)near.f) > __builtin_fabs(x)) near.u--;
  near.u |= 1;
  return near.f;
}

// --- floats of a byte ---

// The byte of the number nearest to x, ties to even, in a format of `mantissa` bits and this bias. `largest`: the code of its largest
// number; `beyond`: that of what is larger, unless it is held at the largest; `sign`: the sign's bit; is_fnuz: zero has no sign.
static uint8_t float_code(float x, int mantissa, int bias, uint8_t sign, uint8_t largest, uint8_t nan, uint8_t beyond, bool is_fnuz, bool is_held) {
  union { float f; uint32_t u; } in = {x};
  const uint8_t below = in.u >> 31 ? sign : 0;
  if (x != x) return is_fnuz ? nan : (uint8_t)(nan | below);
  in.u &= 0x7fffffff;
  int exponent = (int)(in.u >> 23) - 127;
  if (exponent < 1 - bias) exponent = 1 - bias;
  // In steps of the last place: at most 2^(mantissa + 1) of them.
  union { uint32_t u; float f; } scale = {(uint32_t)(127 + mantissa - exponent) << 23};
  int code = 0x7fff;
  if (exponent <= bias + 1) {
    code = __builtin_wasm_trunc_saturate_s_i32_f32(__builtin_rintf(in.f * scale.f)) + ((exponent + bias - 1) << mantissa);
  }
  if (code > largest) code = is_held ? largest : beyond;
  if (is_fnuz && (code == 0 || code == nan)) return (uint8_t)code;
  return (uint8_t)(code | below);
}

// The exponent alone, as a byte with bias 127: the next power of two up (0), down (1) or the nearest (2); 255 for NaN.
static uint8_t power_code(float x, int rounding, bool is_held) {
  union { float f; uint32_t u; } in = {x};
  if (x != x) return 255;
  in.u &= 0x7fffffff;
  if (in.u >> 23 == 255) return is_held ? 254 : 255;
  const uint32_t fraction = in.u & 0x7fffff;
  uint32_t code = in.u >> 23;
  const bool is_up = rounding == 0 ? fraction != 0 : rounding == 2 && fraction >= 0x400000;
  if (is_up && !(code == 254 && is_held)) code++;
  return (uint8_t)code;
}

// --- bytes and shorts as float32 ---

INLINE f32x4 load_u8(const uint8_t *p) {
  return wasm_f32x4_convert_i32x4(wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p))));
}
INLINE f32x4 load_i8(const int8_t *p) {
  return wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p))));
}
INLINE f32x4 load_u16(const uint16_t *p) { return wasm_f32x4_convert_i32x4(load_words16(p)); }
INLINE f32x4 load_i16(const int16_t *p) { return wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(wasm_v128_load64_zero(p))); }
INLINE f32x4 load_i32(const int32_t *p) { return wasm_f32x4_convert_i32x4(wasm_v128_load(p)); }

// --- floats to integers: cut off; beyond the type's range the low bits of a 64-bit integer, or its end; 0 for NaN ---

INLINE int64_t int_of(double x) { return __builtin_wasm_trunc_saturate_s_i64_f64(x); }
INLINE uint64_t natural_of(double x) {
  return x < 0 ? (uint64_t)int_of(x) : __builtin_wasm_trunc_saturate_u_i64_f64(x);
}

// --- division: by zero it is 0, and the smallest integer by -1 is itself ---

INLINE int64_t quotient_s(int64_t a, int64_t b) { return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b; }
INLINE uint64_t quotient_u(uint64_t a, uint64_t b) { return b == 0 ? 0 : a / b; }
INLINE int32_t quotient_s32(int32_t a, int32_t b) { return b == 0 ? 0 : b == -1 ? (int32_t)(0 - (uint32_t)a) : a / b; }
INLINE uint32_t quotient_u32(uint32_t a, uint32_t b) { return b == 0 ? 0 : a / b; }
// What is left has the sign of a.
INLINE int64_t rest_s(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
INLINE uint64_t rest_u(uint64_t a, uint64_t b) { return b == 0 ? 0 : a % b; }
// What is left has the sign of b.
INLINE int64_t modulo_s(int64_t a, int64_t b) {
  const int64_t rest = rest_s(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// Exact, with the sign of a: subtracts b times powers of two, as many as the exponents are apart.
static double rest_f(double a, double b) {
  union { double f; uint64_t u; } x = {a}, y = {b};
  const uint64_t sign = x.u & (1ull << 63);
  x.u &= ~(1ull << 63);
  y.u &= ~(1ull << 63);
  if (!(y.f > 0.0) || !(x.f < __builtin_inf())) return __builtin_nan("");
  if (x.f < y.f) return a;
  int64_t ex = (int64_t)(x.u >> 52), ey = (int64_t)(y.u >> 52);
  uint64_t mx = x.u & 0xfffffffffffff, my = y.u & 0xfffffffffffff;
  if (ex) mx |= 1ull << 52; else ex = 1;
  if (ey) my |= 1ull << 52; else ey = 1;
  ROLLED for (; ex > ey; ex--) {
    if (mx >= my) mx -= my;
    mx <<= 1;
  }
  if (mx >= my) mx -= my;
  if (mx == 0) {
    x.u = sign;
    return x.f;
  }
  const int64_t room = __builtin_clzll(mx) - 11;
  const int64_t shift = room < ey - 1 ? room : ey - 1;
  mx <<= shift;
  ey -= shift;
  x.u = sign | (mx >> 52 ? ((uint64_t)ey << 52) + (mx & 0xfffffffffffff) : mx);
  return x.f;
}

static double modulo_f(double a, double b) {
  const double rest = rest_f(a, b);
  return rest != 0.0 && (rest < 0.0) != (b < 0.0) ? rest + b : rest;
}

// By squaring, wrapping as integers do; 1/a^n is 0 unless a is 1 or -1, and of a zero it is 0 as well.
static int64_t power_s(int64_t a, int64_t n) {
  if (n < 0) return a == 1 ? 1 : a == -1 ? (n & 1 ? -1 : 1) : 0;
  uint64_t found = 1, square = (uint64_t)a;
  ROLLED for (; n; n >>= 1, square *= square) {
    if (n & 1) found *= square;
  }
  return (int64_t)found;
}

#endif
