// An inference canister: takes the weights that its manifest names, keeps them over upgrades, and answers with what the compiled network
// computes. Everything that is special to one model is in interface.h and model.c, which canisters.compiler writes beside this file.
//
// Memory has fixed places, decided by the compiler: stack, data, activations, weights; large messages come behind all of that. A message
// either runs to its end or traps, and a trap undoes everything: no state is ever half written. Wrong arguments of infer_blob are answered
// with Err and a text that says what is expected; what is no Candid at all for the other methods is rejected with such a text.
#include "sha256.h"

// All but the hashing runs a few thousand instructions a message: small rather than fast.
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

#include "ic0.h"
#include "candid.h"
#include "interface.h"

void model_run(void);

#define EXPORT(kind, name) __attribute__((export_name(kind name)))

enum { PRINCIPAL_BYTES = 29, WASM_PAGE = 65536, STABLE_WEIGHTS_AT = WASM_PAGE, TEXT_BYTES = 1024 };

static struct {
  uint8_t is_sealed;
  uint32_t present_count;
  uint8_t release_hash[32];
  uint8_t present[CHUNKS ? CHUNKS : 1];
} state;

// What stable memory begins with; the weights follow one page later, once they are sealed.
struct stable_header {
  uint8_t magic[8];
  uint64_t weights_bytes;
  uint8_t release_hash[32];
  uint8_t is_sealed;
  uint8_t unused[15];
};
static const uint8_t MAGIC[8] = {'C', 'W', 'I', 'N', 'F', 'E', 'R', '1'};

// --- text ---

static struct {
  uint8_t bytes[TEXT_BYTES];
  uint32_t size;
} text;

static void say_bytes(const uint8_t *from, uint32_t size) {
  for (uint32_t i = 0; i < size && text.size < TEXT_BYTES; i++) text.bytes[text.size++] = from[i];
}

static void say(const char *words) {
  while (*words && text.size < TEXT_BYTES) text.bytes[text.size++] = (uint8_t)*words++;
}

static void say_number(uint64_t value) {
  uint8_t digits[20];
  uint32_t at = 20;
  do digits[--at] = (uint8_t)('0' + value % 10);
  while (value /= 10);
  say_bytes(digits + at, 20 - at);
}

// Somebody else's words, cut short, and without what could not be shown.
static void say_quoted(const uint8_t *from, uint32_t size) {
  say("'");
  for (uint32_t i = 0; i < size && i < 64; i++) {
    const uint8_t shown = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
    say_bytes(&shown, 1);
  }
  say(size > 64 ? "...'" : "'");
}

// --- messages ---

static bool same(const uint8_t *a, const void *b, uint32_t size) {
  for (uint32_t i = 0; i < size; i++)
    if (a[i] != ((const uint8_t *)b)[i]) return false;
  return true;
}

typedef uint64_t unaligned_u64 __attribute__((aligned(1), may_alias));

static void copy(uint8_t *to, const uint8_t *from, uint32_t size) {
  uint32_t i = 0;
  for (; i + 8 <= size; i += 8) *(unaligned_u64 *)(to + i) = *(const unaligned_u64 *)(from + i);
  for (; i < size; i++) to[i] = from[i];
}

static void put_le(uint8_t *to, uint64_t value, uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

// The argument's bytes: a small message beside the activations, which are not in use yet; a large one behind everything.
static const uint8_t *argument(uint32_t *size) {
  *size = msg_arg_data_size();
  if (*size <= MESSAGE_BYTES) {
    msg_arg_data_copy((void *)MESSAGE_BASE, 0, *size);
    return (const uint8_t *)MESSAGE_BASE;
  }
  const uint64_t end = (uint64_t)MEMORY_END + *size;
  const uint64_t has = (uint64_t)__builtin_wasm_memory_size(0) * WASM_PAGE;
  if (end > has && __builtin_wasm_memory_grow(0, (end - has + WASM_PAGE - 1) / WASM_PAGE) == (uint32_t)-1) {
    const char why[] = "the argument does not fit into memory";
    ic0_trap(why, sizeof why - 1);
  }
  msg_arg_data_copy((void *)MEMORY_END, 0, *size);
  return (const uint8_t *)MEMORY_END;
}

static bool caller_is_controller(void) {
  uint8_t caller[PRINCIPAL_BYTES];
  const uint32_t size = msg_caller_size();
  if (size > PRINCIPAL_BYTES) return false;
  msg_caller_copy(caller, 0, size);
  return is_controller(caller, size) == 1;
}

static void reject_text(void) { msg_reject(text.bytes, text.size); }

// True when the call may go on.
static bool let_in(void) {
  if (caller_is_controller()) return true;
  text.size = 0;
  say("only a controller of this canister may call this; answers are sold by the cooperative that controls it");
  reject_text();
  return false;
}

static void reject_argument(const char *why) {
  text.size = 0;
  say("the argument is not what this method takes: ");
  say(why);
  reject_text();
}

static void reply_whole(const uint8_t *from, uint32_t size) {
  msg_reply_data_append(from, size);
  msg_reply();
}

// --- start and upgrade ---

static void remember(void) {
  struct stable_header header = {.weights_bytes = WEIGHTS_BYTES, .is_sealed = state.is_sealed};
  copy(header.magic, MAGIC, sizeof MAGIC);
  copy(header.release_hash, state.release_hash, 32);
  const uint64_t needed = 1 + (state.is_sealed ? (WEIGHTS_BYTES + WASM_PAGE - 1) / WASM_PAGE : 0), has = stable64_size();
  if (needed > has && stable64_grow(needed - has) == (uint64_t)-1) {
    const char why[] = "stable memory cannot hold the weights: give the canister more cycles or a larger memory allocation";
    ic0_trap(why, sizeof why - 1);
  }
  if (state.is_sealed) stable64_write(STABLE_WEIGHTS_AT, WEIGHTS_BASE, WEIGHTS_BYTES);
  stable64_write(0, (uint64_t)(uintptr_t)&header, sizeof header);
}

static void take_release_hash(void) {
  uint32_t size;
  const uint8_t *message = argument(&size);
  struct field wanted[] = {{.id = ID_release_hash, .want = WANT_BLOB, .refusal = "release_hash : blob is expected"}};
  const struct reader in = read_message(message, size, wanted, 1);
  if (in.error || wanted[0].count != 32) {
    const char why[] = "start the canister with record { release_hash : blob } of 32 bytes";
    ic0_trap(why, sizeof why - 1);
  }
  copy(state.release_hash, wanted[0].at, 32);
}

static uint32_t chunk_size(uint32_t index) {
  return index + 1 < CHUNKS ? CHUNK_BYTES : (uint32_t)(WEIGHTS_BYTES - (uint64_t)index * CHUNK_BYTES);
}

static bool chunk_is(uint32_t index, const uint8_t *data) {
  uint8_t digest[32];
  sha256(data, chunk_size(index), digest);
  return same(digest, CHUNK_HASHES[index], 32);
}

EXPORT("canister_", "init") void start(void) {
  take_release_hash();
  remember();
}

// Weights come back from stable memory, each chunk checked against this module's manifest. An upgrade to a module with other weights keeps
// the chunks that are the same and waits for the rest. The argument may be left empty: then the release stays the same.
EXPORT("canister_", "post_upgrade") void after_upgrade(void) {
  struct stable_header header = {0};
  if (stable64_size() > 0) stable64_read((uint64_t)(uintptr_t)&header, 0, sizeof header);
  if (!same(header.magic, MAGIC, sizeof MAGIC)) header = (struct stable_header){0};
  copy(state.release_hash, header.release_hash, 32);
  const uint32_t size = msg_arg_data_size();
  static const uint8_t nothing[6] = {'D', 'I', 'D', 'L', 0, 0};
  uint8_t given[6] = {0};
  if (size == sizeof given) msg_arg_data_copy(given, 0, sizeof given);
  const bool is_empty = size == 0 || (size == sizeof given && same(given, nothing, sizeof given));
  if (!is_empty || !same(header.magic, MAGIC, sizeof MAGIC)) take_release_hash();
  if (header.is_sealed) {
    const uint64_t kept = header.weights_bytes < WEIGHTS_BYTES ? header.weights_bytes : WEIGHTS_BYTES;
    stable64_read(WEIGHTS_BASE, STABLE_WEIGHTS_AT, kept);
    for (uint32_t i = 0; i < CHUNKS; i++) {
      if ((uint64_t)i * CHUNK_BYTES + chunk_size(i) > kept || !chunk_is(i, (const uint8_t *)WEIGHTS_BASE + i * CHUNK_BYTES)) continue;
      state.present[i] = 1;
      state.present_count++;
    }
    state.is_sealed = state.present_count == CHUNKS && header.weights_bytes == WEIGHTS_BYTES;
  }
  if (!state.is_sealed) {
    remember();
    return;
  }
  copy(header.release_hash, state.release_hash, 32);
  stable64_write(0, (uint64_t)(uintptr_t)&header, sizeof header);
}

// Strangers' calls are turned away before they cost the canister anything. What comes from canisters is checked by each method.
EXPORT("canister_", "inspect_message") void inspect(void) {
  uint8_t name[8];
  const uint32_t size = msg_method_name_size();
  bool is_open = false;
  if (size == 6 || size == 8) {
    msg_method_name_copy(name, 0, size);
    is_open = same(name, size == 6 ? "health" : "describe", size);
  }
  if (is_open || caller_is_controller()) accept_message();
}

// --- weights ---

EXPORT("canister_update ", "weights_upload") void weights_upload(void) {
  if (!let_in()) return;
  uint32_t size;
  const uint8_t *message = argument(&size);
  struct field wanted[] = {
      {.id = ID_index, .want = WANT_NAT32, .refusal = "index : nat32 is expected"},
      {.id = ID_data, .want = WANT_BLOB, .refusal = "data : blob is expected"},
  };
  const struct reader in = read_message(message, size, wanted, 2);
  if (in.error) {
    reject_argument(in.error);
    return;
  }
  const uint32_t index = (uint32_t)wanted[0].number;
  if (index >= CHUNKS) {
    put_le(UPLOAD_UNKNOWN_CHUNK + UPLOAD_UNKNOWN_CHUNK_INDEX_AT, index, 4);
    reply_whole(UPLOAD_UNKNOWN_CHUNK, sizeof UPLOAD_UNKNOWN_CHUNK);
    return;
  }
  if (wanted[1].count != chunk_size(index)) {
    put_le(UPLOAD_WRONG_SIZE + UPLOAD_WRONG_SIZE_EXPECTED_AT, chunk_size(index), 4);
    put_le(UPLOAD_WRONG_SIZE + UPLOAD_WRONG_SIZE_GOT_AT, wanted[1].count, 4);
    reply_whole(UPLOAD_WRONG_SIZE, sizeof UPLOAD_WRONG_SIZE);
    return;
  }
  if (state.is_sealed) {
    reply_whole(UPLOAD_ALREADY_SEALED, sizeof UPLOAD_ALREADY_SEALED);
    return;
  }
  if (!chunk_is(index, wanted[1].at)) {
    put_le(UPLOAD_WRONG_HASH + UPLOAD_WRONG_HASH_INDEX_AT, index, 4);
    copy(UPLOAD_WRONG_HASH + UPLOAD_WRONG_HASH_EXPECTED_AT, CHUNK_HASHES[index], 32);
    reply_whole(UPLOAD_WRONG_HASH, sizeof UPLOAD_WRONG_HASH);
    return;
  }
  if (!state.present[index]) {
    copy((uint8_t *)WEIGHTS_BASE + index * CHUNK_BYTES, wanted[1].at, wanted[1].count);
    state.present[index] = 1;
    state.present_count++;
  }
  reply_whole(UPLOAD_OK, sizeof UPLOAD_OK);
}

EXPORT("canister_update ", "seal") void seal(void) {
  if (!let_in()) return;
  if (state.present_count == CHUNKS) {
    if (!state.is_sealed) {
      state.is_sealed = 1;
      remember();
    }
    reply_whole(SEAL_OK, sizeof SEAL_OK);
    return;
  }
  msg_reply_data_append(SEAL_MISSING, sizeof SEAL_MISSING);
  uint8_t number[5];
  uint32_t used = 0;
  uint32_t left = CHUNKS - state.present_count;
  do {
    number[used++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>= 7;
  } while (left);
  msg_reply_data_append(number, used);
  for (uint32_t i = 0; i < CHUNKS; i++) {
    if (state.present[i]) continue;
    put_le(number, i, 4);
    msg_reply_data_append(number, 4);
  }
  msg_reply();
}

// --- answers ---

static void reply_refusal(void) {
  if (text.size == TEXT_BYTES) {  // cut short: not within a character
    while (text.size && (text.bytes[text.size - 1] & 0xc0) == 0x80) text.size--;
    if (text.size && text.bytes[text.size - 1] >= 0xc0) text.size--;
  }
  msg_reply_data_append(INFER_ERR, sizeof INFER_ERR);
  uint8_t number[2] = {(uint8_t)((text.size & 0x7f) | (text.size > 0x7f ? 0x80 : 0)), (uint8_t)(text.size >> 7)};
  msg_reply_data_append(number, text.size > 0x7f ? 2 : 1);
  msg_reply_data_append(text.bytes, text.size);
  msg_reply();
}

static void say_tensor(const struct tensor *t) {
  say("input '");
  say(t->name);
  say("' is ");
  say(t->dtype);
  say(" [");
  for (uint32_t i = 0; i < t->rank; i++) {
    if (i) say(", ");
    say_number(t->shape[i]);
  }
  say("], ");
  say_number(t->size_bytes);
  say(" bytes");
}

// Says why and what is expected; for use as `return refused(...)`.
static bool refused(const struct tensor *t, const char *why) {
  say(why);
  say(": ");
  say_tensor(t);
  return false;
}

static uint64_t read_le(const uint8_t *from) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < 8; i++) value |= (uint64_t)from[i] << 8 * i;
  return value;
}

enum { NAME, DTYPE, SHAPE, DATA, TENSOR_FIELDS };

static bool take_input(const struct field *f, uint8_t *taken) {
  uint32_t index = 0;
  while (index < INPUTS_COUNT && !(f[NAME].count == INPUTS[index].name_size && same(f[NAME].at, INPUTS[index].name, f[NAME].count))) index++;
  if (index == INPUTS_COUNT) {
    say("there is no input ");
    say_quoted(f[NAME].at, f[NAME].count);
    say("; the model takes ");
    say(INPUTS_SAID);
    return false;
  }
  const struct tensor *t = &INPUTS[index];
  if (taken[index]) return refused(t, "the same input is given twice");
  if (f[DTYPE].count != t->dtype_size || !same(f[DTYPE].at, t->dtype, t->dtype_size)) return refused(t, "another dtype is expected");
  bool fits = f[SHAPE].count == t->rank;
  for (uint32_t i = 0; fits && i < t->rank; i++) fits = read_le(f[SHAPE].at + 8 * i) == t->shape[i];
  if (!fits) return refused(t, "another shape is expected");
  if (f[DATA].count != t->size_bytes) return refused(t, "another number of bytes is expected");
  if (t->is_bool) {
    for (uint32_t i = 0; i < t->size_bytes; i++)
      if (f[DATA].at[i] > 1) return refused(t, "a bool is a byte of 0 or 1");
  }
  copy(t->address, f[DATA].at, t->size_bytes);
  taken[index] = 1;
  return true;
}

// Puts the inputs where the network reads them. On false, `text` says what is wrong.
static bool take_inputs(void) {
  uint32_t size;
  const uint8_t *message = argument(&size);
  struct field wanted[] = {{.id = ID_inputs, .want = WANT_RECORDS, .refusal = "inputs : vec record is expected"}};
  struct reader in = read_message(message, size, wanted, 1);
  uint8_t taken[INPUTS_COUNT] = {0};
  struct reader list = {wanted[0].at, in.end, in.error, 0};
  for (uint32_t i = 0; i < wanted[0].count && !list.error; i++) {
    struct field fields[TENSOR_FIELDS] = {
        [NAME] = {.id = ID_name, .want = WANT_TEXT, .refusal = "name : text is expected in each input"},
        [DTYPE] = {.id = ID_dtype, .want = WANT_TEXT, .refusal = "dtype : text is expected in each input"},
        [SHAPE] = {.id = ID_shape, .want = WANT_NAT64S, .refusal = "shape : vec nat64 is expected in each input"},
        [DATA] = {.id = ID_data, .want = WANT_BLOB, .refusal = "data : blob is expected in each input"},
    };
    read_record(&list, wanted[0].element, fields, TENSOR_FIELDS, 0);
    if (!list.error && !take_input(fields, taken)) return false;
  }
  if (list.error) {
    say("the argument is not what this method takes: ");
    say(list.error);
    return false;
  }
  for (uint32_t i = 0; i < INPUTS_COUNT; i++)
    if (!taken[i]) return refused(&INPUTS[i], "an input is missing");
  return true;
}

EXPORT("canister_update ", "infer_blob") void infer_blob(void) {
  if (!let_in()) return;
  text.size = 0;
  if (!state.is_sealed) {
    say("the weights are not sealed: ");
    say_number(CHUNKS - state.present_count);
    say(" of ");
    say_number(CHUNKS);
    say(" chunks are missing; upload them, then call seal");
    reply_refusal();
    return;
  }
  if (!take_inputs()) {
    reply_refusal();
    return;
  }
  model_run();
  put_le(ANSWER + ANSWER_INSTRUCTIONS_AT, performance_counter(0), 8);
  uint32_t from = 0;
  for (uint32_t i = 0; i < OUTPUTS_COUNT; i++) {
    msg_reply_data_append(ANSWER + from, ANSWER_CUTS[i] - from);
    msg_reply_data_append(OUTPUTS[i].address, OUTPUTS[i].size_bytes);
    from = ANSWER_CUTS[i];
  }
  msg_reply_data_append(ANSWER + from, sizeof ANSWER - from);
  msg_reply();
}

// --- questions ---

EXPORT("canister_query ", "describe") void describe(void) {
  copy(DESCRIPTION + DESCRIPTION_RELEASE_HASH_AT, state.release_hash, 32);
  DESCRIPTION[DESCRIPTION_SEALED_AT] = state.is_sealed;
  reply_whole(DESCRIPTION, sizeof DESCRIPTION);
}

EXPORT("canister_query ", "health") void health(void) {
  HEALTH[HEALTH_SEALED_AT] = state.is_sealed;
  put_le(HEALTH + HEALTH_CHUNKS_PRESENT_AT, state.present_count, 4);
  put_le(HEALTH + HEALTH_MEMORY_BYTES_AT, (uint64_t)__builtin_wasm_memory_size(0) * WASM_PAGE, 8);
  reply_whole(HEALTH, sizeof HEALTH);
}

#pragma clang attribute pop
