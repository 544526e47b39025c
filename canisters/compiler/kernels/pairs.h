// Elementary functions on two float64 lanes, and on four float32 lanes through them: what is too rare to have its own float32 form.
// No libm. Infinities, NaN and signed zeros go where IEEE 754 sends them.
//
// exp, log, sine and cosine use the polynomials of Sun's fdlibm (e_exp.c, e_log.c, k_sin.c, k_cos.c), atan that of the Cephes library; erf's
// are Chebyshev interpolations of erf(x)/x and of x exp(x^2) erfc(x) over (x - 3)/(x + 3). What is near 1 goes through Kahan's forms of
// expm1 and log1p. Errors: tests/canisters/compiler/test_functions.py.
#ifndef COMMONWEIGHT_PAIRS_H
#define COMMONWEIGHT_PAIRS_H

#include "elements.h"

typedef v128_t f64x2;
#define PAIR static __attribute__((noinline)) f64x2

INLINE f64x2 pair(double x) { return wasm_f64x2_splat(x); }
INLINE f64x2 add2(f64x2 a, f64x2 b) { return wasm_f64x2_add(a, b); }
INLINE f64x2 sub2(f64x2 a, f64x2 b) { return wasm_f64x2_sub(a, b); }
INLINE f64x2 mul2(f64x2 a, f64x2 b) { return wasm_f64x2_mul(a, b); }
INLINE f64x2 divide2(f64x2 a, f64x2 b) { return wasm_f64x2_div(a, b); }
INLINE f64x2 sign_of(f64x2 x) { return wasm_v128_and(x, wasm_i64x2_const_splat(INT64_MIN)); }
// p = p * z + c
#define STEP2(p, z, c) p = add2(mul2(p, z), pair(c))

INLINE f64x2 power_of_two2(v128_t n) {
  return wasm_i64x2_shl(wasm_i64x2_add(wasm_i64x2_extend_low_i32x4(n), wasm_i64x2_const_splat(1023)), 52);
}

PAIR exp_pair(f64x2 x) {
  x = wasm_f64x2_pmin(wasm_f64x2_pmax(x, pair(-746.0)), pair(710.0));
  const f64x2 whole = wasm_f64x2_nearest(mul2(x, pair(1.44269504088896338700e+00)));
  const f64x2 high = sub2(x, mul2(whole, pair(6.93147180369123816490e-01)));
  const f64x2 low = mul2(whole, pair(1.90821492927058770002e-10));
  const f64x2 r = sub2(high, low), z = mul2(r, r);
  f64x2 p = pair(4.13813679705723846039e-08);
  STEP2(p, z, -1.65339022054652515390e-06);
  STEP2(p, z, 6.61375632143793436117e-05);
  STEP2(p, z, -2.77777777770155933842e-03);
  STEP2(p, z, 1.66666666666666019037e-01);
  const f64x2 c = sub2(r, mul2(z, p));
  const f64x2 y = add2(pair(1.0), sub2(high, sub2(low, divide2(mul2(r, c), sub2(pair(2.0), c)))));
  const v128_t n = wasm_i32x4_trunc_sat_f64x2_zero(whole), half = wasm_i32x4_shr(n, 1);
  return mul2(mul2(y, power_of_two2(half)), power_of_two2(wasm_i32x4_sub(n, half)));
}

PAIR log_pair(f64x2 x) {
  const v128_t tiny = wasm_f64x2_lt(x, pair(0x1p-1022));
  const v128_t bits = wasm_i64x2_sub(choose(tiny, mul2(x, pair(0x1p54)), x), wasm_i64x2_const_splat(0x3fe6a09e667f3bcd));
  const v128_t whole = wasm_i64x2_shr(bits, 52);
  f64x2 k = wasm_f64x2_convert_low_i32x4(wasm_i32x4_shuffle(whole, whole, 0, 2, 0, 2));
  k = sub2(k, wasm_v128_and(tiny, pair(54.0)));
  const v128_t fraction = wasm_v128_and(bits, wasm_i64x2_const_splat(0x000fffffffffffff));
  const f64x2 f = sub2(wasm_i64x2_add(fraction, wasm_i64x2_const_splat(0x3fe6a09e667f3bcd)), pair(1.0));
  const f64x2 s = divide2(f, add2(pair(2.0), f)), z = mul2(s, s), square = mul2(mul2(f, f), pair(0.5));
  f64x2 p = pair(1.479819860511658591e-01);
  STEP2(p, z, 1.531383769920937332e-01);
  STEP2(p, z, 1.818357216161805012e-01);
  STEP2(p, z, 2.222219843214978396e-01);
  STEP2(p, z, 2.857142874366239149e-01);
  STEP2(p, z, 3.999999999940941908e-01);
  STEP2(p, z, 6.666666666666735130e-01);
  const f64x2 rest = add2(mul2(s, add2(square, mul2(z, p))), mul2(k, pair(1.90821492927058770002e-10)));
  f64x2 found = sub2(mul2(k, pair(6.93147180369123816490e-01)), sub2(sub2(square, rest), f));
  found = choose(wasm_f64x2_eq(x, pair(0.0)), pair(-__builtin_inf()), found);
  found = choose(wasm_f64x2_eq(x, pair(__builtin_inf())), x, found);
  return choose(wasm_v128_or(wasm_f64x2_lt(x, pair(0.0)), wasm_f64x2_ne(x, x)), pair(__builtin_nan("")), found);
}

// log(1 + x): what 1 + x loses is made up for by the slope.
INLINE f64x2 log1p_pair(f64x2 x) {
  const f64x2 u = add2(pair(1.0), x), off = sub2(u, pair(1.0));
  const f64x2 found = mul2(log_pair(u), divide2(x, off));
  const v128_t plain = wasm_v128_or(wasm_f64x2_eq(off, pair(0.0)), wasm_f64x2_eq(x, pair(__builtin_inf())));
  return choose(plain, x, found);
}

// exp(x) - 1, the same way.
INLINE f64x2 expm1_pair(f64x2 x) {
  const f64x2 u = exp_pair(x), off = sub2(u, pair(1.0));
  const f64x2 found = mul2(off, divide2(x, log_pair(u)));
  const v128_t far = wasm_v128_or(wasm_f64x2_lt(x, pair(-40.0)), wasm_f64x2_gt(x, pair(40.0)));
  return choose(wasm_f64x2_eq(off, pair(0.0)), x, choose(far, off, found));
}

INLINE f64x2 sigmoid_pair(f64x2 x) {
  const f64x2 e = exp_pair(wasm_v128_or(x, pair(-0.0)));
  const f64x2 whole = add2(e, pair(1.0));
  return choose(wasm_f64x2_lt(x, pair(0.0)), divide2(e, whole), divide2(pair(1.0), whole));
}

PAIR tanh_pair(f64x2 x) {
  const f64x2 t = expm1_pair(wasm_f64x2_pmin(mul2(wasm_f64x2_abs(x), pair(2.0)), pair(45.0)));
  return wasm_v128_or(divide2(t, add2(t, pair(2.0))), sign_of(x));
}

PAIR sinh_pair(f64x2 x) {
  const f64x2 size = wasm_f64x2_abs(x), t = expm1_pair(size);
  const f64x2 near = mul2(add2(t, divide2(t, add2(t, pair(1.0)))), pair(0.5));
  const f64x2 root = exp_pair(mul2(size, pair(0.5)));
  return wasm_v128_or(choose(wasm_f64x2_lt(size, pair(700.0)), near, mul2(mul2(root, pair(0.5)), root)), sign_of(x));
}

PAIR cosh_pair(f64x2 x) {
  const f64x2 size = wasm_f64x2_abs(x), e = exp_pair(size);
  const f64x2 near = mul2(add2(e, divide2(pair(1.0), e)), pair(0.5));
  const f64x2 root = exp_pair(mul2(size, pair(0.5)));
  return choose(wasm_f64x2_lt(size, pair(700.0)), near, mul2(mul2(root, pair(0.5)), root));
}

PAIR asinh_pair(f64x2 x) {
  const f64x2 size = wasm_f64x2_abs(x), square = mul2(x, x);
  const f64x2 near = log1p_pair(add2(size, divide2(square, add2(pair(1.0), wasm_f64x2_sqrt(add2(square, pair(1.0)))))));
  const f64x2 far = add2(log_pair(size), pair(6.93147180559945286227e-01));
  return wasm_v128_or(choose(wasm_f64x2_gt(size, pair(0x1p28)), far, near), sign_of(x));
}

PAIR acosh_pair(f64x2 x) {
  const f64x2 t = sub2(x, pair(1.0));
  const f64x2 near = log1p_pair(add2(t, wasm_f64x2_sqrt(add2(mul2(t, pair(2.0)), mul2(t, t)))));
  const f64x2 found = choose(wasm_f64x2_gt(x, pair(0x1p28)), add2(log_pair(x), pair(6.93147180559945286227e-01)), near);
  return choose(wasm_f64x2_lt(x, pair(1.0)), pair(__builtin_nan("")), found);
}

PAIR atanh_pair(f64x2 x) {
  const f64x2 size = wasm_f64x2_abs(x);
  const f64x2 found = log1p_pair(divide2(mul2(size, pair(2.0)), sub2(pair(1.0), size)));
  return wasm_v128_or(mul2(found, pair(0.5)), sign_of(x));
}

PAIR atan_pair(f64x2 x) {
  const f64x2 size = wasm_f64x2_abs(x);
  const v128_t far = wasm_f64x2_gt(size, pair(2.41421356237309504880)), middle = wasm_v128_andnot(wasm_f64x2_gt(size, pair(0.66)), far);
  const f64x2 top = choose(far, pair(-1.0), choose(middle, sub2(size, pair(1.0)), size));
  const f64x2 w = divide2(top, choose(far, size, choose(middle, add2(size, pair(1.0)), pair(1.0)))), z = mul2(w, w);
  f64x2 p = pair(-8.750608600031904122785e-1);
  STEP2(p, z, -1.615753718733365076637e1);
  STEP2(p, z, -7.500855792314704667340e1);
  STEP2(p, z, -1.228866684490136173410e2);
  STEP2(p, z, -6.485021904942025371773e1);
  f64x2 q = add2(z, pair(2.485846490142306297962e1));
  STEP2(q, z, 1.650270098316988542046e2);
  STEP2(q, z, 4.328810604912902668951e2);
  STEP2(q, z, 4.853903996359136964868e2);
  STEP2(q, z, 1.945506571482613964425e2);
  f64x2 found = add2(mul2(mul2(w, z), divide2(p, q)), w);
  // What pi/2 and pi/4 lose in their last place.
  found = add2(found, choose(far, pair(6.123233995736765886130e-17), choose(middle, pair(3.061616997868382943065e-17), pair(0.0))));
  found = add2(found, choose(far, pair(1.57079632679489661923), choose(middle, pair(0.78539816339744830962), pair(0.0))));
  return wasm_v128_or(found, sign_of(x));
}

INLINE f64x2 asin_pair(f64x2 x) {
  return atan_pair(divide2(x, wasm_f64x2_sqrt(mul2(sub2(pair(1.0), x), add2(pair(1.0), x)))));
}
INLINE f64x2 acos_pair(f64x2 x) {
  return mul2(atan_pair(wasm_f64x2_sqrt(divide2(sub2(pair(1.0), x), add2(pair(1.0), x)))), pair(2.0));
}

PAIR erf_pair(f64x2 x) {
  static const double near_[13] = {
      5.957176147748911e-11, -1.1372848856791674e-09, 1.4659775274047436e-08, -1.6350312701054695e-07, 1.6461000484121368e-06,
      -1.4925595266831182e-05, 0.0001205533111164271, -0.000854832698083379, 0.0052239776248180145, -0.026866170645076792,
      0.11283791670954879, -0.3761263890318375, 1.1283791670955126};
  static const double far_[19] = {
      -1.1591251304144276e-07, -3.0821651095915934e-07, 3.0927090505471543e-07, 1.8828160893541227e-06, -9.951624193706868e-07,
      -1.1110627934666245e-05, 6.464301715826555e-06, 6.89799851589973e-05, -8.460824475911716e-05, -0.00041254379124066036,
      0.0012428761612029565, 0.0009108226890604961, -0.014019825626244922, 0.046350263331293884, -0.09546975030662629,
      0.13988054760176996, -0.14658304803289104, 0.09530622695922802, 0.5370034535441699};
  const f64x2 size = wasm_f64x2_pmin(wasm_f64x2_abs(x), pair(6.0)), z = mul2(size, size);
  f64x2 p = pair(near_[0]);
  ROLLED for (unsigned i = 1; i < 13; i++) STEP2(p, z, near_[i]);
  const f64x2 t = divide2(sub2(size, pair(3.0)), add2(size, pair(3.0)));
  f64x2 q = pair(far_[0]);
  ROLLED for (unsigned i = 1; i < 19; i++) STEP2(q, t, far_[i]);
  const f64x2 far = sub2(pair(1.0), divide2(mul2(exp_pair(wasm_f64x2_neg(z)), q), size));
  return wasm_v128_or(choose(wasm_f64x2_lt(size, pair(1.0)), mul2(size, p), far), sign_of(x));
}

// --- sine, cosine, tangent ---

// 2/pi to 1280 bits.
static const uint32_t TWO_OVER_PI[40] = {
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561, 0xb7246e3a, 0x424dd2e0,
    0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484, 0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4,
    0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f, 0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d,
    0x7527bac7, 0xebe5f17b, 0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab, 0xf0cfbc20, 0x9af4361d};

// A large |x| less the nearest multiple of pi/2, and that multiple's number modulo 4. x = m 2^e: bits of 2/pi whose product with m is a
// multiple of 4 are passed over, 192 of the next ones multiplied.
static double reduced_large(double x, int64_t *quadrant) {
  union { double f; uint64_t u; } in = {x};
  const int e = (int)(in.u >> 52 & 0x7ff) - 1075;
  *quadrant = 0;
  if (e == 972) return __builtin_nan("");
  const uint64_t m = (in.u & 0xfffffffffffff) | 1ull << 52;
  const unsigned skip = e > 2 ? (unsigned)e - 2 : 0, word = skip / 32, bit = skip % 32;
  // limbs: the product, least first; digits of 2/pi from the last of six words up.
  uint32_t limbs[8] = {0};
  ROLLED for (unsigned i = 0; i < 6; i++) {
    const uint64_t two = (uint64_t)TWO_OVER_PI[word + 5 - i] << 32 | TWO_OVER_PI[word + 6 - i];
    const uint64_t digit = (uint32_t)(two >> (32 - bit));
    uint64_t carry = 0;
    ROLLED for (unsigned j = 0; j < 2; j++) {
      carry += limbs[i + j] + digit * (uint32_t)(m >> 32 * j);
      limbs[i + j] = (uint32_t)carry;
      carry >>= 32;
    }
    limbs[i + 2] = (uint32_t)carry;
  }
  // The point stands 192 - (e - skip) bits from the end: the two bits before it are the quadrant, 128 behind it the fraction.
  const unsigned point = (unsigned)(192 - (e - (int)skip));
  uint64_t parts[3];
  ROLLED for (unsigned i = 0; i < 3; i++) {
    const unsigned from = point + 64 - 64 * (i + 1), at = from / 32, by = from % 32;
    const uint64_t low = (uint64_t)(at + 1 < 8 ? limbs[at + 1] : 0) << 32 | limbs[at], high = at + 2 < 8 ? limbs[at + 2] : 0;
    parts[i] = by ? low >> by | high << (64 - by) : low;
  }
  int64_t q = (int64_t)(parts[0] & 3);
  double sign = 1.0;
  if (parts[1] >> 63) {
    q++;
    sign = -1.0;
    parts[2] = ~parts[2];
    parts[1] = ~parts[1];
  }
  const double fraction = (double)parts[1] * 0x1p-64 + (double)parts[2] * 0x1p-128;
  const bool is_negative = in.u >> 63;
  *quadrant = is_negative ? -q : q;
  return (is_negative ? -sign : sign) * fraction * 1.57079632679489661923;
}

// To [-pi/4, pi/4]; `quadrant` gets the number of the multiple taken off, modulo 4.
INLINE f64x2 reduced_pair(f64x2 x, v128_t *quadrant) {
  const f64x2 k = wasm_f64x2_nearest(mul2(x, pair(0.636619772367581343076)));
  f64x2 r = sub2(x, mul2(k, pair(1.57079632673412561417e+00)));
  r = sub2(r, mul2(k, pair(6.07710050630396597660e-11)));
  r = sub2(r, mul2(k, pair(2.02226624879595063154e-21)));
  r = choose(wasm_f64x2_eq(k, pair(0.0)), x, r);  // zero keeps its sign
  *quadrant = wasm_i64x2_extend_low_i32x4(wasm_i32x4_trunc_sat_f64x2_zero(k));
  if (!wasm_v128_any_true(wasm_f64x2_gt(wasm_f64x2_abs(x), pair(0x1p20)))) return r;
  int64_t q[2];
  const double a = reduced_large(wasm_f64x2_extract_lane(x, 0), &q[0]), b = reduced_large(wasm_f64x2_extract_lane(x, 1), &q[1]);
  const v128_t large = wasm_v128_not(wasm_f64x2_le(wasm_f64x2_abs(x), pair(0x1p20)));
  *quadrant = choose(large, wasm_i64x2_make(q[0], q[1]), *quadrant);
  return choose(large, wasm_f64x2_make(a, b), r);
}

INLINE f64x2 sine_kernel(f64x2 r, f64x2 z) {
  f64x2 p = pair(1.58969099521155010221e-10);
  STEP2(p, z, -2.50507602534068634195e-08);
  STEP2(p, z, 2.75573137070700676789e-06);
  STEP2(p, z, -1.98412698298579493134e-04);
  STEP2(p, z, 8.33333333332248946124e-03);
  STEP2(p, z, -1.66666666666666324348e-01);
  return choose(wasm_f64x2_eq(r, pair(0.0)), r, add2(r, mul2(mul2(r, z), p)));  // zero keeps its sign
}

INLINE f64x2 cosine_kernel(f64x2 z) {
  f64x2 p = pair(-1.13596475577881948265e-11);
  STEP2(p, z, 2.08757232129817482790e-09);
  STEP2(p, z, -2.75573143513906633035e-07);
  STEP2(p, z, 2.48015872894767294178e-05);
  STEP2(p, z, -1.38888888888741095749e-03);
  STEP2(p, z, 4.16666666666666019037e-02);
  return add2(sub2(pair(1.0), mul2(z, pair(0.5))), mul2(mul2(z, z), p));
}

// `shift` quadrants on: 0 is the sine, 1 the cosine.
PAIR circle_pair(f64x2 x, int64_t shift) {
  v128_t quadrant;
  const f64x2 r = reduced_pair(x, &quadrant), z = mul2(r, r);
  quadrant = wasm_i64x2_add(quadrant, wasm_i64x2_splat(shift));
  const v128_t is_odd = wasm_i64x2_ne(wasm_v128_and(quadrant, wasm_i64x2_const_splat(1)), wasm_i64x2_const_splat(0));
  const v128_t is_below = wasm_i64x2_shl(wasm_v128_and(quadrant, wasm_i64x2_const_splat(2)), 62);
  return wasm_v128_xor(choose(is_odd, cosine_kernel(z), sine_kernel(r, z)), is_below);
}

INLINE f64x2 sin_pair(f64x2 x) { return circle_pair(x, 0); }
INLINE f64x2 cos_pair(f64x2 x) { return circle_pair(x, 1); }

PAIR tan_pair(f64x2 x) {
  v128_t quadrant;
  const f64x2 r = reduced_pair(x, &quadrant), z = mul2(r, r);
  const f64x2 s = sine_kernel(r, z), c = cosine_kernel(z);
  const v128_t is_odd = wasm_i64x2_ne(wasm_v128_and(quadrant, wasm_i64x2_const_splat(1)), wasm_i64x2_const_splat(0));
  return divide2(choose(is_odd, wasm_f64x2_neg(c), s), choose(is_odd, s, c));
}

// --- powers ---

// x^y as C's pow: 1 when x is 1 or y is 0; NaN for a negative x and a y that is no integer. Within 2^-40 or so where exp(y log x) is finite.
static __attribute__((noinline)) double power_f(double x, double y) {
  if (x == 1.0 || y == 0.0) return 1.0;
  if (x != x || y != y) return __builtin_nan("");
  const double size = __builtin_fabs(x), inf = __builtin_inf();
  const bool is_whole = __builtin_trunc(y) == y, is_odd = is_whole && __builtin_trunc(y * 0.5) * 2.0 != y;
  if (__builtin_fabs(y) == inf) return size == 1.0 ? 1.0 : (size > 1.0) == (y > 0.0) ? inf : 0.0;
  const bool is_negative = (x < 0.0 || (x == 0.0 && 1.0 / x < 0.0)) && is_odd;
  double found;
  if (size == 0.0 || size == inf) {
    found = (size == 0.0) == (y < 0.0) ? inf : 0.0;
  } else if (x < 0.0 && !is_whole) {
    return __builtin_nan("");
  } else if (is_whole && __builtin_fabs(y) <= 64.0) {
    // Small whole powers by squaring: exact where the result is.
    double square = size;
    found = 1.0;
    ROLLED for (unsigned n = (unsigned)__builtin_wasm_trunc_saturate_s_i32_f64(__builtin_fabs(y)); n; n >>= 1, square *= square) {
      if (n & 1) found *= square;
    }
    if (y < 0.0) found = 1.0 / found;
  } else {
    found = wasm_f64x2_extract_lane(exp_pair(mul2(pair(y), log_pair(pair(size)))), 0);
  }
  return is_negative ? -found : found;
}

// --- four float32 lanes through two pairs ---

INLINE f32x4 through_pairs(f64x2 (*f)(f64x2), f32x4 x) {
  const f64x2 low = f(wasm_f64x2_promote_low_f32x4(x)), high = f(wasm_f64x2_promote_low_f32x4(wasm_i64x2_shuffle(x, x, 1, 0)));
  return wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(low), wasm_f32x4_demote_f64x2_zero(high), 0, 2);
}

#define WORDS_THROUGH_PAIRS(name) \
  static __attribute__((noinline)) f32x4 name##4(f32x4 x) { return through_pairs(name##_pair, x); }

WORDS_THROUGH_PAIRS(sin)
WORDS_THROUGH_PAIRS(cos)
WORDS_THROUGH_PAIRS(tan)
WORDS_THROUGH_PAIRS(asin)
WORDS_THROUGH_PAIRS(acos)
WORDS_THROUGH_PAIRS(atan)
WORDS_THROUGH_PAIRS(sinh)
WORDS_THROUGH_PAIRS(cosh)
WORDS_THROUGH_PAIRS(asinh)
WORDS_THROUGH_PAIRS(acosh)
WORDS_THROUGH_PAIRS(atanh)

// --- near 1, in float32 ---

INLINE f32x4 log1p4(f32x4 x) {
  const f32x4 u = add(splat(1.0f), x), off = sub(u, splat(1.0f));
  const f32x4 found = mul(log4(u), divide(x, off));
  return choose(wasm_v128_or(wasm_f32x4_eq(off, splat(0.0f)), wasm_f32x4_eq(x, splat(__builtin_inff()))), x, found);
}

// exp(x) - 1: exp4's own polynomial without the 1 where that is all of it.
INLINE f32x4 expm1_4(f32x4 r) {
  f32x4 y = splat(1.9875691500e-4f);
  y = add(mul(y, r), splat(1.3981999507e-3f));
  y = add(mul(y, r), splat(8.3334519073e-3f));
  y = add(mul(y, r), splat(4.1665795894e-2f));
  y = add(mul(y, r), splat(1.6666665459e-1f));
  y = add(mul(y, r), splat(5.0000001201e-1f));
  y = add(mul(mul(y, r), r), r);
  const v128_t near = wasm_f32x4_lt(wasm_f32x4_abs(r), splat(0.34f));
  return choose(near, y, sub(exp4(r), splat(1.0f)));
}

// log(1 + exp(x)), which overflows nowhere.
INLINE f32x4 softplus4(f32x4 x) {
  return add(at_least(x, splat(0.0f)), log1p4(exp4(wasm_v128_or(x, splat(-0.0f)))));
}
INLINE f64x2 softplus_pair(f64x2 x) {
  return add2(wasm_f64x2_pmax(x, pair(0.0)), log1p_pair(exp_pair(wasm_v128_or(x, pair(-0.0)))));
}

#endif
