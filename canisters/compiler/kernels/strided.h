// Elements that lie apart, read into a row or written from one: what turns the axes of a tensor. Steps are constants, in elements.
#ifndef COMMONWEIGHT_STRIDED_H
#define COMMONWEIGHT_STRIDED_H

#include "base.h"

// to[i] = from[step * i]: a lane at a time, a vector at once.
INLINE void gather_32(uint32_t *to, const uint32_t *from, const unsigned step, const unsigned n) {
  unsigned i = 0;
  ROLLED for (; i + 16 <= n; i += 16, to += 16, from += 16 * step) {
    UNROLL for (unsigned k = 0; k < 16; k += 4) {
      v128_t v = wasm_v128_load32_zero(from + k * step);
      v = wasm_v128_load32_lane(from + (k + 1) * step, v, 1);
      v = wasm_v128_load32_lane(from + (k + 2) * step, v, 2);
      wasm_v128_store(to + k, wasm_v128_load32_lane(from + (k + 3) * step, v, 3));
    }
  }
  ROLLED for (; i < n; i++, from += step) *to++ = *from;
}

// to[to_step * i] = from[from_step * i] for elements of any type, eight a turn.
#define MOVE_EACH(type, to, to_step, from, from_step, n)                                                         \
  do {                                                                                                           \
    type *t_ = to;                                                                                               \
    const type *f_ = from;                                                                                       \
    unsigned i_ = 0;                                                                                             \
    ROLLED for (; i_ + 8 <= (n); i_ += 8, t_ += 8 * (to_step), f_ += 8 * (from_step)) {                          \
      t_[0] = f_[0], t_[1 * (to_step)] = f_[1 * (from_step)], t_[2 * (to_step)] = f_[2 * (from_step)];           \
      t_[3 * (to_step)] = f_[3 * (from_step)], t_[4 * (to_step)] = f_[4 * (from_step)];                          \
      t_[5 * (to_step)] = f_[5 * (from_step)], t_[6 * (to_step)] = f_[6 * (from_step)];                          \
      t_[7 * (to_step)] = f_[7 * (from_step)];                                                                   \
    }                                                                                                            \
    ROLLED for (; i_ < (n); i_++, t_ += (to_step), f_ += (from_step)) *t_ = *f_;                                 \
  } while (0)

#endif
