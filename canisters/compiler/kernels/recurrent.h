// One step of a recurrent layer for one row of its batch: gates in, state and output out.
//
// The products with the weights are made before, for all steps at once (`x`, biases included) and for the state of the step before (`r`).
// Gates lie one after another, n floats each, in ONNX's order: LSTM input, output, forget, cell; GRU update, reset, hidden.
#ifndef COMMONWEIGHT_RECURRENT_H
#define COMMONWEIGHT_RECURRENT_H

#include "dense_row.h"

enum gate_kind {
  GATE_SIGMOID, GATE_TANH, GATE_RELU, GATE_LEAKY_RELU, GATE_THRESHOLDED_RELU, GATE_SCALED_TANH, GATE_HARD_SIGMOID, GATE_ELU, GATE_SOFTSIGN,
  GATE_SOFTPLUS, GATE_AFFINE
};

// `clip`: the largest magnitude of what goes in, 0 for none.
struct gate {
  enum gate_kind kind;
  float alpha, beta, clip;
};

INLINE f32x4 gate4(f32x4 x, struct gate g) {
  if (g.clip > 0.0f) x = at_most(at_least(x, splat(-g.clip)), splat(g.clip));
  const f32x4 zero = splat(0.0f), one = splat(1.0f), a = splat(g.alpha), b = splat(g.beta);
  switch (g.kind) {
    case GATE_SIGMOID: return sigmoid4(x);
    case GATE_TANH: return tanh4(x);
    case GATE_RELU: return at_least(x, zero);
    case GATE_LEAKY_RELU: return leaky_relu4(x, g.alpha);
    case GATE_THRESHOLDED_RELU: return choose(wasm_f32x4_lt(x, a), zero, x);
    case GATE_SCALED_TANH: return mul(a, tanh4(mul(b, x)));
    case GATE_HARD_SIGMOID: return at_most(at_least(add(mul(a, x), b), zero), one);
    case GATE_ELU: return choose(wasm_f32x4_lt(x, zero), mul(a, sub(exp4(x), one)), x);
    case GATE_SOFTSIGN: return divide(x, add(one, wasm_f32x4_abs(x)));
    case GATE_SOFTPLUS: return add(at_least(x, zero), log4(add(one, exp4(wasm_v128_or(x, splat(-0.0f))))));
    default: return add(mul(a, x), b);
  }
}

// Where no peepholes are, `p` is 0; where the sequence of outputs is not wanted, `y` is 0.
INLINE void lstm_row(const float *x, const float *r, const float *p, float *h, float *c, float *y, const unsigned n, struct gate f, struct gate g,
                     struct gate out, const bool couples) {
  ROLLED for (unsigned j = 0; j < n; j += 4) {
    const f32x4 before = load(c + j);
    f32x4 input = add(load(x + j), load(r + j)), forget = add(load(x + 2 * n + j), load(r + 2 * n + j));
    f32x4 output = add(load(x + n + j), load(r + n + j));
    if (p) input = add(input, mul(load(p + j), before)), forget = add(forget, mul(load(p + 2 * n + j), before));
    input = gate4(input, f);
    forget = couples ? sub(splat(1.0f), input) : gate4(forget, f);
    const f32x4 fresh = gate4(add(load(x + 3 * n + j), load(r + 3 * n + j)), g);
    const f32x4 cell = add(mul(forget, before), mul(input, fresh));
    if (p) output = add(output, mul(load(p + n + j), cell));
    const f32x4 hidden = mul(gate4(output, f), gate4(cell, out));
    store_n(c + j, cell, n - j);
    store_n(h + j, hidden, n - j);
    if (y) store_n(y + j, hidden, n - j);
  }
}

// The hidden gate's part of `r` has its own bias: the reset gate scales it after the product.
INLINE void gru_row(const float *x, const float *r, float *h, float *y, const unsigned n, struct gate f, struct gate g) {
  ROLLED for (unsigned j = 0; j < n; j += 4) {
    const f32x4 update = gate4(add(load(x + j), load(r + j)), f);
    const f32x4 reset = gate4(add(load(x + n + j), load(r + n + j)), f);
    const f32x4 fresh = gate4(add(load(x + 2 * n + j), mul(reset, load(r + 2 * n + j))), g);
    const f32x4 hidden = add(mul(sub(splat(1.0f), update), fresh), mul(update, load(h + j)));
    store_n(h + j, hidden, n - j);
    if (y) store_n(y + j, hidden, n - j);
  }
}

// The reset gate scales the state before the product: first it is made, into `scaled`, and the update gate into its own place in `r`.
INLINE void gru_reset_row(const float *x, float *r, const float *h, float *scaled, const unsigned n, struct gate f) {
  ROLLED for (unsigned j = 0; j < n; j += 4) {
    const f32x4 reset = gate4(add(load(x + n + j), load(r + n + j)), f);
    store_n(scaled + j, mul(reset, load(h + j)), n - j);
    store_n(r + j, gate4(add(load(x + j), load(r + j)), f), n - j);
  }
}

// `update`: as gru_reset_row has left it; `r`: the product of the scaled state with the hidden gate's weights.
INLINE void gru_hidden_row(const float *x, const float *update, const float *r, float *h, float *y, const unsigned n, struct gate g) {
  ROLLED for (unsigned j = 0; j < n; j += 4) {
    const f32x4 keep = load(update + j), fresh = gate4(add(load(x + 2 * n + j), load(r + j)), g);
    const f32x4 hidden = add(mul(sub(splat(1.0f), keep), fresh), mul(keep, load(h + j)));
    store_n(h + j, hidden, n - j);
    if (y) store_n(y + j, hidden, n - j);
  }
}

INLINE void rnn_row(const float *x, const float *r, float *h, float *y, const unsigned n, struct gate f) {
  ROLLED for (unsigned j = 0; j < n; j += 4) {
    const f32x4 hidden = gate4(add(load(x + j), load(r + j)), f);
    store_n(h + j, hidden, n - j);
    if (y) store_n(y + j, hidden, n - j);
  }
}

// `size` biases to the columns from `column` on of panels of 16 columns that pack_panels_f32 has made without.
INLINE void add_panel_bias(float *panels, const float *bias, const unsigned k, const unsigned column, const unsigned size) {
  ROLLED for (unsigned i = 0; i < size; i++) {
    const unsigned c = column + i, first = c & ~15u;
    panels[first * (k + 1) + (c - first)] += bias[i];
  }
}

// How many steps a row of the batch has, by an input that may hold anything.
INLINE unsigned length_of(int32_t given, unsigned steps) { return given < 0 ? 0 : (unsigned)given > steps ? steps : (unsigned)given; }

#endif
