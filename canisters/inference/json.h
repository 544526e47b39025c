// JSON in and out: nested lists of numbers to the bytes of a tensor and back, without recursion and with bounded depth.
//
// The first fault sets `json.fault` and reading ends; the caller looks once, at the end. Source: RFC 8259.
#ifndef COMMONWEIGHT_JSON_H
#define COMMONWEIGHT_JSON_H

#include "decimal.h"
#include "network.h"

enum { MAX_LISTS = 16 };

static struct {
  const uint8_t *at, *end, *start;
  const char *fault;
} json;

static void json_fault(const char *why) {
  if (!json.fault) json.fault = why;
  json.end = json.at;
}

static uint8_t json_peek(void) {
  while (json.at < json.end && (*json.at == ' ' || *json.at == '\n' || *json.at == '\t' || *json.at == '\r')) json.at++;
  return json.at < json.end ? *json.at : 0;
}

static bool json_take(uint8_t byte) {
  if (json_peek() != byte) return false;
  json.at++;
  return true;
}

static void json_expect(uint8_t byte, const char *why) {
  if (!json_take(byte)) json_fault(why);
}

// A string between its quotes.
static struct found json_string(void) {
  json_expect('"', "a name in quotes is expected");
  const uint8_t *start = json.at;
  while (json.at < json.end && *json.at != '"') {
    if (*json.at == '\\' || *json.at < 0x20) json_fault("names are written without escapes");
    if (json.at < json.end) json.at++;
  }
  const struct found found = {start, (uint32_t)(json.at - start), 0};
  json_expect('"', "a name has no end");
  return found;
}

static bool is_digit(void) { return json.at < json.end && *json.at >= '0' && *json.at <= '9'; }

static void json_digits(struct decimal *d, bool is_fraction) {
  if (!is_digit()) json_fault("a number is expected");
  for (; is_digit(); json.at++) {
    const uint8_t digit = (uint8_t)(*json.at - '0');
    if (is_fraction) d->exponent--;
    if (!digit && !d->count) continue;  // leading zeros say nothing
    if (d->count == MAX_DIGITS) {
      json_fault("a number in it has more than 64 digits");
      return;
    }
    d->digits[d->count++] = digit;
  }
}

static void json_number(struct decimal *d) {
  *d = (struct decimal){.is_integer = true};
  d->is_negative = json_take('-');
  const uint8_t *first = json.at;
  json_digits(d, false);
  if (json.at - first > 1 && *first == '0') json_fault("a number does not begin with 0 and another digit");
  if (json.at < json.end && *json.at == '.') {
    json.at++;
    d->is_integer = false;
    json_digits(d, true);
  }
  if (json.at < json.end && (*json.at == 'e' || *json.at == 'E')) {
    json.at++;
    d->is_integer = false;
    bool is_negative = false;
    if (json.at < json.end && (*json.at == '-' || *json.at == '+')) is_negative = *json.at++ == '-';
    if (!is_digit()) json_fault("a number is expected");
    int32_t exponent = 0;
    for (; is_digit(); json.at++)
      if (exponent < 10000) exponent = exponent * 10 + (*json.at - '0');
    d->exponent += is_negative ? -exponent : exponent;
  }
  while (d->count && !d->digits[d->count - 1]) d->count--, d->exponent++;  // trailing zeros cost time
  if (!d->count) d->exponent = 0;
  if (d->count && (int32_t)d->count + d->exponent > MAX_EXPONENT) d->exponent = MAX_EXPONENT;  // infinite in any float
  if (d->exponent < -MAX_EXPONENT - (int32_t)d->count) {  // zero in any float
    d->count = 0;
    d->exponent = 0;
  }
}

static bool json_word(const char *word) {
  uint32_t size = 0;
  while (word[size]) size++;
  if (size > (uint32_t)(json.end - json.at) || !same(json.at, word, size)) return false;
  json.at += size;
  return true;
}

// --- tensors ---

static uint32_t elements_of(const struct tensor *t) {
  uint32_t count = 1;
  for (uint32_t i = 0; i < t->rank; i++) count *= (uint32_t)read_le(t->shape + 8 * i, 8);
  return count;
}

enum element { IS_BOOL, IS_SIGNED, IS_UNSIGNED, IS_FLOAT, IS_OTHER };

// By the dtype's first letters: bool, int.., uint.., float32, float64; halves and the like are not offered.
static enum element element_kind(const struct tensor *t) {
  if (t->dtype[0] == 'b') return t->dtype_size == 4 ? IS_BOOL : IS_OTHER;
  if (t->dtype[0] == 'i') return IS_SIGNED;
  if (t->dtype[0] == 'u') return IS_UNSIGNED;
  return t->dtype_size == 7 && t->dtype[5] != '1' ? IS_FLOAT : IS_OTHER;
}

static uint64_t integer_bits(const struct decimal *d, uint32_t width, bool is_signed) {
  uint64_t value = 0;
  bool fits = d->is_integer;
  for (uint32_t i = 0; fits && i < d->count + (uint32_t)d->exponent; i++) {
    const uint32_t digit = i < d->count ? d->digits[i] : 0;
    fits = value <= (UINT64_MAX - digit) / 10;
    value = value * 10 + digit;
  }
  const uint64_t most = UINT64_MAX >> (64 - 8 * width + is_signed);
  fits = fits && value <= most + (is_signed && d->is_negative) && (is_signed || !d->is_negative || !value);
  if (!fits) json_fault("an integer within its dtype's range is expected");
  return d->is_negative ? 0 - value : value;
}

static void json_element(enum element kind, uint32_t width, uint8_t *to) {
  uint64_t bits = 0;
  if (kind == IS_BOOL && (json_word("true") || json_word("false"))) {
    bits = json.at[-2] == 'u';
  } else {
    struct decimal d;
    json_number(&d);
    if (kind == IS_FLOAT) {
      bits = width == 4 ? float_bits(&d) : double_bits(&d);
    } else {
      bits = integer_bits(&d, width, kind == IS_SIGNED);
      if (kind == IS_BOOL && bits > 1) json_fault("a bool is true, false, 0 or 1");
    }
  }
  if (!json.fault) copy(to, &bits, width);
}

// A tensor's elements as one flat list, or as lists of lists in its shape. Says why when it is neither.
static void json_tensor(const struct tensor *t) {
  const uint32_t count = elements_of(t), width = count ? t->size_bytes / count : 0;
  const enum element kind = element_kind(t);
  if (kind == IS_OTHER) json_fault("its dtype is not offered in JSON: call infer instead");
  uint32_t sizes[MAX_LISTS], seen[MAX_LISTS], depth = 0, leaves = 0, leaf_depth = 0;
  for (uint32_t i = 0; i < MAX_LISTS; i++) sizes[i] = UINT32_MAX;
  do {
    if (json_take('[')) {
      if (depth == MAX_LISTS) {
        json_fault("its lists are nested too deeply");
        return;
      }
      seen[depth++] = 0;
      if (json_peek() != ']') continue;
    } else {
      json_peek();
      if (leaves == count || (leaves && depth != leaf_depth)) {
        json_fault("its elements are neither one flat list nor lists in its shape");
        return;
      }
      json_element(kind, width, t->address + leaves++ * width);
      leaf_depth = depth;
      if (depth) seen[depth - 1]++;
    }
    while (depth && !json.fault && json_take(']')) {
      depth--;
      if (sizes[depth] != UINT32_MAX && sizes[depth] != seen[depth]) json_fault("its lists have different lengths");
      sizes[depth] = seen[depth];
      if (depth) seen[depth - 1]++;
    }
    if (depth && !json.fault) json_expect(',', "a comma or the end of a list is expected");
  } while (depth && !json.fault);
  bool fits = leaves == count;
  if (leaf_depth > 1 || t->rank == 0) {
    fits = fits && leaf_depth == t->rank;
    for (uint32_t i = 0; fits && i < leaf_depth; i++) fits = sizes[i] == read_le(t->shape + 8 * i, 8);
  }
  if (!fits) json_fault("its elements are neither one flat list nor lists in its shape");
}

// --- what is written, from `out.base` on ---

static struct {
  uint8_t *base;
  uint32_t size;
} out;

enum { MAX_BODY_BYTES = (2 << 20) - 4096 };  // a reply holds 2 MiB

static void out_byte(uint8_t byte) {
  if (out.size == MAX_BODY_BYTES) {
    stop("the answer is longer than the 2 MiB that a reply holds: call infer instead");
  }
  out.base[out.size++] = byte;
}

static void out_text(const char *words) {
  while (*words) out_byte((uint8_t)*words++);
}

static void out_quoted(const uint8_t *from, uint32_t size) {
  out_byte('"');
  for (uint32_t i = 0; i < size; i++) {
    if (from[i] == '"' || from[i] == '\\') out_byte('\\');
    if (from[i] >= 0x20) out_byte(from[i]);
  }
  out_byte('"');
}

static void out_natural(uint64_t value) {
  uint8_t digits[20];
  uint32_t count = 0;
  do digits[count++] = (uint8_t)('0' + value % 10);
  while (value /= 10);
  while (count) out_byte(digits[--count]);
}

// What is no number has no place in JSON, and is null. `mantissa_bits`: those that are stored.
static void out_float(uint64_t bits, uint32_t mantissa_bits, uint32_t exponent_bits, uint32_t places) {
  const uint64_t fraction = bits & ((1ull << mantissa_bits) - 1);
  const uint32_t most = (1u << exponent_bits) - 1, exponent = (uint32_t)(bits >> mantissa_bits) & most;
  if (exponent == most) {
    out_text("null");
    return;
  }
  if (bits >> (mantissa_bits + exponent_bits)) out_byte('-');
  if (!fraction && !exponent) {
    out_byte('0');
    return;
  }
  uint8_t digits[17];
  const int32_t power = (int32_t)(exponent ? exponent : 1) - (int32_t)(most >> 1) - (int32_t)mantissa_bits;
  const int32_t tens = decimal_digits(exponent ? fraction | 1ull << mantissa_bits : fraction, power, places, digits);
  while (places > 1 && !digits[places - 1]) places--;
  out_byte((uint8_t)('0' + digits[0]));
  if (places > 1) out_byte('.');
  for (uint32_t i = 1; i < places; i++) out_byte((uint8_t)('0' + digits[i]));
  if (!tens) return;
  out_byte('e');
  if (tens < 0) out_byte('-');
  out_natural((uint64_t)(tens < 0 ? -tens : tens));
}

static void out_element(enum element kind, const uint8_t *from, uint32_t width) {
  const uint64_t bits = read_le(from, width);
  if (kind == IS_BOOL) {
    out_text(bits ? "true" : "false");
  } else if (kind == IS_FLOAT) {
    out_float(bits, width == 4 ? 23 : 52, width == 4 ? 8 : 11, width == 4 ? 9 : 17);
  } else {
    const bool is_negative = kind == IS_SIGNED && bits >> (8 * width - 1);
    if (is_negative) out_byte('-');
    out_natural(is_negative ? (0 - bits) & (UINT64_MAX >> (64 - 8 * width)) : bits);
  }
}

// Lists of lists in the tensor's shape.
static void out_tensor(const struct tensor *t) {
  const uint32_t count = elements_of(t), width = count ? t->size_bytes / count : 0;
  const enum element kind = element_kind(t);
  if (!count || kind == IS_OTHER) {
    out_text(count ? "null" : "[]");
    return;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (i) out_byte(',');
    uint32_t inner = 1;
    for (uint32_t d = t->rank; d--;) {
      inner *= (uint32_t)read_le(t->shape + 8 * d, 8);
      if (i % inner == 0) out_byte('[');
    }
    out_element(kind, t->address + i * width, width);
    inner = 1;
    for (uint32_t d = t->rank; d--;) {
      inner *= (uint32_t)read_le(t->shape + 8 * d, 8);
      if ((i + 1) % inner == 0) out_byte(']');
    }
  }
}

#endif
