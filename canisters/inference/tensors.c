// The inference canister of a network that runs in one message: `infer`, `infer_batch` and `infer_blob` answer named tensors with named
// tensors. What is special to one model is in interface.h and model.c, which canisters.compiler writes beside this file.
//
// Memory has fixed places, decided by the compiler: stack, data, activations, weights; large messages come behind all of that.
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

#include "answer.h"
#ifdef HTTP
#include "http.h"
#endif

static const struct wanted CALL[] = {WANTED(inputs, VEC_OF(T_RECORD), "vec record")};
static const struct wanted BATCH[] = {WANTED(batch, VEC_OF(T_RECORD), "vec record")};

_Static_assert(TAG_infer_Ok == TAG_RESULT_Ok, "one answer serves all methods");

static void put_answer(const struct found *inputs) {
  const enum outcome outcome = answer(inputs);
  if (outcome != ANSWERED) put_error(outcome);
}

EXPORT("canister_update ", "infer") void infer(void) {
  if (!let_in()) return;
  struct found inputs;
  take_record(CALL, &inputs, 1);
  reply_as(TYPE_infer);
  put_answer(&inputs);
  msg_reply();
}

// Several sets of inputs, each answered or refused by itself; pages are charged for once.
EXPORT("canister_update ", "infer_batch") void infer_batch(void) {
  if (!let_in()) return;
  struct found batch, inputs;
  take_argument(true);
  read_message(BATCH, &batch, 1);
  reply_as(TYPE_infer_batch);
  put_length(batch.count);
  const uint8_t *at = batch.at;
  for (uint32_t i = 0; i < batch.count; i++) {
    in.at = at;
    read_record(batch.element, CALL, &inputs, 1, 0);
    at = in.at;
    put_answer(&inputs);
  }
  msg_reply();
}

// As `infer`, with the error as a text: what cooperatives call.
EXPORT("canister_update ", "infer_blob") void infer_blob(void) {
  if (!let_in()) return;
  struct found inputs;
  take_record(CALL, &inputs, 1);
  reply_as(TYPE_infer_blob);
  put_answer_or_text(&inputs);
  msg_reply();
}

#pragma clang attribute pop
