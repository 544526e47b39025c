// A message's door: its argument, and who sent it.
#ifndef COMMONWEIGHT_MESSAGE_H
#define COMMONWEIGHT_MESSAGE_H

#include "candid.h"
#include "reply.h"

#define EXPORT(kind, name) __attribute__((export_name(kind name)))

enum { PRINCIPAL_BYTES = 29, WASM_PAGE = 65536 };

static bool same(const uint8_t *a, const void *b, uint32_t size) {
  for (uint32_t i = 0; i < size; i++)
    if (a[i] != ((const uint8_t *)b)[i]) return false;
  return true;
}

// One instruction; the network charges it by the byte.
static void copy(void *to, const void *from, uint32_t size) { __builtin_memcpy(to, from, size); }

// Memory up to this address, which may lie behind all that the compiler has planned.
static void require_memory(uint64_t end) {
  const uint64_t has = (uint64_t)__builtin_wasm_memory_size(0) * WASM_PAGE;
  if (end > has && __builtin_wasm_memory_grow(0, (end - has + WASM_PAGE - 1) / WASM_PAGE) == (uint32_t)-1)
    stop("the message does not fit into memory");
}

// Makes the argument readable: a small one beside the activations, which are not in use yet; a large one, or one that is read while the
// network runs, behind everything.
static void take_argument(bool is_kept) {
  const uint32_t size = msg_arg_data_size();
  uint8_t *at = (uint8_t *)MESSAGE_BASE;
  if (is_kept || size > MESSAGE_BYTES) {
    require_memory((uint64_t)MEMORY_END + size);
    at = (uint8_t *)MEMORY_END;
  }
  msg_arg_data_copy(at, 0, size);
  in.at = at;
  in.end = at + size;
}

static void take_record(const struct wanted *wanted, struct found *found, uint32_t count) {
  take_argument(false);
  read_message(wanted, found, count);
}

static bool caller_is_controller(void) {
  uint8_t caller[PRINCIPAL_BYTES];
  const uint32_t size = msg_caller_size();
  msg_caller_copy(caller, 0, size);
  return is_controller(caller, size) == 1;
}

static bool caller_is_anonymous(void) {
  uint8_t caller[PRINCIPAL_BYTES];
  const uint32_t size = msg_caller_size();
  msg_caller_copy(caller, 0, size);
  return size == 1 && caller[0] == 4;
}

static void reject(const char *why) {
  text.size = 0;
  say(why);
  msg_reject(text.bytes, text.size);
}

// True when the call may go on.
static bool let_in(void) {
  if (caller_is_controller()) return true;
  reject("only a controller may call this: its cooperative sells the answers");
  return false;
}

#endif
