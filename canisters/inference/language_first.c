// The first stage of a language model that is cut over several canisters: sessions are its own, and so are the first layers. Each step goes through
// all stages by calls from one to the next, and comes back as a token; then the next step begins, until the call's work is done.
//
// A session's tokens are counted when a step has come back, so a step that fails leaves the session as the step before has left it: the call is
// answered with StageFailed, and the caller goes on from what session_read says. Only one call at a time works on a session.
#include "session_doors.h"

#include "steps.h"

// What a call is about, while its steps are under way. `mark` is the one of the call that the network has under way for it, 0 for none.
static struct work {
  uint64_t session;
  uint32_t mark, before, end, rows;
  bool is_prompt;
  uint64_t used, most;
} works[SLOTS];
static uint32_t last_mark;

static struct work *work_of(const struct session *s) { return &works[s - sessions.slots]; }

static bool is_busy(const struct session *s) { return work_of(s)->mark && work_of(s)->session == s->id; }

static void reply_prompt(const struct session *s, const struct work *w) {
  reply_as(TYPE_prompt);
  put_byte(TAG_prompt_Ok);
  IN_ORDER(taken, instructions);
  put_u32(s->length - w->before);
  put_u64(w->used + performance_counter(0));
  IN_ORDER(instructions, length);
  put_u32(s->length);
  msg_reply();
}

static void reply_generated(const struct session *s, const struct work *w, uint8_t finish) {
  reply_as(TYPE_generate);
  put_byte(TAG_generate_Ok);
  IN_ORDER(instructions, finish);
  put_u64(w->used + performance_counter(0));
  put_byte(finish);
  IN_ORDER(finish, tokens);
  put_length(s->length - w->before);
  put(tokens_of(s) + w->before, 4 * (s->length - w->before));
  IN_ORDER(tokens, length);
  put_u32(s->length);
  msg_reply();
}

// With what has been said.
static void fail(struct session *s, const struct work *w) {
  if (w->is_prompt) {
    if (s->kept == 0) s->length = 0;
    REFUSE(prompt, StageFailed);
  } else {
    REFUSE(generate, StageFailed);
  }
  put_bytes(text.bytes, text.size);
  msg_reply();
}

static void come_back(uint32_t mark);
static void be_rejected(uint32_t mark);

// The next step of `rows` tokens: this stage's part, and then the others'.
static void begin_step(struct session *s, struct work *w, uint32_t rows) {
  model_rows(tokens_of(s) + s->kept, rows, s->kept, cache_of(s), false);
  w->rows = rows;
  w->mark = ++last_mark ? last_mark : ++last_mark;
  const struct step step = {s->id, s->sampling, (uint32_t)(s - sessions.slots), s->kept, rows, !w->is_prompt};
  if (hand_on(&step, come_back, be_rejected, w->mark)) {
    w->used += performance_counter(0);
    return;
  }
  w->mark = 0;
  text.size = 0;
  say_no_call();
  fail(s, w);
}

static bool is_within(const struct work *w, const struct session *s, uint32_t rows) {
  const bool is_first = s->length == w->before && !w->used;
  return is_first || w->used + performance_counter(0) + step_bound(rows, s->kept, false) <= w->most;
}

static void go_on(struct session *s, struct work *w) {
  if (w->is_prompt) {
    const uint32_t left = w->end - 1 - s->kept, rows = left < PROMPT_ROWS ? left : PROMPT_ROWS;
    if (s->length >= w->end || !is_within(w, s, rows)) {
      reply_prompt(s, w);
    } else {
      begin_step(s, w, rows);
    }
    return;
  }
  if (s->length > w->before && is_end_token(tokens_of(s)[s->length - 1])) {
    reply_generated(s, w, TAG_Finish_EndToken);
  } else if (s->length >= w->end) {
    reply_generated(s, w, TAG_Finish_Count);
  } else if (s->max_tokens && s->generated >= s->max_tokens) {
    reply_generated(s, w, TAG_Finish_MaxTokens);
  } else if (s->length >= CONTEXT) {
    reply_generated(s, w, TAG_Finish_ContextFull);
  } else if (!is_within(w, s, 1)) {
    reply_generated(s, w, TAG_Finish_Instructions);
  } else {
    begin_step(s, w, 1);
  }
}

// The session and work that a mark is of; when the session has ended meanwhile, the call is rejected.
static struct session *marked(uint32_t mark, struct work **w) {
  for (uint32_t i = 0; i < SLOTS; i++) {
    *w = &works[i];
    if ((*w)->mark != mark) continue;
    (*w)->mark = 0;
    if (sessions.slots[i].id == (*w)->session) return &sessions.slots[i];
  }
  reject("the session has ended while a step of it was under way");
  return 0;
}

static const struct wanted STEPPED[] = {WANTED(token, T_NAT32, "nat32"), WANTED(failure, T_TEXT, "text"), WANTED(random, T_NAT64, "nat64")};

static void come_back(uint32_t mark) {
  struct work *w;
  struct session *s = marked(mark, &w);
  if (!s) return;
  struct found f[3];
  take_record(STEPPED, f, 3);
  text.size = 0;
  const uint32_t token = (uint32_t)read_le(f[0].at, 4);
  if (f[1].count) {
    for (uint32_t i = 0; i < f[1].count; i++) say_shown(f[1].at + i, 1);
    fail(s, w);
    return;
  }
  if (token >= VOCABULARY) {
    say("the last stage has answered with no token of the vocabulary: its module is another model's");
    fail(s, w);
    return;
  }
  s->kept += w->rows;
  s->last_used_ns = ic0_time();
  if (w->is_prompt) {
    s->length = s->kept + 1;
  } else {
    tokens_of(s)[s->length++] = token;
    s->generated++;
    s->sampling.random = read_le(f[2].at, 8);
  }
  go_on(s, w);
}

static void be_rejected(uint32_t mark) {
  struct work *w;
  struct session *s = marked(mark, &w);
  if (!s) return;
  text.size = 0;
  say_rejection();
  fail(s, w);
}

// Whether the call may begin: no other one works on the session, and there is a next stage. Otherwise the reply is begun.
static bool may_begin(const struct session *s, uint8_t type, uint8_t err) {
  if (is_busy(s)) {
    reply_error(type, err, TAG_SessionError_Busy);
    return false;
  }
  know_links();
  if (links.next.size) return true;
  reply_error(type, err, TAG_SessionError_StageFailed);
  put_text("this stage is not connected to the next one: call stage_connect");
  return false;
}

static struct work *work_for(const struct session *s, const struct found *max_instructions, bool is_prompt, uint32_t count) {
  struct work *w = work_of(s);
  const uint64_t most = read_le(max_instructions->at, 8);
  const uint32_t room = CONTEXT - s->length;
  *w = (struct work){.session = s->id, .before = s->length, .is_prompt = is_prompt, .most = most ? most : UINT64_MAX};
  w->end = s->length + (count > room && !is_prompt ? room + 1 : count);  // one more than fits: then it is the context that ends it
  return w;
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
  if (!s || !may_begin(s, TYPE_prompt, TAG_prompt_Err) || !put_tokens(s, &f[2])) {
    msg_reply();
    return;
  }
  struct work *w = work_for(s, &f[3], true, f[2].count);
  if (s->length == 0 && w->end) s->length = 1;  // the first token only waits
  go_on(s, w);
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
  if (!s || !may_begin(s, TYPE_generate, TAG_generate_Err)) {
    msg_reply();
    return;
  }
  go_on(s, work_for(s, &f[3], false, (uint32_t)read_le(f[2].at, 4)));
}
