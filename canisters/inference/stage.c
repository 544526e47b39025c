// The inference canister of one stage of a model that is cut over several: it computes its part and hands its outputs on, as the inputs of
// the next stage, whose answer it passes back as it is. What is special to one model is in interface.h and model.c; STAGE_NUMBER (from 1) and STAGES_COUNT say
// which stage this is.
//
// A stage that is connected to no other answers with its own outputs: so does the last one. Beside the controllers one canister may ask,
// the stage before. Nothing of a request stays here while the next stage computes: its outputs are in the call, and so other requests may
// use the activations meanwhile. A next stage that fails, or is stopped, ends the request with an error and changes nothing here.
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

#include "answer.h"

#include "links.h"

// With what has been said, and who says it: whoever asked the first stage reads which one it was.
static void refuse(void) {
  reply_as(TYPE_infer_blob);
  put_byte(TAG_infer_blob_Err);
  put_length(sizeof WHO - 1 + text.size);
  put(WHO, sizeof WHO - 1);
  put(text.bytes, text.size);
  msg_reply();
}

static void say_failure(uint32_t unused) {
  (void)unused;
  uint8_t why[256];
  uint32_t size = msg_reject_msg_size();
  if (size > sizeof why) size = sizeof why;
  msg_reject_msg_copy(why, 0, size);
  say_next();
  say(" did not answer: ");
  for (uint32_t i = 0; i < size; i++) say_shown(why + i, 1);
  refuse();
}

static void hand_on(const struct network *network) {
  static const char method[] = "infer_blob";
  call_new(links.next.bytes, links.next.size, method, sizeof method - 1, pass_back, 0, say_failure, 0);
  call_data_append(REQUEST_HEAD, sizeof REQUEST_HEAD);
  append_length(network->outputs_count);
  IN_ORDER(data, name);  // and then the rest, as it is in a TensorInfo
  for (uint32_t i = 0; i < network->outputs_count; i++) {
    const struct tensor *t = &network->outputs[i];
    append_length(t->size_bytes);
    call_data_append(t->address, t->size_bytes);
    call_data_append(t->info, t->info_size);
  }
  if (!call_perform()) return;
  say_next();
  say(" cannot be called now: this canister has too few cycles, or too many requests wait; try again later");
  refuse();
}

static const struct wanted CALL[] = {WANTED(inputs, VEC_OF(T_RECORD), "vec record")};

EXPORT("canister_update ", "infer_blob") void infer_blob(void) {
  know_links();
  if (!caller_is_accepted() && !let_in()) return;
  struct found inputs;
  take_record(CALL, &inputs, 1);
  const struct network *network;
  const enum outcome outcome = compute(&inputs, &network);
  if (outcome != ANSWERED) {
    say_outcome(outcome);
    refuse();
  } else if (links.next.size) {
    hand_on(network);
  } else {
    reply_as(TYPE_infer_blob);
    put_byte(TAG_infer_blob_Ok);
    put_answer_head(performance_counter(0));
    put_outputs(network);
    msg_reply();
  }
}

#pragma clang attribute pop
