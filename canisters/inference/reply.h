// Writing a reply: the type table of the whole interface, the type of the method's result, then values in the order of their fields' ids.
#ifndef COMMONWEIGHT_REPLY_H
#define COMMONWEIGHT_REPLY_H

#include "interface.h"
#include "text.h"

// Fields of a record are written by rising id; here the compiler checks that they are.
#define IN_ORDER(first, second) _Static_assert(ID_##first < ID_##second, "the fields of a record are written in the order of their ids")

static void put(const void *from, uint32_t size) { msg_reply_data_append(from, size); }

static void put_number(uint64_t value, uint32_t size) {
  static uint64_t bytes;
  bytes = value;
  put(&bytes, size);
}

static void put_u64(uint64_t value) { put_number(value, 8); }

static void put_u32(uint32_t value) { put_number(value, 4); }

static void put_byte(uint8_t value) { put_number(value, 1); }

// A length, unsigned LEB128.
static void put_length(uint32_t value) {
  for (; value >= 0x80; value >>= 7) put_byte((uint8_t)(value | 0x80));
  put_byte((uint8_t)value);
}

static void put_bytes(const void *from, uint32_t size) {
  put_length(size);
  put(from, size);
}

static void put_text(const char *words) {
  uint32_t size = 0;
  while (words[size]) size++;
  put_bytes(words, size);
}

static void reply_as(uint8_t type) {
  put(REPLY_TYPES, sizeof REPLY_TYPES);
  put_byte(type);
}

#endif
