// Reading Candid from anybody: every length is checked against what is left, every number against its width, types are walked as the
// message's own table says, and what the reader does not ask for is skipped with bounded depth and bounded work.
//
// The first fault ends the call with words (`stop`), so nothing that is read needs to be looked at twice. Fields may come with others that
// are not asked for (they are skipped), in records whose field numbers rise as the specification demands. A field of another type than
// asked for is a fault. Source: Candid specification, "Binary Format".
#ifndef COMMONWEIGHT_CANDID_H
#define COMMONWEIGHT_CANDID_H

#include "text.h"

enum { MAX_TYPES = 256, MAX_DEPTH = 32, MAX_STEPS = 100000 };

enum {
  T_NULL = -1, T_BOOL = -2, T_NAT = -3, T_INT = -4, T_NAT8 = -5, T_NAT16 = -6, T_NAT32 = -7, T_NAT64 = -8, T_INT8 = -9, T_INT64 = -12,
  T_FLOAT32 = -13, T_FLOAT64 = -14, T_TEXT = -15, T_RESERVED = -16, T_EMPTY = -17, T_OPT = -18, T_VEC = -19, T_RECORD = -20,
  T_VARIANT = -21, T_FUNC = -22, T_SERVICE = -23, T_PRINCIPAL = -24
};

// Bytes of a value, by the negative of its type; NUMBER and more for those that say it themselves.
enum { NUMBER = 16, BYTES, REFERENCE, NEVER, NESTED };
static const uint8_t WIDTHS[25] = {0, 0, 1, NUMBER, NUMBER, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, BYTES, 0, NEVER, NESTED, NESTED, NESTED, NESTED, NESTED, REFERENCE, REFERENCE};

typedef uint32_t unaligned_u32 __attribute__((aligned(1), may_alias));

struct entry {  // of the type table: its kind, and where in the message its parts stand
  int32_t kind;
  const uint8_t *parts;
};

static struct entry types[MAX_TYPES];
static uint32_t types_count;

static struct {
  const uint8_t *at, *end;
  uint32_t steps;
} in;

static void say_malformed(void) {
  text.size = 0;
  say("the argument is not what this method takes: ");
}

static _Noreturn void malformed(const char *why) {
  say_malformed();
  say(why);
  stop_with_text();
}

// One text for all that no encoder writes.
static _Noreturn void broken(void) { malformed("it is no well-formed Candid"); }

static uint8_t read_byte(const uint8_t **at) {
  if (*at >= in.end) broken();
  return *(*at)++;
}

// Unsigned LEB128 of at most 64 bits.
static uint64_t read_natural(const uint8_t **at) {
  uint64_t value = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = read_byte(at);
    if (shift == 63 && byte > 1) break;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  broken();
}

// Signed LEB128. Types and constructors are negative and take one byte; what is larger is a place in the table.
static int32_t read_type(const uint8_t **at) {
  const uint8_t *start = *at;
  const uint64_t value = read_natural(at);
  return *at - start == 1 && value >= 0x40 ? (int32_t)value - 0x80 : value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

static void skip_bytes(uint64_t size) {
  if (size > (uint64_t)(in.end - in.at)) broken();
  in.at += size;
}

static uint32_t read_length(uint32_t each) {
  const uint64_t length = read_natural(&in.at);
  if (length > (uint64_t)(in.end - in.at) / each) broken();
  return (uint32_t)length;
}

// A type in the table or a primitive one.
static int32_t read_known_type(void) {
  const int32_t type = read_type(&in.at);
  const bool is_known = type < 0 ? type >= T_EMPTY || type == T_PRINCIPAL : (uint32_t)type < types_count;
  if (!is_known) broken();
  return type;
}

static void read_known_types(void) {
  for (uint32_t count = read_length(1); count; count--) read_known_type();
}

static void read_entry(struct entry *found) {
  found->kind = read_type(&in.at);
  found->parts = in.at;
  if (found->kind == T_OPT || found->kind == T_VEC) {
    read_known_type();
  } else if (found->kind == T_FUNC) {
    read_known_types();
    read_known_types();
    skip_bytes(read_length(1));
  } else if (found->kind == T_RECORD || found->kind == T_VARIANT || found->kind == T_SERVICE) {
    int64_t before = -1;
    for (uint32_t count = read_length(2); count; count--) {
      const uint64_t id = read_natural(&in.at);
      if (found->kind == T_SERVICE) {
        skip_bytes(id);  // a method's name
      } else {
        if (id > UINT32_MAX || (int64_t)id <= before) broken();
        before = (int64_t)id;
      }
      read_known_type();
    }
  } else {
    broken();
  }
}

static int32_t kind_of(int32_t type) { return type < 0 ? type : types[type].kind; }

// The type of a vector's or an option's elements.
static int32_t element_of(int32_t type) {
  const uint8_t *parts = types[type].parts;
  return read_type(&parts);
}

static void skip(int32_t type, uint32_t depth);

static void skip_elements(int32_t type, uint64_t count, uint32_t depth) {
  const uint8_t width = type < 0 ? WIDTHS[-type] : 0;
  if (width && width < NUMBER) {
    if (count > UINT32_MAX) broken();
    skip_bytes(count * width);
    return;
  }
  while (count--) skip(type, depth + 1);
}

static bool read_flag(void) {
  const uint8_t flag = read_byte(&in.at);
  if (flag > 1) broken();
  return flag;
}

static void skip_reference(void) {
  if (read_byte(&in.at) != 1) broken();
  skip_bytes(read_length(1));
}

static void skip_nested(int32_t type, uint32_t depth) {
  const uint8_t *parts = types[type].parts;
  uint64_t count;
  switch (types[type].kind) {
    case T_OPT: count = read_flag(); break;
    case T_VEC: skip_elements(read_type(&parts), read_natural(&in.at), depth); return;
    case T_RECORD:
      for (count = read_natural(&parts); count; count--) {
        read_natural(&parts);
        skip(read_type(&parts), depth + 1);
      }
      return;
    case T_VARIANT: {
      const uint64_t tags = read_natural(&parts);
      count = read_natural(&in.at);
      if (count >= tags) broken();
      for (; count; count--) {
        read_natural(&parts);
        read_type(&parts);
      }
      read_natural(&parts);
      count = 1;
      break;
    }
    default:  // a function
      if (read_byte(&in.at) != 1) broken();
      skip_reference();
      skip_bytes(read_length(1));
      return;
  }
  if (count) skip(read_type(&parts), depth + 1);
}

static void skip(int32_t type, uint32_t depth) {
  if (depth > MAX_DEPTH || !in.steps--) malformed("it holds too much, or nests it too deeply");
  switch (WIDTHS[-kind_of(type)]) {
    case NUMBER: while (read_byte(&in.at) >= 0x80) {} return;
    case BYTES: skip_bytes(read_length(1)); return;
    case REFERENCE: skip_reference(); return;
    case NEVER: broken();
    case NESTED: skip_nested(type, depth); return;
    default: skip_bytes(WIDTHS[-kind_of(type)]);
  }
}

// --- what is asked for ---

// A vector of a primitive type, or of records.
#define VEC_OF(type) ((type)-32)

struct wanted {
  uint32_t id;
  int8_t type;
  bool is_optional;
  const char *shown;
};

// `shown`: the type as Candid writes it.
#define WANTED(label, type, shown) {ID_##label, type, false, #label " : " shown}
#define OPTIONAL(label, type, shown) {ID_##label, type, true, #label " : opt " shown}

static _Noreturn void misfit(const struct wanted *wanted) {
  say_malformed();
  say(wanted->shown);
  say(" is expected");
  stop_with_text();
}

struct found {  // bytes or elements from `at` on, unaligned. `count`: of bytes or elements; of anything else 1, or 0 when it is left out
  const uint8_t *at;
  uint32_t count;
  int32_t element;
};

static void read_field(int32_t type, const struct wanted *wanted, struct found *found, uint32_t depth) {
  int32_t kind = kind_of(type);
  if (wanted->is_optional) {
    if (kind == T_NULL || kind == T_RESERVED || (kind == T_OPT && !read_flag())) return;
    if (kind == T_OPT) {
      type = element_of(type);
      kind = kind_of(type);
    }
  }
  if (wanted->type < T_PRINCIPAL) {
    if (kind != T_VEC) misfit(wanted);
    const int32_t element = element_of(type);
    const uint64_t count = read_natural(&in.at);
    // An empty vector of nothing fits any vector.
    if (kind_of(element) != wanted->type + 32 && !(element == T_EMPTY && !count)) misfit(wanted);
    const uint8_t *start = in.at;
    skip_elements(element, count, depth);
    if (count > UINT32_MAX) broken();
    *found = (struct found){start, (uint32_t)count, element};
    return;
  }
  if (kind != wanted->type) misfit(wanted);
  found->at = in.at;
  found->count = 1;
  if (kind == T_TEXT || kind == T_PRINCIPAL) {
    if (kind == T_PRINCIPAL && read_byte(&in.at) != 1) broken();
    found->count = read_length(1);
    found->at = in.at;
    in.at += found->count;
    return;
  }
  skip(type, depth);
}

// A record with at least these fields; `found` begins as zeros.
static void read_record(int32_t type, const struct wanted *wanted, struct found *found, uint32_t count, uint32_t depth) {
  if (kind_of(type) != T_RECORD) malformed("a record is expected");
  const uint8_t *parts = types[type].parts;
  for (uint32_t i = 0; i < count; i++) found[i] = (struct found){0, 0, 0};
  for (uint64_t left = read_natural(&parts); left; left--) {
    const uint32_t id = (uint32_t)read_natural(&parts);
    const int32_t inner = read_type(&parts);
    uint32_t i = 0;
    while (i < count && wanted[i].id != id) i++;
    if (i < count) {
      read_field(inner, &wanted[i], &found[i], depth + 1);
    } else {
      skip(inner, depth + 1);
    }
  }
  for (uint32_t i = 0; i < count; i++)
    if (!found[i].at && !wanted[i].is_optional) misfit(&wanted[i]);
}

// A whole message, from `in.at` to `in.end`: one record as its first argument, further ones skipped.
static void read_message(const struct wanted *wanted, struct found *found, uint32_t count) {
  if (in.end - in.at < 4 || *(const unaligned_u32 *)in.at != 0x4c444944) broken();
  in.at += 4;
  in.steps = MAX_STEPS;
  const uint64_t table = read_natural(&in.at);
  if (table > MAX_TYPES) broken();
  types_count = (uint32_t)table;
  for (uint32_t i = 0; i < table; i++) read_entry(&types[i]);
  const uint32_t arguments = read_length(1);
  const uint8_t *kinds = in.at;
  for (uint32_t i = 0; i < arguments; i++) read_known_type();
  if (!arguments) broken();
  read_record(read_type(&kinds), wanted, found, count, 0);
  for (uint32_t i = 1; i < arguments; i++) skip(read_type(&kinds), 0);
  if (in.at != in.end) broken();
}

static uint64_t read_le(const uint8_t *from, uint32_t size) {
  uint64_t value = 0;
  while (size--) value = value << 8 | from[size];
  return value;
}

#endif
