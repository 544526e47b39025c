// One set of inputs answered: the outputs, or why there are none, as a typed error or as a text.
#ifndef COMMONWEIGHT_ANSWER_H
#define COMMONWEIGHT_ANSWER_H

#include "network.h"

// All methods that answer have a result of the same two tags.
enum { TAG_RESULT_Ok = TAG_infer_blob_Ok, TAG_RESULT_Err = TAG_infer_blob_Err };

enum outcome { ANSWERED, NOT_SEALED, WRONG_INPUT, FAILED };

// What an Answer begins with; its outputs follow.
static void put_answer_head(uint64_t instructions) {
  IN_ORDER(release_hash, instructions);
  IN_ORDER(instructions, outputs);
  put_bytes(state.release_hash, HASH_BYTES);
  put_u64(instructions);
}

// ANSWERED: the outputs of `network` stand in their places.
static enum outcome compute(const struct found *inputs, const struct network **network) {
  if (!state.is_sealed) return NOT_SEALED;
  *network = take_inputs(inputs);
  if (!*network) return WRONG_INPUT;
  return run_network(*network) ? ANSWERED : FAILED;
}

// Anything but ANSWERED is left to the caller to tell. An answer goes into the reply as variant `Ok`.
static enum outcome answer(const struct found *inputs) {
  const struct network *network;
  const enum outcome outcome = compute(inputs, &network);
  if (outcome != ANSWERED) return outcome;
  put_byte(TAG_RESULT_Ok);
  put_answer_head(performance_counter(0));
  put_outputs(network);
  return ANSWERED;
}

static void put_error(enum outcome outcome) {
  put_byte(TAG_RESULT_Err);
  if (outcome == NOT_SEALED) {
    put_byte(TAG_InferError_NotSealed);
    put_u32(CHUNKS - state.present_count);
  } else if (outcome == WRONG_INPUT) {
    put_byte(TAG_InferError_WrongInput);
    IN_ORDER(got, expected);
    IN_ORDER(expected, name);
    put_bytes(text.bytes + marks.got, text.size - marks.got);
    put_bytes(text.bytes + marks.expected, marks.expected_end - marks.expected);
    put_bytes(text.bytes + sizeof SAID_INPUT - 1, marks.name_end - (sizeof SAID_INPUT - 1));
  } else {
    put_byte(TAG_InferError_Failed);
    put_text(model_failure);
  }
}

static void say_outcome(enum outcome outcome) {
  if (outcome == WRONG_INPUT) return;  // is said already
  text.size = 0;
  if (outcome == FAILED) {
    say(model_failure);
    return;
  }
  say_number(CHUNKS - state.present_count);
  say(" of ");
  say_number(CHUNKS);
  say(" chunks of the weights are missing: upload them, then call seal");
}

static void put_error_text(enum outcome outcome) {
  say_outcome(outcome);
  put_byte(TAG_RESULT_Err);
  put_bytes(text.bytes, text.size);
}

static void put_answer_or_text(const struct found *inputs) {
  const enum outcome outcome = answer(inputs);
  if (outcome != ANSWERED) put_error_text(outcome);
}

#endif
