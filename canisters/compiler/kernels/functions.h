// Elementary functions on four floats, with exact infinities, NaN kept, signed zero kept where the function is odd, and the activations
// that fused kernels apply to their results. No libm.
//
// exp and log follow the Cephes library's single-precision splitting and polynomials (S. L. Moshier, expf.c, logf.c); tanh (13 over 6) and
// erf (13 over 8) are the rational approximations that Eigen uses. Errors: tests/canisters/compiler/test_functions.py.
#ifndef COMMONWEIGHT_FUNCTIONS_H
#define COMMONWEIGHT_FUNCTIONS_H

#include "base.h"

// 2^n for n in [-126, 127].
INLINE f32x4 power_of_two(v128_t n) { return wasm_i32x4_shl(wasm_i32x4_add(n, wasm_i32x4_splat(127)), 23); }

// Within 1 ulp or so; subnormal results are kept, above 88.73 it is infinity, below -103.98 zero.
INLINE f32x4 exp4(f32x4 x) {
  x = at_most(at_least(x, splat(-105.0f)), splat(89.5f));
  const f32x4 whole = wasm_f32x4_nearest(mul(x, splat(0x1.715476p+0f)));
  f32x4 r = sub(x, mul(whole, splat(0.693359375f)));
  r = sub(r, mul(whole, splat(-2.12194440e-4f)));
  f32x4 y = splat(1.9875691500e-4f);
  y = add(mul(y, r), splat(1.3981999507e-3f));
  y = add(mul(y, r), splat(8.3334519073e-3f));
  y = add(mul(y, r), splat(4.1665795894e-2f));
  y = add(mul(y, r), splat(1.6666665459e-1f));
  y = add(mul(y, r), splat(5.0000001201e-1f));
  y = add(add(mul(mul(y, r), r), r), splat(1.0f));
  // In two steps, so that neither leaves the range of normal numbers: 2^129 and 2^-149 are both needed.
  const v128_t n = wasm_i32x4_trunc_sat_f32x4(whole);
  const v128_t half = wasm_i32x4_shr(n, 1);
  return mul(mul(y, power_of_two(half)), power_of_two(wasm_i32x4_sub(n, half)));
}

// NaN below zero, -infinity at zero.
INLINE f32x4 log4(f32x4 x) {
  const f32x4 tiny = wasm_f32x4_lt(x, splat(0x1p-126f));
  const f32x4 scaled = choose(tiny, mul(x, splat(0x1p23f)), x);
  const v128_t bits = wasm_i32x4_sub(scaled, wasm_i32x4_const_splat(0x3f3504f3));  // sqrt(1/2): the fraction lies around 1
  f32x4 e = wasm_f32x4_convert_i32x4(wasm_i32x4_shr(bits, 23));
  e = sub(e, wasm_v128_and(tiny, splat(23.0f)));
  const f32x4 m = wasm_i32x4_add(wasm_v128_and(bits, wasm_i32x4_const_splat(0x007fffff)), wasm_i32x4_const_splat(0x3f3504f3));
  const f32x4 r = sub(m, splat(1.0f));
  const f32x4 z = mul(r, r);
  f32x4 y = splat(7.0376836292e-2f);
  y = add(mul(y, r), splat(-1.1514610310e-1f));
  y = add(mul(y, r), splat(1.1676998740e-1f));
  y = add(mul(y, r), splat(-1.2420140846e-1f));
  y = add(mul(y, r), splat(1.4249322787e-1f));
  y = add(mul(y, r), splat(-1.6668057665e-1f));
  y = add(mul(y, r), splat(2.0000714765e-1f));
  y = add(mul(y, r), splat(-2.4999993993e-1f));
  y = add(mul(y, r), splat(3.3333331174e-1f));
  y = mul(mul(y, r), z);
  y = add(y, mul(e, splat(-2.12194440e-4f)));
  y = sub(y, mul(z, splat(0.5f)));
  f32x4 found = add(add(r, y), mul(e, splat(0.693359375f)));
  found = choose(wasm_f32x4_eq(x, splat(0.0f)), splat(-__builtin_inff()), found);
  found = choose(wasm_f32x4_eq(x, splat(__builtin_inff())), x, found);
  return choose(wasm_v128_or(wasm_f32x4_lt(x, splat(0.0f)), wasm_f32x4_ne(x, x)), splat(__builtin_nanf("")), found);
}

INLINE f32x4 sigmoid4(f32x4 x) {
  // exp of a negative number only, so that nothing overflows on the way: 1/(1+e) or e/(1+e).
  const f32x4 e = exp4(wasm_v128_or(x, splat(-0.0f)));
  const f32x4 down = divide(e, add(e, splat(1.0f)));
  return choose(wasm_f32x4_lt(x, splat(0.0f)), down, sub(splat(1.0f), down));
}

// x P(x^2) / Q(x^2); beyond the clamp the quotient is 1 to the last bit but one.
INLINE f32x4 tanh4(f32x4 x) {
  const f32x4 c = at_most(at_least(x, splat(-7.99881172180175781f)), splat(7.99881172180175781f));
  const f32x4 z = mul(c, c);
  f32x4 p = splat(-2.76076847742355e-16f);
  p = add(mul(p, z), splat(2.00018790482477e-13f));
  p = add(mul(p, z), splat(-8.60467152213735e-11f));
  p = add(mul(p, z), splat(5.12229709037114e-08f));
  p = add(mul(p, z), splat(1.48572235717979e-05f));
  p = add(mul(p, z), splat(6.37261928875436e-04f));
  p = add(mul(p, z), splat(4.89352455891786e-03f));
  f32x4 q = splat(1.19825839466702e-06f);
  q = add(mul(q, z), splat(1.18534705686654e-04f));
  q = add(mul(q, z), splat(2.26843463243900e-03f));
  q = add(mul(q, z), splat(4.89352518554385e-03f));
  return divide(mul(c, p), q);
}

INLINE f32x4 erf4(f32x4 x) {
  const f32x4 c = at_most(at_least(x, splat(-4.0f)), splat(4.0f));
  const f32x4 z = mul(c, c);
  f32x4 p = splat(-2.72614225801306e-10f);
  p = add(mul(p, z), splat(2.77068142495902e-08f));
  p = add(mul(p, z), splat(-2.10102402082508e-06f));
  p = add(mul(p, z), splat(-5.69250639462346e-05f));
  p = add(mul(p, z), splat(-7.34990630326855e-04f));
  p = add(mul(p, z), splat(-2.95459980854025e-03f));
  p = add(mul(p, z), splat(-1.60960333262415e-02f));
  f32x4 q = splat(-1.45660718464996e-05f);
  q = add(mul(q, z), splat(-2.13374055278905e-04f));
  q = add(mul(q, z), splat(-1.68282697438203e-03f));
  q = add(mul(q, z), splat(-7.37332916720468e-03f));
  q = add(mul(q, z), splat(-1.42647390514189e-02f));
  return divide(mul(c, p), q);
}

INLINE f32x4 gelu4(f32x4 x) {
  return mul(mul(splat(0.5f), x), add(splat(1.0f), erf4(mul(x, splat(0x1.6a09e6p-1f)))));
}

INLINE f32x4 gelu_tanh4(f32x4 x) {
  const f32x4 cubic = mul(mul(mul(x, x), x), splat(0.044715f));
  return mul(mul(splat(0.5f), x), add(splat(1.0f), tanh4(mul(splat(0.7978845608f), add(x, cubic)))));
}

INLINE f32x4 leaky_relu4(f32x4 x, float alpha) { return choose(wasm_f32x4_lt(x, splat(0.0f)), mul(x, splat(alpha)), x); }

enum activation { NONE, RELU, LEAKY_RELU, CLIP, SIGMOID, TANH, GELU, GELU_TANH };

// What a fused kernel does to each result; `p` and `q` are LeakyRelu's alpha, or Clip's low and high.
INLINE f32x4 activate(f32x4 x, enum activation kind, float p, float q) {
  switch (kind) {
    case RELU: return at_least(x, splat(0.0f));
    case LEAKY_RELU: return leaky_relu4(x, p);
    case CLIP: return at_most(at_least(x, splat(p)), splat(q));
    case SIGMOID: return sigmoid4(x);
    case TANH: return tanh4(x);
    case GELU: return gelu4(x);
    case GELU_TANH: return gelu_tanh4(x);
    default: return x;
  }
}

#endif
