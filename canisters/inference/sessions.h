// Sessions of a language model: who holds which slot of the cache. For language.c.
//
// A session's id is the time at which it was opened, or one more than the id before, so no id is ever used twice, not even over an upgrade.
// To anybody but the caller that opened it a session does not exist.
#ifndef COMMONWEIGHT_SESSIONS_H
#define COMMONWEIGHT_SESSIONS_H

#include "message.h"
#include "next_token.h"

enum { EVICTED_KEPT = 256 };

struct caller {
  uint8_t size, bytes[PRINCIPAL_BYTES];
};

struct session {
  uint64_t id;  // 0: the slot is free
  uint64_t last_used_ns;
  struct caller owner;
  struct sampling sampling;
  // Tokens of the text, of which the first `kept` are in the cache (all but the last one, once there are any), and how many were made here.
  uint32_t length, kept, generated, max_tokens;
};

static struct {
  uint64_t last_id, first_id;
  struct session slots[SLOTS];
  struct {
    uint64_t id;
    struct caller owner;
  } evicted[EVICTED_KEPT];  // a ring
  uint32_t evicted_count;
} sessions;

static struct caller the_caller(void) {
  struct caller found = {.size = (uint8_t)msg_caller_size()};
  msg_caller_copy(found.bytes, 0, found.size);
  return found;
}

static bool is_caller(const struct caller *a, const struct caller *b) { return a->size == b->size && same(a->bytes, b->bytes, a->size); }

static float *cache_of(const struct session *s) { return (float *)(SLOTS_BASE + (uint32_t)(s - sessions.slots) * SLOT_BYTES); }

// All tokens of a session, behind its cache.
static uint32_t *tokens_of(const struct session *s) { return (uint32_t *)((uint8_t *)cache_of(s) + CACHE_BYTES); }

// The session of that id, if it is the caller's. Otherwise `tag` is the error's.
static struct session *session_of(uint64_t id, const struct caller *caller, uint8_t *tag) {
  for (uint32_t i = 0; i < SLOTS; i++)
    if (id && sessions.slots[i].id == id && is_caller(&sessions.slots[i].owner, caller)) return &sessions.slots[i];
  *tag = TAG_SessionError_UnknownSession;
  for (uint32_t i = 0; i < EVICTED_KEPT; i++)
    if (id && sessions.evicted[i].id == id && is_caller(&sessions.evicted[i].owner, caller)) *tag = TAG_SessionError_Evicted;
  if (id && id < (sessions.first_id ? sessions.first_id : ic0_time())) *tag = TAG_SessionError_EndedByUpgrade;
  return 0;
}

static uint32_t sessions_of(const struct caller *caller) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < SLOTS; i++) count += sessions.slots[i].id && is_caller(&sessions.slots[i].owner, caller);
  return count;
}

// A free slot, or the one that was used least recently. `free_at_ns`: when it may be taken.
static struct session *slot_to_take(uint64_t *free_at_ns) {
  struct session *found = &sessions.slots[0];
  for (uint32_t i = 0; i < SLOTS; i++) {
    struct session *s = &sessions.slots[i];
    if (!s->id) {
      *free_at_ns = 0;
      return s;
    }
    if (s->last_used_ns < found->last_used_ns) found = s;
  }
  *free_at_ns = found->last_used_ns + IDLE_NS;
  return found;
}

static void evict(struct session *s) {
  if (!s->id) return;
  const uint32_t at = sessions.evicted_count++ % EVICTED_KEPT;
  sessions.evicted[at].id = s->id;
  sessions.evicted[at].owner = s->owner;
  s->id = 0;
}

static uint64_t next_id(uint64_t now_ns) {
  sessions.last_id = now_ns > sessions.last_id ? now_ns : sessions.last_id + 1;
  if (!sessions.first_id) sessions.first_id = sessions.last_id;
  return sessions.last_id;
}

#endif
