// A later stage of a language model that is cut over several canisters: it has the cache of its own layers, takes the hidden states of a step from
// the stage before, and hands its own on. The last one answers with a token. Sessions, and who may hold them, are the first stage's.
//
// A step that comes again is computed again: what it has written into the cache is overwritten by the same. A step further on than the cache
// reaches is refused: then this stage was upgraded in between, or the slot has another session's cache.
#include "steps.h"

static struct {
  uint64_t session;
  uint32_t kept;
} held[SLOTS];

static void answer(uint32_t token, uint64_t random, bool has_failed) {
  reply_as(TYPE_stage_run);
  IN_ORDER(token, failure);
  put_u32(token);
  put_length(has_failed ? text.size + sizeof WHO - 1 : 0);
  if (has_failed) {
    put(WHO, sizeof WHO - 1);
    put(text.bytes, text.size);
  }
  IN_ORDER(failure, random);
  put_u64(random);
  msg_reply();
}

static void refuse(const char *why) {
  say(why);
  answer(0, 0, true);
}

static void on_reject(uint32_t unused) {
  (void)unused;
  say_rejection();
  refuse("");
}

static const struct wanted STEP[] = {WANTED(step, VEC_OF(T_NAT8), "blob")};

// Why the step cannot be done, or null.
static const char *step_fault(const struct step *step, uint32_t size) {
  if (step->rows < 1 || step->rows > PROMPT_ROWS || size != sizeof *step + step->rows * HIDDEN_ROW_BYTES) return "a step has another size";
  if (step->slot >= SLOTS || step->position > CONTEXT || step->rows > CONTEXT - step->position) return "a step is outside the context";
  if (step->position == 0) return 0;
  if (held[step->slot].session != step->session || held[step->slot].kept < step->position) return "the session's cache is no longer here";
  return 0;
}

EXPORT("canister_update ", "stage_run") void stage_run(void) {
  know_links();
  if (!caller_is_accepted() && !let_in()) return;
  struct found f[1];
  take_record(STEP, f, 1);
  text.size = 0;
  struct step step;
  if (f[0].count < sizeof step) {
    refuse("a step has another size");
    return;
  }
  copy(&step, f[0].at, sizeof step);
  const char *fault = state.is_sealed ? step_fault(&step, f[0].count) : "the weights are not sealed: upload them, then call seal";
  if (!fault && !links.next.size && !IS_LAST) fault = "this stage is not connected to the next one: call stage_connect";
  if (fault) {
    refuse(fault);
    return;
  }
  for (uint32_t i = 0; i < step.rows; i++) copy(hidden_row(i), f[0].at + sizeof step + i * HIDDEN_ROW_BYTES, HIDDEN_ROW_BYTES);
  held[step.slot].session = step.session;
  held[step.slot].kept = step.position + step.rows;
  model_rows(0, step.rows, step.position, (float *)(SLOTS_BASE + step.slot * SLOT_BYTES), step.wants_logits);
  if (IS_LAST) {
    const uint32_t token = step.wants_logits ? sampled((const float *)LOGITS_AT, VOCABULARY, &step.sampling) : 0;
    answer(token, step.sampling.random, false);
  } else if (!hand_on(&step, pass_back, on_reject, 0)) {
    say_no_call();
    refuse("");
  }
}
