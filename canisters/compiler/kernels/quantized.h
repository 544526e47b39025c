// Floats to integers of one or two bytes, four at a time.
#ifndef COMMONWEIGHT_QUANTIZED_H
#define COMMONWEIGHT_QUANTIZED_H

#include "elements.h"

// The low `bytes` (1 or 2) of each lane to neighbouring elements; only the first n lanes.
INLINE void store_integers(uint8_t *to, v128_t v, const unsigned bytes, unsigned n) {
  if (bytes == 1) {
    const v128_t low = wasm_i8x16_shuffle(v, v, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    if (n >= 4) {
      wasm_v128_store32_lane(to, low, 0);
      return;
    }
    wasm_v128_store8_lane(to, low, 0);
    if (n > 1) wasm_v128_store8_lane(to + 1, low, 1);
    if (n > 2) wasm_v128_store8_lane(to + 2, low, 2);
  } else {
    const v128_t low = wasm_i8x16_shuffle(v, v, 0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13);
    if (n >= 4) {
      wasm_v128_store64_lane(to, low, 0);
      return;
    }
    wasm_v128_store16_lane(to, low, 0);
    if (n > 1) wasm_v128_store16_lane(to + 2, low, 1);
    if (n > 2) wasm_v128_store16_lane(to + 4, low, 2);
  }
}

// to[i] = value(i), whole numbers within the type's range, for n elements of `bytes`.
#define EACH_INTEGER(to, n, bytes, value)                                                                      \
  do {                                                                                                         \
    unsigned i = 0;                                                                                            \
    ROLLED for (; i + 4 <= (n); i += 4) store_integers((to) + i * (bytes), wasm_i32x4_trunc_sat_f32x4(value), bytes, 4); \
    if (i < (n)) store_integers((to) + i * (bytes), wasm_i32x4_trunc_sat_f32x4(value), bytes, (n) - i);        \
  } while (0)

INLINE float limited(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

#endif
