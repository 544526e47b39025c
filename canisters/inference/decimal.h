// Decimal text to floats and back, exactly: what is read is the nearest float (ties to even), and what is written reads back as the same float.
//
// Both are long division on whole numbers of up to 2,400 bits, which holds any float32 or float64 against a power of ten of the same size,
// after a short way for what is exact in floating point anyway. No recursion, no allocation. Source of the short way: Clinger (1990), "How to
// Read Floating Point Numbers Accurately".
#ifndef COMMONWEIGHT_DECIMAL_H
#define COMMONWEIGHT_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

enum { LIMBS = 76, MAX_DIGITS = 64, MAX_EXPONENT = 400 };

struct whole {
  uint32_t count, limbs[LIMBS];  // the lowest first; none of the higher ones is 0
};
static struct whole above, below;  // the fraction that is being divided

static void whole_set(struct whole *x, uint64_t value) {
  x->count = 0;
  for (; value; value >>= 32) x->limbs[x->count++] = (uint32_t)value;
}

static void whole_multiply_add(struct whole *x, uint32_t by, uint32_t plus) {
  uint64_t carry = plus;
  for (uint32_t i = 0; i < x->count; i++) {
    carry += (uint64_t)x->limbs[i] * by;
    x->limbs[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry) x->limbs[x->count++] = (uint32_t)carry;
}

static int whole_compare(const struct whole *a, const struct whole *b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (uint32_t i = a->count; i--;)
    if (a->limbs[i] != b->limbs[i]) return a->limbs[i] < b->limbs[i] ? -1 : 1;
  return 0;
}

// a - b, where a is at least b.
static void whole_subtract(struct whole *a, const struct whole *b) {
  int64_t carry = 0;
  for (uint32_t i = 0; i < a->count; i++) {
    carry += (int64_t)a->limbs[i] - (i < b->count ? b->limbs[i] : 0);
    a->limbs[i] = (uint32_t)carry;
    carry >>= 32;
  }
  while (a->count && !a->limbs[a->count - 1]) a->count--;
}

static void whole_power(struct whole *x, uint32_t base, uint32_t exponent) {
  while (exponent--) whole_multiply_add(x, base, 0);
}

// above / below in binary: the nearest number of `bits` bits, with the exponents of a float of that size. Gives its bits without the sign.
static uint64_t nearest_float(uint32_t bits, int32_t least_exponent, int32_t greatest_exponent) {
  if (!above.count) return 0;
  int32_t exponent = 0;
  for (; whole_compare(&above, &below) >= 0; exponent++) whole_multiply_add(&below, 2, 0);
  for (; whole_compare(&above, &below) < 0; exponent--) whole_multiply_add(&above, 2, 0);
  // 1 <= above / below < 2 here, and the number is that times 2^exponent. Below the least exponent there are fewer bits.
  int32_t wanted = (int32_t)bits;
  if (exponent < least_exponent) wanted -= least_exponent - exponent;
  uint64_t mantissa = 0;
  for (int32_t i = 0; i < wanted; i++) {
    mantissa <<= 1;
    if (whole_compare(&above, &below) >= 0) {
      whole_subtract(&above, &below);
      mantissa |= 1;
    }
    whole_multiply_add(&above, 2, 0);
  }
  if (wanted < 0) return 0;
  // The rest is above / below of a last place, doubled.
  const int rest = whole_compare(&above, &below);
  if (rest > 0 || (!rest && (mantissa & 1))) mantissa++;
  if (wanted == 0 && rest >= 0) mantissa = rest > 0;
  if (exponent < least_exponent) return mantissa;  // with all its bits it has become the least normal number
  if (mantissa >> bits) exponent++, mantissa >>= 1;
  if (exponent > greatest_exponent) return (uint64_t)(greatest_exponent - least_exponent + 2) << (bits - 1);
  return ((uint64_t)(exponent - least_exponent + 1) << (bits - 1)) | (mantissa & (((uint64_t)1 << (bits - 1)) - 1));
}

struct decimal {  // a number as it is written: digits * 10^exponent
  uint8_t digits[MAX_DIGITS];
  uint32_t count;
  int32_t exponent;
  bool is_negative, is_integer;
};

static uint64_t first_digits(const struct decimal *d, uint32_t count) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < count; i++) value = value * 10 + d->digits[i];
  return value;
}

static void as_fraction(const struct decimal *d) {
  whole_set(&above, 0);
  for (uint32_t i = 0; i < d->count; i++) {
    whole_multiply_add(&above, 10, d->digits[i]);
  }
  whole_set(&below, 1);
  if (d->exponent >= 0) {
    whole_power(&above, 10, (uint32_t)d->exponent);
  } else {
    whole_power(&below, 10, (uint32_t)-d->exponent);
  }
}

static uint32_t float_bits(const struct decimal *d) {
  static const float TENS[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f, 1e8f, 1e9f, 1e10f};
  const uint32_t sign = d->is_negative ? 1u << 31 : 0;
  const int32_t e = d->exponent;
  if (d->count <= 7 && e >= -10 && e <= 10) {  // both are exact, so one rounding is left
    const float whole = (float)(int32_t)first_digits(d, d->count);
    const float value = e < 0 ? whole / TENS[-e] : whole * TENS[e];
    uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits | sign;
  }
  as_fraction(d);
  return (uint32_t)nearest_float(24, -126, 127) | sign;
}

static uint64_t double_bits(const struct decimal *d) {
  as_fraction(d);
  return nearest_float(53, -1022, 1023) | (d->is_negative ? 1ull << 63 : 0);
}

// A positive finite number, mantissa * 2^exponent, in `places` digits: digits[0].digits[1].. * 10^(the result).
static int32_t decimal_digits(uint64_t mantissa, int32_t exponent, uint32_t places, uint8_t *digits) {
  whole_set(&above, mantissa);
  whole_set(&below, 1);
  whole_power(exponent < 0 ? &below : &above, 2, (uint32_t)(exponent < 0 ? -exponent : exponent));
  int32_t tens = 0;
  for (; whole_compare(&above, &below) >= 0; tens++) whole_multiply_add(&below, 10, 0);
  for (; whole_compare(&above, &below) < 0; tens--) whole_multiply_add(&above, 10, 0);
  for (uint32_t i = 0; i < places; i++) {
    digits[i] = 0;
    for (; whole_compare(&above, &below) >= 0; digits[i]++) whole_subtract(&above, &below);
    whole_multiply_add(&above, 10, 0);
  }
  whole_multiply_add(&below, 5, 0);
  const int rest = whole_compare(&above, &below);
  if (rest > 0 || (!rest && (digits[places - 1] & 1))) {
    uint32_t i = places;
    while (i && digits[i - 1] == 9) digits[--i] = 0;
    if (i) {
      digits[i - 1]++;
    } else {  // 99.9 has become 100
      digits[0] = 1;
      tens++;
    }
  }
  return tens;
}

#endif
