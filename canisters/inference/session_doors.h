// What every canister of a language model answers about sessions, however it computes: opening, closing, reading, and the checks before a step.
#ifndef COMMONWEIGHT_SESSION_DOORS_H
#define COMMONWEIGHT_SESSION_DOORS_H

#include "sessions.h"
#include "weights.h"

// --- errors ---

static void reply_error(uint8_t type, uint8_t err, uint8_t tag) {
  reply_as(type);
  put_byte(err);
  put_byte(tag);
}

#define REFUSE(method, error) reply_error(TYPE_##method, TAG_##method##_Err, TAG_SessionError_##error)

// --- opening and closing ---

// Who may hold a session; answers when the caller may not.
static bool may_hold(void) {
  if (caller_is_anonymous()) {
    reject("sessions belong to a caller, and the anonymous one is nobody: sign the call");
    return false;
  }
  return OPEN_TO_ALL || let_in();
}

// Why these options cannot be, or null.
static const char *option_fault(const struct session *s) {
  const float t = s->sampling.temperature, p = s->sampling.top_p;
  if (!(t == 0.0f || (t >= 0.001f && t <= 100.0f))) return "temperature is 0, or 0.001 to 100";
  if (!(p > 0.0f && p <= 1.0f)) return "top_p is above 0 and at most 1";
  if (s->sampling.top_k > MAX_CANDIDATES) return "top_k is at most 256; 0 means all tokens";
  return 0;
}

static float read_float(const struct found *found) {
  const uint32_t bits = (uint32_t)read_le(found->at, 4);
  return *(const float *)&bits;
}

EXPORT("canister_update ", "session_open") void session_open(void) {
  if (!may_hold()) return;
  static const struct wanted WANTED_OPTIONS[] = {
      WANTED(seed, T_NAT64, "nat64"), WANTED(temperature, T_FLOAT32, "float32"), WANTED(top_k, T_NAT32, "nat32"),
      WANTED(top_p, T_FLOAT32, "float32"), WANTED(max_tokens, T_NAT32, "nat32")};
  struct found f[5];
  take_record(WANTED_OPTIONS, f, 5);
  if (!state.is_sealed) {
    REFUSE(session_open, NotSealed);
    msg_reply();
    return;
  }
  const uint64_t now_ns = ic0_time();
  struct session made = {
      .last_used_ns = now_ns,
      .owner = the_caller(),
      .sampling = {.random = read_le(f[0].at, 8), .temperature = read_float(&f[1]), .top_k = (uint32_t)read_le(f[2].at, 4), .top_p = read_float(&f[3])},
      .max_tokens = (uint32_t)read_le(f[4].at, 4),
  };
  const char *fault = option_fault(&made);
  if (fault) {
    REFUSE(session_open, BadOption);
    put_text(fault);
    msg_reply();
    return;
  }
  if (sessions_of(&made.owner) >= SESSIONS_PER_CALLER) {
    REFUSE(session_open, TooManySessions);
    put_u32(SESSIONS_PER_CALLER);
    msg_reply();
    return;
  }
  uint64_t free_at_ns;
  struct session *slot = slot_to_take(&free_at_ns);
  if (free_at_ns > now_ns) {
    REFUSE(session_open, NoFreeSlot);
    put_u64(free_at_ns);
    msg_reply();
    return;
  }
  evict(slot);
  made.id = next_id(now_ns);
  *slot = made;
  reply_as(TYPE_session_open);
  put_byte(TAG_session_open_Ok);
  put_u64(made.id);
  msg_reply();
}

static const struct wanted WANTED_SESSION[] = {WANTED(session, T_NAT64, "nat64")};

EXPORT("canister_update ", "session_close") void session_close(void) {
  if (!may_hold()) return;
  struct found f[1];
  take_record(WANTED_SESSION, f, 1);
  const struct caller caller = the_caller();
  uint8_t tag;
  struct session *s = session_of(read_le(f[0].at, 8), &caller, &tag);
  if (s) {
    s->id = 0;
    reply_as(TYPE_session_close);
    put_byte(TAG_session_close_Ok);
  } else {
    reply_error(TYPE_session_close, TAG_session_close_Err, tag);
  }
  msg_reply();
}

// --- before a step ---

// More than a step takes that is not a message's first: `rows` tokens from `position` on.
static uint64_t step_bound(uint32_t rows, uint32_t position, bool wants_logits) {
  return rows * (ROW_INSTRUCTIONS + (uint64_t)(position + rows) * POSITION_INSTRUCTIONS) + (wants_logits ? HEAD_INSTRUCTIONS : 0);
}

static const struct wanted WANTED_PROMPT[] = {WANTED(session, T_NAT64, "nat64"), WANTED(length, T_NAT32, "nat32"),
                                              WANTED(tokens, VEC_OF(T_NAT32), "vec nat32"), WANTED(max_instructions, T_NAT64, "nat64")};
static const struct wanted WANTED_GENERATE[] = {WANTED(session, T_NAT64, "nat64"), WANTED(length, T_NAT32, "nat32"),
                                                WANTED(count, T_NAT32, "nat32"), WANTED(max_instructions, T_NAT64, "nat64")};

// The session that a call is about, when it is as the caller believes; otherwise the reply is begun with the error.
static struct session *session_for(uint8_t type, uint8_t err, const struct found *id, const struct found *length) {
  const struct caller caller = the_caller();
  uint8_t tag;
  struct session *s = session_of(read_le(id->at, 8), &caller, &tag);
  if (!s) {
    reply_error(type, err, tag);
    return 0;
  }
  if (s->length != (uint32_t)read_le(length->at, 4)) {
    reply_error(type, err, TAG_SessionError_WrongPosition);
    put_u32(s->length);
    return 0;
  }
  s->last_used_ns = ic0_time();
  return s;
}

// Puts tokens behind those that the session has, without counting them yet. False when one of them is none: the reply is begun.
static bool put_tokens(const struct session *s, const struct found *tokens) {
  uint32_t *to = tokens_of(s) + s->length;
  for (uint32_t i = 0; i < tokens->count; i++) {
    to[i] = (uint32_t)read_le(tokens->at + 4 * i, 4);
    if (to[i] < VOCABULARY) continue;
    REFUSE(prompt, UnknownToken);
    IN_ORDER(index, vocabulary);
    put_u32(i);
    put_u32(VOCABULARY);
    return false;
  }
  return true;
}

static bool is_end_token(uint32_t token) {
  for (uint32_t i = 0; i < END_TOKENS_COUNT; i++)
    if (END_TOKENS[i] == token) return true;
  return false;
}

// --- questions ---

EXPORT("canister_query ", "session_read") void session_read(void) {
  if (!may_hold()) return;
  struct found f[1];
  take_record(WANTED_SESSION, f, 1);
  const struct caller caller = the_caller();
  uint8_t tag;
  const struct session *s = session_of(read_le(f[0].at, 8), &caller, &tag);
  if (s) {
    reply_as(TYPE_session_read);
    put_byte(TAG_session_read_Ok);
    IN_ORDER(tokens, generated);
    put_length(s->length);
    put(tokens_of(s), 4 * s->length);
    put_u32(s->generated);
  } else {
    reply_error(TYPE_session_read, TAG_session_read_Err, tag);
  }
  msg_reply();
}

EXPORT("canister_query ", "sessions") void sessions_of_caller(void) {
  if (!may_hold()) return;
  const struct caller caller = the_caller();
  reply_as(TYPE_sessions);
  put_length(sessions_of(&caller));
  for (uint32_t i = 0; i < SLOTS; i++)
    if (sessions.slots[i].id && is_caller(&sessions.slots[i].owner, &caller)) put_u64(sessions.slots[i].id);
  msg_reply();
}

#endif
