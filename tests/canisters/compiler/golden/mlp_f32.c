// A network as C, written by canisters.compiler: 512 multiply-accumulates, 2,512 bytes of weights.
// Every tensor has a fixed address (T_), so have packed weights (W_) and scratch (S_). No allocation, no imports, no state of its own.

#include "kernels.h"

#define T_features 0x6400u  // float32 (1, 30) input
#define T_mean 0x10000u  // float32 (30) constant
#define T_centred 0x6180u  // float32 (1, 30)
#define T_deviation 0x10080u  // float32 (30) constant
#define T_scaled 0x6200u  // float32 (1, 30)
#define T_h2 0x6180u  // float32 (1, 16)
#define W_hidden_panels 0x10100u
#define T_logits 0x61c0u  // float32 (1, 2)
#define W_head_panels 0x108c0u
#define T_probabilities 0x6180u  // float32 (1, 2) output

// Sub centre: float32 (1, 30), float32 (30) -> float32 (1, 30)
NODE void node_0_centre(void) {
  const float *a = (float *)T_features;
  const float *b = (float *)T_mean;
  EACH_F32((float *)T_centred, 30, sub(load(a + i), load(b + i)));
}

// Div scale: float32 (1, 30), float32 (30) -> float32 (1, 30)
NODE void node_1_scale(void) {
  const float *a = (float *)T_centred;
  const float *b = (float *)T_deviation;
  EACH_F32((float *)T_scaled, 30, divide(load(a + i), load(b + i)));
}

// Dense hidden: float32 (1, 30), float32 (30, 16), float32 (16) -> float32 (1, 16); f32, then RELU, 480 MACs
NODE void node_2_hidden(void) {
  small_row_f32(F32(T_scaled), F32(W_hidden_panels), F32(T_h2), 16, 30, 0.0f, __builtin_inff());
}

// Dense head: float32 (1, 16), float32 (16, 2), float32 (2) -> float32 (1, 2); f32, 32 MACs
NODE void node_3_head(void) {
  small_row_f32(F32(T_h2), F32(W_head_panels), F32(T_logits), 2, 16, -__builtin_inff(), __builtin_inff());
}

// Softmax softmax: float32 (1, 2) -> float32 (1, 2)
NODE void node_4_softmax(void) {
  softmax_f32(F32(T_logits), F32(T_probabilities), 1, 2, 1, false);
}

void model_run(void) {
  node_0_centre();
  node_1_scale();
  node_2_hidden();
  node_3_head();
  node_4_softmax();
}
