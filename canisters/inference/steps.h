// How the stages of a language model hand a step on: the hidden states of a few positions, and how the last stage is to draw a token.
//
// `stage_run` takes a `struct step` and the rows of X behind it as one blob, little-endian as wasm's memory is. Its answer is the last stage's,
// passed back as it is.
#ifndef COMMONWEIGHT_STEPS_H
#define COMMONWEIGHT_STEPS_H

#include "links.h"
#include "next_token.h"

struct step {
  uint64_t session;
  struct sampling sampling;
  uint32_t slot, position, rows, wants_logits;
};

void model_rows(const uint32_t *tokens, uint32_t rows, uint32_t position, float *cache, bool wants_logits);

// The row of hidden states that the model reads and writes.
static uint8_t *hidden_row(uint32_t row) { return (uint8_t *)HIDDEN_AT + row * HIDDEN_PITCH_BYTES; }

// False when the network takes no further call now.
static bool hand_on(const struct step *step, void (*on_reply)(uint32_t), void (*on_reject)(uint32_t), uint32_t mark) {
  static const char method[] = "stage_run";
  call_new(links.next.bytes, links.next.size, method, sizeof method - 1, on_reply, mark, on_reject, mark);
  call_data_append(STEP_HEAD, sizeof STEP_HEAD);
  append_length(sizeof *step + step->rows * HIDDEN_ROW_BYTES);
  call_data_append(step, sizeof *step);
  for (uint32_t i = 0; i < step->rows; i++) call_data_append(hidden_row(i), HIDDEN_ROW_BYTES);
  return !call_perform();
}

// Why the next stage has not answered, as the text.
static void say_rejection(void) {
  uint8_t why[256];
  uint32_t size = msg_reject_msg_size();
  if (size > sizeof why) size = sizeof why;
  msg_reject_msg_copy(why, 0, size);
  say_next();
  say(" did not answer: ");
  for (uint32_t i = 0; i < size; i++) say_shown(why + i, 1);
}

static void say_no_call(void) {
  say_next();
  say(" cannot be called now: this canister has too few cycles, or too many requests wait; try again later");
}

#endif
