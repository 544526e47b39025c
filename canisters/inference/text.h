// What the canister says in words: one text at a time, cut at 1 KiB, printable ASCII in whatever others have named.
#ifndef COMMONWEIGHT_TEXT_H
#define COMMONWEIGHT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "ic0.h"

enum { TEXT_BYTES = 1024, SHOWN_BYTES = 64 };

static struct {
  uint8_t bytes[TEXT_BYTES];
  uint32_t size;
} text;

static __attribute__((noinline)) void say_byte(uint8_t byte) {
  if (text.size < TEXT_BYTES) text.bytes[text.size++] = byte;
}

static void say(const char *words) {
  while (*words) say_byte((uint8_t)*words++);
}

static void say_number(uint64_t value) {
  uint64_t unit = 1;
  while (value / unit >= 10) unit *= 10;
  for (; unit; unit /= 10) say_byte((uint8_t)('0' + value / unit % 10));
}

// Somebody's own words, cut short, and without what could not be shown.
static void say_shown(const uint8_t *from, uint32_t size) {
  for (uint32_t i = 0; i < size && i < SHOWN_BYTES; i++) say_byte(from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?');
  if (size > SHOWN_BYTES) say("...");
}

// Ends the call with what has been said: all that it has done is undone, and the caller reads why.
static _Noreturn void stop_with_text(void) { ic0_trap(text.bytes, text.size); }

static _Noreturn void stop(const char *why) {
  text.size = 0;
  say(why);
  stop_with_text();
}

#endif
