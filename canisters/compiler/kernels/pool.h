// Max and average over windows of bordered planes, four outputs of a row at a time.
#ifndef COMMONWEIGHT_POOL_H
#define COMMONWEIGHT_POOL_H

#include "conv_input.h"

// Every `step`-th float from p on, four of them.
INLINE f32x4 load_every(const float *p, const unsigned step) {
  if (step == 1) return load(p);
  if (step == 2) return wasm_i32x4_shuffle(load(p), load(p + 4), 0, 2, 4, 6);
  f32x4 v = wasm_v128_load32_zero(p);
  v = wasm_v128_load32_lane(p + step, v, 1);
  v = wasm_v128_load32_lane(p + 2 * step, v, 2);
  return wasm_v128_load32_lane(p + 3 * step, v, 3);
}

struct pool {
  unsigned planes, oh, ow, kh, kw, sh, sw, dh, dw, plane, pitch;
};

INLINE f32x4 pool_window(const float *x, struct pool s, const bool is_max) {
  f32x4 found = load_every(x, s.sw);
  UNROLL for (unsigned t = 1; t < s.kh * s.kw; t++) {
    const f32x4 next = load_every(x + t / s.kw * s.dh * s.pitch + t % s.kw * s.dw, s.sw);
    found = is_max ? at_least(found, next) : add(found, next);
  }
  return found;
}

// The reads of a last vector that is not full may pass the row's end by up to three steps.
INLINE void max_pool_f32(const float *x, float *y, struct pool s) {
  ROLLED for (unsigned c = 0; c < s.planes; c++, x += s.plane)
    ROLLED for (unsigned i = 0; i < s.oh; i++, y += s.ow) {
      const float *row = x + i * s.sh * s.pitch;
      unsigned j = 0;
      ROLLED for (; j + 4 <= s.ow; j += 4) store(y + j, pool_window(row + j * s.sw, s, true));
      if (s.ow % 4) store_n(y + j, pool_window(row + j * s.sw, s, true), s.ow % 4);
    }
}

// `shares` (oh, ow): one over the number of elements that count in each window.
INLINE void average_pool_f32(const float *x, const float *shares, float *y, struct pool s) {
  ROLLED for (unsigned c = 0; c < s.planes; c++, x += s.plane) {
    const float *share = shares;
    ROLLED for (unsigned i = 0; i < s.oh; i++, y += s.ow, share += s.ow) {
      const float *row = x + i * s.sh * s.pitch;
      unsigned j = 0;
      ROLLED for (; j + 4 <= s.ow; j += 4) store(y + j, mul(pool_window(row + j * s.sw, s, false), load(share + j)));
      if (s.ow % 4) store_n(y + j, mul(pool_window(row + j * s.sw, s, false), load(share + j)), s.ow % 4);
    }
  }
}

#endif
