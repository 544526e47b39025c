// Reading Candid from anybody: every length is checked against what is left, every number against its width, types are walked as the
// message's own table says, and what the reader does not ask for is skipped with bounded depth and bounded work.
//
// The first fault sets `error` and ends all further reading: callers look once, at the end. Fields may come with others that are not
// asked for (they are skipped), in records whose field numbers rise as the specification demands. A field of another type than asked
// for is refused. Source: Candid specification, "Binary Format".
#ifndef COMMONWEIGHT_CANDID_H
#define COMMONWEIGHT_CANDID_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_TYPES = 256, MAX_ARGUMENTS = 16, MAX_DEPTH = 32, MAX_STEPS = 100000 };

enum {
  T_NULL = -1, T_BOOL = -2, T_NAT = -3, T_INT = -4, T_NAT8 = -5, T_NAT16 = -6, T_NAT32 = -7, T_NAT64 = -8, T_INT8 = -9, T_INT64 = -12,
  T_FLOAT32 = -13, T_FLOAT64 = -14, T_TEXT = -15, T_RESERVED = -16, T_EMPTY = -17, T_OPT = -18, T_VEC = -19, T_RECORD = -20,
  T_VARIANT = -21, T_FUNC = -22, T_SERVICE = -23, T_PRINCIPAL = -24
};

struct entry {  // of the type table: its kind, and where in the message its parts stand
  int32_t kind;
  const uint8_t *parts;
};

static struct entry types[MAX_TYPES];
static uint32_t types_count;

struct reader {
  const uint8_t *at, *end;
  const char *error;
  uint32_t steps;
};

static void fault(struct reader *in, const char *why) {
  if (!in->error) in->error = why;
  in->at = in->end;
}

static uint8_t read_byte(struct reader *in) {
  if (in->at >= in->end) {
    fault(in, "it ends too early");
    return 0;
  }
  return *in->at++;
}

// Unsigned LEB128 of at most 64 bits.
static uint64_t read_natural(struct reader *in) {
  uint64_t value = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = read_byte(in);
    if (shift == 63 && byte > 1) break;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fault(in, "a number in it is too large");
  return 0;
}

// Signed LEB128 of at most 32 bits: a type.
static int32_t read_type(struct reader *in) {
  int64_t value = 0;
  for (uint32_t shift = 0; shift < 35; shift += 7) {
    const uint8_t byte = read_byte(in);
    value |= (int64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte & 0x40) value -= (int64_t)1 << (shift + 7);
      if (value >= INT32_MIN && value <= INT32_MAX) return (int32_t)value;
      break;
    }
  }
  fault(in, "a type in it is not known");
  return T_EMPTY;
}

// A length that what is left of the message can hold, at `each` bytes an element.
static uint32_t read_length(struct reader *in, uint32_t each) {
  const uint64_t length = read_natural(in);
  if (length > (uint64_t)(in->end - in->at) / each) {
    fault(in, "a length in it is larger than the message");
    return 0;
  }
  return (uint32_t)length;
}

static void skip_bytes(struct reader *in, uint64_t size) {
  if (size > (uint64_t)(in->end - in->at)) {
    fault(in, "it ends too early");
  } else {
    in->at += size;
  }
}

// A type in the table or a primitive one.
static int32_t read_known_type(struct reader *in) {
  const int32_t type = read_type(in);
  const bool is_primitive = (type <= T_NULL && type >= T_EMPTY) || type == T_PRINCIPAL;
  if (!is_primitive && !(type >= 0 && (uint32_t)type < types_count)) {
    fault(in, "a type in it is not known");
    return T_EMPTY;
  }
  return type;
}

static void read_fields(struct reader *in) {
  const uint32_t count = read_length(in, 2);
  int64_t before = -1;
  for (uint32_t i = 0; i < count && !in->error; i++) {
    const uint64_t id = read_natural(in);
    if (id > UINT32_MAX || (int64_t)id <= before) fault(in, "the fields of a record in it are not in order");
    before = (int64_t)id;
    read_known_type(in);
  }
}

static void read_entry(struct reader *in, struct entry *found) {
  found->kind = read_type(in);
  found->parts = in->at;
  switch (found->kind) {
    case T_OPT:
    case T_VEC: read_known_type(in); return;
    case T_RECORD:
    case T_VARIANT: read_fields(in); return;
    case T_FUNC:
      for (uint32_t group = 0; group < 2; group++)
        for (uint32_t count = read_length(in, 1); count && !in->error; count--) read_known_type(in);
      skip_bytes(in, read_length(in, 1));
      return;
    case T_SERVICE:
      for (uint32_t count = read_length(in, 2); count && !in->error; count--) {
        skip_bytes(in, read_length(in, 1));
        read_known_type(in);
      }
      return;
    default: fault(in, "a type in it is not known");
  }
}

static struct reader parts_of(int32_t type, const struct reader *in) {
  return (struct reader){types[type].parts, in->end, 0, 0};  // was read to its end before
}

static int32_t kind_of(int32_t type) { return type < 0 ? type : types[type].kind; }

// Bytes of a value of a fixed-size type, 0 for all others.
static uint32_t width_of(int32_t type) {
  switch (type) {
    case T_BOOL: case T_NAT8: case T_INT8: return 1;
    case T_NAT16: case T_INT8 - 1: return 2;
    case T_NAT32: case T_INT8 - 2: case T_FLOAT32: return 4;
    case T_NAT64: case T_INT64: case T_FLOAT64: return 8;
    default: return 0;
  }
}

static void skip_value(struct reader *in, int32_t type, uint32_t depth);

static void skip_principal(struct reader *in) {
  if (read_byte(in) != 1) fault(in, "a reference in it is opaque");
  skip_bytes(in, read_length(in, 1));
}

static void skip_number(struct reader *in) {
  while (!in->error && read_byte(in) >= 0x80) {}
}

static void skip_vector(struct reader *in, int32_t element, uint32_t depth) {
  const uint64_t count = read_natural(in);
  const uint32_t width = width_of(element);
  if (width) {
    if (count > UINT32_MAX) fault(in, "a length in it is larger than the message");
    skip_bytes(in, count * width);
    return;
  }
  for (uint64_t i = 0; i < count && !in->error; i++) skip_value(in, element, depth + 1);
}

static void skip_record(struct reader *in, int32_t type, uint32_t depth) {
  struct reader parts = parts_of(type, in);
  for (uint64_t count = read_natural(&parts); count && !in->error; count--) {
    read_natural(&parts);
    skip_value(in, read_type(&parts), depth + 1);
  }
}

static void skip_variant(struct reader *in, int32_t type, uint32_t depth) {
  struct reader parts = parts_of(type, in);
  const uint64_t count = read_natural(&parts), chosen = read_natural(in);
  if (chosen >= count) {
    fault(in, "a variant in it has no such tag");
    return;
  }
  int32_t inner = T_NULL;
  for (uint64_t i = 0; i <= chosen; i++) {
    read_natural(&parts);
    inner = read_type(&parts);
  }
  skip_value(in, inner, depth + 1);
}

static void skip_value(struct reader *in, int32_t type, uint32_t depth) {
  if (in->error) return;
  if (depth > MAX_DEPTH) {
    fault(in, "it is nested too deeply");
    return;
  }
  if (++in->steps > MAX_STEPS) {
    fault(in, "it holds too many values");
    return;
  }
  const uint32_t width = width_of(type);
  if (width) {
    skip_bytes(in, width);
    return;
  }
  switch (kind_of(type)) {
    case T_NULL:
    case T_RESERVED: return;
    case T_NAT:
    case T_INT: skip_number(in); return;
    case T_TEXT: skip_bytes(in, read_length(in, 1)); return;
    case T_PRINCIPAL:
    case T_SERVICE: skip_principal(in); return;
    case T_FUNC:
      if (read_byte(in) != 1) fault(in, "a reference in it is opaque");
      skip_principal(in);
      skip_bytes(in, read_length(in, 1));
      return;
    case T_OPT: {
      const uint8_t is_there = read_byte(in);
      struct reader parts = parts_of(type, in);
      if (is_there > 1) fault(in, "an option in it is neither there nor not");
      if (is_there) skip_value(in, read_type(&parts), depth + 1);
      return;
    }
    case T_VEC: {
      struct reader parts = parts_of(type, in);
      skip_vector(in, read_type(&parts), depth);
      return;
    }
    case T_RECORD: skip_record(in, type, depth); return;
    case T_VARIANT: skip_variant(in, type, depth); return;
    default: fault(in, "a value in it has the empty type");
  }
}

// --- what is asked for ---

enum want { WANT_TEXT, WANT_BLOB, WANT_NAT32, WANT_NAT64S, WANT_RECORDS };

struct field {  // asked for by number; found: bytes or elements from `at` on, or a number
  uint32_t id;
  enum want want;
  const char *refusal;  // said when it is missing or of another type
  bool found;
  const uint8_t *at;
  uint32_t count;
  int32_t element;
  uint64_t number;
};

// The type of a vector's elements, or T_NULL when `type` is no vector.
static int32_t element_of(const struct reader *in, int32_t type) {
  if (kind_of(type) != T_VEC) return T_NULL;
  struct reader parts = parts_of(type, in);
  return read_type(&parts);
}

static void read_field(struct reader *in, int32_t type, struct field *field, uint32_t depth) {
  const int32_t element = element_of(in, type);
  field->found = true;
  if (element == T_EMPTY && field->want != WANT_TEXT && field->want != WANT_NAT32) {  // an empty vector of nothing fits any vector
    if (read_natural(in)) fault(in, "a value in it has the empty type");
    field->at = in->at;
    field->count = 0;
    return;
  }
  switch (field->want) {
    case WANT_NAT32:
      if (type != T_NAT32) break;
      for (uint32_t i = 0; i < 4; i++) field->number |= (uint64_t)read_byte(in) << 8 * i;
      return;
    case WANT_TEXT:
    case WANT_BLOB:
      if (field->want == WANT_TEXT ? type != T_TEXT : element != T_NAT8) break;
      field->count = read_length(in, 1);
      field->at = in->at;
      skip_bytes(in, field->count);
      return;
    case WANT_NAT64S:
      if (element != T_NAT64) break;
      field->count = read_length(in, 8);
      field->at = in->at;
      skip_bytes(in, (uint64_t)field->count * 8);
      return;
    case WANT_RECORDS:
      if (kind_of(element) != T_RECORD) break;
      field->count = read_length(in, 1);
      field->at = in->at;
      field->element = element;
      for (uint32_t i = 0; i < field->count && !in->error; i++) skip_value(in, element, depth + 1);
      return;
  }
  fault(in, field->refusal);
}

// A record with at least these fields.
static void read_record(struct reader *in, int32_t type, struct field *fields, uint32_t count, uint32_t depth) {
  if (kind_of(type) != T_RECORD) {
    fault(in, "a record is expected");
    return;
  }
  struct reader parts = parts_of(type, in);
  for (uint64_t left = read_natural(&parts); left && !in->error; left--) {
    const uint32_t id = (uint32_t)read_natural(&parts);
    const int32_t inner = read_type(&parts);
    struct field *field = 0;
    for (uint32_t i = 0; i < count; i++)
      if (fields[i].id == id) field = &fields[i];
    if (field) {
      read_field(in, inner, field, depth + 1);
    } else {
      skip_value(in, inner, depth + 1);
    }
  }
  for (uint32_t i = 0; i < count; i++)
    if (!fields[i].found) fault(in, fields[i].refusal);
}

// A whole message: one record as its first argument, further ones skipped.
static struct reader read_message(const uint8_t *message, uint32_t size, struct field *fields, uint32_t count) {
  struct reader in = {message, message + size, 0, 0};
  types_count = 0;
  if (size < 4 || message[0] != 'D' || message[1] != 'I' || message[2] != 'D' || message[3] != 'L') {
    fault(&in, "it does not begin with DIDL");
    return in;
  }
  in.at += 4;
  const uint64_t table = read_natural(&in);
  if (table > MAX_TYPES) fault(&in, "it has more than 256 types");
  if (in.error) return in;
  types_count = (uint32_t)table;
  for (uint32_t i = 0; i < types_count && !in.error; i++) read_entry(&in, &types[i]);
  const uint64_t arguments = read_natural(&in);
  int32_t kinds[MAX_ARGUMENTS];
  if (arguments == 0 || arguments > MAX_ARGUMENTS) fault(&in, "one argument is expected");
  for (uint32_t i = 0; i < arguments && !in.error; i++) kinds[i] = read_known_type(&in);
  if (in.error) return in;
  read_record(&in, kinds[0], fields, count, 0);
  for (uint32_t i = 1; i < arguments && !in.error; i++) skip_value(&in, kinds[i], 0);
  if (!in.error && in.at != in.end) fault(&in, "there are bytes behind its last value");
  return in;
}

#endif
