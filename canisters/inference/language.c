// A language model's canister: sessions that hold a text and its cache, prompts taken in pieces, tokens made several a call. Weights, their
// upload and upgrades are weights.h's. What is special to one model is in interface.h and model.c, which canisters.compiler writes.
//
// All tokens of a session but the last are in its cache: a prompt's last token waits until `generate` runs it for its logits, so no prompt ever
// pays for the head. A call stops by itself before it could pass the instruction limit, by a bound on the next step that the compiler knows;
// since nothing is half done between two steps, the caller simply calls again. Each call says how many tokens it believes the session to hold,
// and is refused when that is not so: a call that arrives twice is carried out once.
#include "next_token.h"

#include "session_doors.h"

void model_rows(const uint32_t *tokens, uint32_t rows, uint32_t position, float *cache, bool wants_logits);

struct budget {
  uint64_t most;
  bool is_first;
};

static struct budget budget_of(const struct found *max_instructions) {
  const uint64_t asked = read_le(max_instructions->at, 8);
  return (struct budget){asked && asked < MESSAGE_INSTRUCTIONS ? asked : MESSAGE_INSTRUCTIONS, true};
}

// Whether the step fits in; a message's first step always does.
static bool may_go_on(struct budget *budget, uint32_t rows, uint32_t position, bool wants_logits) {
  const bool is_first = budget->is_first;
  budget->is_first = false;
  return is_first || performance_counter(0) + step_bound(rows, position, wants_logits) <= budget->most;
}

EXPORT("canister_update ", "prompt") void prompt(void) {
  if (!may_hold()) return;
  struct found f[4];
  take_record(WANTED_PROMPT, f, 4);
  struct session *s = session_for(TYPE_prompt, TAG_prompt_Err, &f[0], &f[1]);
  if (s && f[2].count > CONTEXT - s->length) {
    REFUSE(prompt, ContextFull);
    put_u32(CONTEXT - s->length);
    s = 0;
  }
  if (!s || !put_tokens(s, &f[2])) {
    msg_reply();
    return;
  }
  struct budget budget = budget_of(&f[3]);
  const uint32_t before = s->length, end = before + f[2].count;
  if (s->length == 0 && end) s->length = 1;  // the first token only waits
  while (s->length < end) {
    const uint32_t left = end - 1 - s->kept, rows = left < PROMPT_ROWS ? left : PROMPT_ROWS;
    if (!may_go_on(&budget, rows, s->kept, false)) break;
    model_rows(tokens_of(s) + s->kept, rows, s->kept, cache_of(s), false);
    s->kept += rows;
    s->length = s->kept + 1;
  }
  reply_as(TYPE_prompt);
  put_byte(TAG_prompt_Ok);
  IN_ORDER(taken, instructions);
  put_u32(s->length - before);
  put_u64(performance_counter(0));
  IN_ORDER(instructions, length);
  put_u32(s->length);
  msg_reply();
}

// Makes at most `count` tokens; answers why it ended.
static uint8_t generate_tokens(struct session *s, uint32_t count, struct budget budget) {
  for (; count; count--) {
    if (s->max_tokens && s->generated >= s->max_tokens) return TAG_Finish_MaxTokens;
    if (s->length >= CONTEXT) return TAG_Finish_ContextFull;
    if (!may_go_on(&budget, 1, s->kept, true)) return TAG_Finish_Instructions;
    uint32_t *tokens = tokens_of(s);
    model_rows(tokens + s->kept, 1, s->kept, cache_of(s), true);
    s->kept++;
    const uint32_t token = sampled((const float *)LOGITS_AT, VOCABULARY, &s->sampling);
    tokens[s->length++] = token;
    s->generated++;
    if (is_end_token(token)) return TAG_Finish_EndToken;
  }
  return TAG_Finish_Count;
}

EXPORT("canister_update ", "generate") void generate(void) {
  if (!may_hold()) return;
  struct found f[4];
  take_record(WANTED_GENERATE, f, 4);
  struct session *s = session_for(TYPE_generate, TAG_generate_Err, &f[0], &f[1]);
  if (s && s->length == 0) {
    REFUSE(generate, NothingGiven);
    s = 0;
  }
  if (!s) {
    msg_reply();
    return;
  }
  const uint32_t before = s->length;
  const uint8_t finish = generate_tokens(s, (uint32_t)read_le(f[2].at, 4), budget_of(&f[3]));
  reply_as(TYPE_generate);
  put_byte(TAG_generate_Ok);
  IN_ORDER(instructions, finish);
  put_u64(performance_counter(0));
  put_byte(finish);
  IN_ORDER(finish, tokens);
  put_length(s->length - before);
  put(tokens_of(s) + before, 4 * (s->length - before));
  IN_ORDER(tokens, length);
  put_u32(s->length);
  msg_reply();
}
