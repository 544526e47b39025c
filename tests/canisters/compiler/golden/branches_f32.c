// A network as C, written by canisters.compiler: 0 multiply-accumulates, 0 bytes of weights.
// Every tensor has a fixed address (T_), so have packed weights (W_) and scratch (S_). No allocation, no imports, no state of its own.

#include "kernels.h"

#define T_x 0x6400u  // float32 (3, 5) input
#define T_a 0x61c0u  // float32 (3, 5)
#define T_t 0x6200u  // float32 (5, 3)
#define T_s 0x6240u  // float32 (5, 3)
#define T_b 0x6200u  // float32 (3, 5)
#define T_m 0x6240u  // float32 (3, 5)
#define T_part 0x61c0u  // float32 (3, 2) output
#define T_label 0x61e0u  // int64 (3) output

// Clip clip: float32 (3, 5), float32 (), float32 () -> float32 (3, 5)
NODE void node_0_clip(void) {
  EACH_F32(F32(T_a), 15, activate(load(F32(T_x) + i), CLIP, 0.0f, 1.0f));
}

// Transpose turn: float32 (3, 5) -> float32 (5, 3)
NODE void node_1_turn(void) {
  ROLLED for (unsigned n0 = 0; n0 < 3; n0++) {
    MOVE_EACH(float, (float *)T_t + 1 * n0, 3u, (float *)T_x + 5 * n0, 1u, 5);
  }
}

// Sigmoid gate: float32 (5, 3) -> float32 (5, 3)
NODE void node_2_gate(void) {
  EACH_F32_LONG(F32(T_s), 15, sigmoid4(load(F32(T_t) + i)));
}

// Transpose turn back: float32 (5, 3) -> float32 (3, 5)
NODE void node_3_turn_back(void) {
  ROLLED for (unsigned n0 = 0; n0 < 3; n0++) {
    gather_32((uint32_t *)((float *)T_b + 5 * n0), (uint32_t *)((float *)T_s + 1 * n0), 3, 5);
  }
}

// Mul meet: float32 (3, 5), float32 (3, 5) -> float32 (3, 5)
NODE void node_4_meet(void) {
  const float *a = (float *)T_a;
  const float *b = (float *)T_b;
  EACH_F32((float *)T_m, 15, mul(load(a + i), load(b + i)));
}

// Slice cut: float32 (3, 5), int64 (1), int64 (1), int64 (1) -> float32 (3, 2)
NODE void node_5_cut(void) {
  ROLLED for (unsigned n0 = 0; n0 < 3; n0++) {
    copy_bytes((uint8_t *)((float *)T_part + 2 * n0), (uint8_t *)((float *)T_m + 1 + 5 * n0), 8);
  }
}

// ArgMax label: float32 (3, 2) -> int64 (3)
NODE void node_6_label(void) {
  arg_f32(F32(T_part), I64(T_label), 3, 2, 1, false, false);
}

void model_run(void) {
  node_0_clip();
  node_1_turn();
  node_2_gate();
  node_3_turn_back();
  node_4_meet();
  node_5_cut();
  node_6_label();
}
