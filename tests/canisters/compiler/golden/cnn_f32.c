// A network as C, written by canisters.compiler: 23,200 multiply-accumulates, 5,808 bytes of weights.
// Every tensor has a fixed address (T_), so have packed weights (W_) and scratch (S_). No allocation, no imports, no state of its own.

#include "kernels.h"

#define T_image 0x6b50u  // float32 (1, 1, 8, 8) input
#define T_r1 0x6180u  // float32 (1, 8, 8, 8)
#define W_conv1_tiles 0x10000u
#define S_conv1_planes 0x6980u
#define T_p1 0x6a40u  // float32 (1, 8, 4, 4)
#define T_r2 0x6640u  // float32 (1, 16, 4, 4)
#define W_conv2_tiles 0x10140u
#define S_conv2_planes 0x6180u
#define T_m 0x6180u  // float32 (1, 16, 1, 1)
#define T_f 0x6180u  // float32 (1, 16)
#define T_logits 0x61c0u  // float32 (1, 10)
#define W_dense_panels 0x11380u
#define T_probabilities 0x6180u  // float32 (1, 10) output

// Conv conv1: float32 (1, 1, 8, 8), float32 (8, 1, 3, 3), float32 (8) -> float32 (1, 8, 8, 8); f32, pixels in lanes, then RELU, 4,608 MACs
NODE void node_0_conv1(void) {
  const float *x = F32(T_image);
  float *y = F32(T_r1);
  split_phases_f32(x, F32(S_conv1_planes), 1, 8, 8, 1, 1, 1, 1, 10, 10, 0.0f);
  conv_pixels(F32(S_conv1_planes), F32(W_conv1_tiles), y, (struct conv){1, 1, 8, 8, 8, 3, 3, 1, 1, 1, 1, 100, 100, 10, RELU, 0.0f, 0.0f}, FLOATS, 1.0f);
}

// MaxPool pool1: float32 (1, 8, 8, 8) -> float32 (1, 8, 4, 4)
NODE void node_1_pool1(void) {
  const float *x = F32(T_r1);
  float *y = F32(T_p1);
  max_pool_f32(x, y, (struct pool){8, 4, 4, 2, 2, 2, 2, 1, 1, 64, 8});
}

// Conv conv2: float32 (1, 8, 4, 4), float32 (16, 8, 3, 3), float32 (16) -> float32 (1, 16, 4, 4); f32, pixels in lanes, then RELU, 18,432 MACs
NODE void node_2_conv2(void) {
  const float *x = F32(T_p1);
  float *y = F32(T_r2);
  split_phases_f32(x, F32(S_conv2_planes), 8, 4, 4, 1, 1, 1, 1, 6, 6, 0.0f);
  conv_pixels(F32(S_conv2_planes), F32(W_conv2_tiles), y, (struct conv){1, 8, 16, 4, 4, 3, 3, 1, 1, 1, 1, 36, 36, 6, RELU, 0.0f, 0.0f}, FLOATS, 1.0f);
}

// ReduceBlock mean: float32 (1, 16, 4, 4) -> float32 (1, 16, 1, 1)
NODE void node_3_mean(void) {
  reduce_f32(F32(T_r2), F32(T_m), 16, 16, 1, SUM, 0.0625f);
}

// Dense dense: float32 (1, 16), float32 (16, 10), float32 (10) -> float32 (1, 10); f32, 160 MACs
NODE void node_5_dense(void) {
  small_row_f32(F32(T_f), F32(W_dense_panels), F32(T_logits), 10, 16, -__builtin_inff(), __builtin_inff());
}

// Softmax softmax: float32 (1, 10) -> float32 (1, 10)
NODE void node_6_softmax(void) {
  softmax_f32(F32(T_logits), F32(T_probabilities), 1, 10, 1, false);
}

void model_run(void) {
  node_0_conv1();
  node_1_pool1();
  node_2_conv2();
  node_3_mean();
  node_5_dense();
  node_6_softmax();
}
