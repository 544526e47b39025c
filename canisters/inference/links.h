// The canisters before and behind a stage of a model that is cut over several: who may ask it, and whom it hands its results to.
#ifndef COMMONWEIGHT_LINKS_H
#define COMMONWEIGHT_LINKS_H

#include "weights.h"

enum { STABLE_LINKS_AT = 4096 };  // of the page whose beginning is the header

// The canisters before and behind. A size of 0: there is none.
static struct {
  struct principal {
    uint8_t size, bytes[PRINCIPAL_BYTES];
  } next, accept;
} links;
static bool links_are_known;

// They outlive upgrades in stable memory, which is all zeros where nothing was written.
static void know_links(void) {
  if (links_are_known || !stable64_size()) return;
  stable64_read((uintptr_t)&links, STABLE_LINKS_AT, sizeof links);
  links_are_known = true;
}

static const struct wanted LINKS[] = {OPTIONAL(next, T_PRINCIPAL, "principal"), OPTIONAL(accept, T_PRINCIPAL, "principal")};

static void take_link(struct principal *link, const struct found *found) {
  link->size = 0;
  if (!found->at) return;
  if (!found->count || found->count > PRINCIPAL_BYTES) malformed("a principal has 1 to 29 bytes here");
  link->size = (uint8_t)found->count;
  copy(link->bytes, found->at, found->count);
}

EXPORT("canister_update ", "stage_connect") void stage_connect(void) {
  if (!let_in()) return;
  struct found found[2];
  take_record(LINKS, found, 2);
  take_link(&links.next, &found[0]);
  take_link(&links.accept, &found[1]);
  links_are_known = true;
  stable64_write(STABLE_LINKS_AT, (uintptr_t)&links, sizeof links);
  reply_as(TYPE_stage_connect);
  msg_reply();
}

static void put_link(const struct principal *link) {
  put_byte(link->size > 0);
  if (!link->size) return;
  put_byte(1);  // not opaque
  put_bytes(link->bytes, link->size);
}

EXPORT("canister_query ", "stage") void stage(void) {
  know_links();
  reply_as(TYPE_stage);
  IN_ORDER(accept, next);
  put_link(&links.accept);
  put_link(&links.next);
  msg_reply();
}

static bool caller_is_accepted(void) {
  uint8_t caller[PRINCIPAL_BYTES];
  const uint32_t size = msg_caller_size();
  msg_caller_copy(caller, 0, size);
  return links.accept.size == size && same(links.accept.bytes, caller, size);
}

#define WORDS_(x) #x
#define WORDS(x) WORDS_(x)
static const char WHO[] = "stage " WORDS(STAGE_NUMBER) " of " WORDS(STAGES_COUNT) ": ";

static void say_next(void) {
  text.size = 0;
  say("stage ");
  say_number(STAGE_NUMBER + 1);
}

// The next stage has answered, with outputs or with an error: the bytes are passed back.
static void pass_back(uint32_t unused) {
  (void)unused;
  const uint32_t size = msg_arg_data_size();
  require_memory((uint64_t)MEMORY_END + size);
  msg_arg_data_copy((void *)MEMORY_END, 0, size);
  put((const void *)MEMORY_END, size);
  msg_reply();
}

static void append_length(uint32_t value) {
  uint8_t bytes[5];
  uint32_t count = 0;
  for (; value >= 0x80; value >>= 7) bytes[count++] = (uint8_t)(value | 0x80);
  bytes[count++] = (uint8_t)value;
  call_data_append(bytes, count);
}

#endif
