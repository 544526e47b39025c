// What every inference canister does: it takes the weights that its module names, in any order, keeps them over upgrades, and says what it is.
//
// A message either runs to its end or traps, and a trap undoes everything: no state is ever half written.
#ifndef COMMONWEIGHT_WEIGHTS_H
#define COMMONWEIGHT_WEIGHTS_H

#include "message.h"
#include "sha256.h"

enum { HASH_BYTES = 32, STABLE_WEIGHTS_AT = WASM_PAGE };

// Stable memory begins with the first 64 bytes of this; the weights follow one page later, once they are sealed.
static struct {
  uint64_t magic, weights_bytes;
  uint8_t release_hash[HASH_BYTES];
  uint8_t is_sealed, is_http_open, unused[14];
  uint32_t present_count;
  uint8_t present[CHUNKS ? CHUNKS : 1];
} state;
enum { HEADER_BYTES = 64 };
#define MAGIC 0x3152454645495743ull  // "CWINFER1"

// --- start and upgrade ---

static void write_header(void) { stable64_write(0, (uintptr_t)&state, HEADER_BYTES); }

// `weights_bytes` are this module's from here on.
static void remember(void) {
  const uint64_t needed = 1 + (state.is_sealed ? (WEIGHTS_BYTES + WASM_PAGE - 1) / WASM_PAGE : 0), has = stable64_size();
  if (needed > has && stable64_grow(needed - has) == (uint64_t)-1)
    stop("the weights do not fit into stable memory: give the canister more cycles or a larger memory allocation");
  if (state.is_sealed) stable64_write(STABLE_WEIGHTS_AT, WEIGHTS_BASE, WEIGHTS_BYTES);
  state.magic = MAGIC;
  state.weights_bytes = WEIGHTS_BYTES;
  write_header();
}

static const struct wanted START[] = {WANTED(release_hash, VEC_OF(T_NAT8), "blob of 32 bytes")};

// Anything but no bytes or a message of no arguments.
static bool is_given(void) { return msg_arg_data_size() > sizeof "DIDL\0"; }

static void take_start(void) {
  struct found found[1] = {{0, 0, 0}};
  if (is_given()) take_record(START, found, 1);
  if (found[0].count != HASH_BYTES) misfit(START);
  copy(state.release_hash, found[0].at, HASH_BYTES);
}

static uint8_t *chunk_at(uint32_t index) { return (uint8_t *)WEIGHTS_BASE + index * CHUNK_BYTES; }

static uint32_t chunk_size(uint32_t index) {
  return index + 1 < CHUNKS ? CHUNK_BYTES : (uint32_t)(WEIGHTS_BYTES - (uint64_t)index * CHUNK_BYTES);
}

static bool chunk_is(uint32_t index, const uint8_t *data) {
  uint32_t digest[8];
  sha256(data, chunk_size(index), digest);
  for (uint32_t i = 0; i < 8; i++)
    if (digest[i] != __builtin_bswap32(((const unaligned_u32 *)CHUNK_HASHES[index])[i])) return false;
  return true;
}

EXPORT("canister_", "init") void start(void) {
  take_start();
  remember();
}

// Weights come back from stable memory, each chunk checked against this module's manifest. An upgrade to a module with other weights keeps
// the chunks that are the same and waits for the rest. The argument may be left empty: then the release stays the same.
EXPORT("canister_", "post_upgrade") void after_upgrade(void) {
  if (stable64_size()) stable64_read((uintptr_t)&state, 0, HEADER_BYTES);
  const bool is_ours = state.magic == MAGIC, was_sealed = is_ours && state.is_sealed;
#ifdef HTTP
  state.is_http_open &= is_ours;
#else
  state.is_http_open = 0;
#endif
  state.is_sealed = 0;
  if (!is_ours || is_given()) take_start();
  if (was_sealed) {
    const uint64_t kept = state.weights_bytes < WEIGHTS_BYTES ? state.weights_bytes : WEIGHTS_BYTES;
    stable64_read(WEIGHTS_BASE, STABLE_WEIGHTS_AT, kept);
    for (uint32_t i = 0; i < CHUNKS; i++) {
      if ((uint64_t)i * CHUNK_BYTES + chunk_size(i) > kept || !chunk_is(i, chunk_at(i))) continue;
      state.present[i] = 1;
      state.present_count++;
    }
    state.is_sealed = state.present_count == CHUNKS && state.weights_bytes == WEIGHTS_BYTES;
  }
  if (state.is_sealed) {
    write_header();
  } else {
    remember();
  }
}

// Whether anybody may call who signs: a kind's interface.h says so, and each of its methods decides for itself.
#ifndef OPEN_TO_ALL
#define OPEN_TO_ALL false
#endif

// Strangers' calls are turned away before they cost the canister anything. What comes from canisters is checked by each method.
EXPORT("canister_", "inspect_message") void inspect(void) {
  uint8_t name[24];
  const uint32_t size = msg_method_name_size();
  bool is_open = false;
  if (size <= sizeof name) {
    msg_method_name_copy(name, 0, size);
    is_open = (size == 6 && same(name, "health", 6)) || (size == 8 && same(name, "describe", 8));
#ifdef HTTP
    is_open |= state.is_http_open && size == 19 && same(name, "http_request_update", 19);
#endif
  }
  if (is_open || (OPEN_TO_ALL && !caller_is_anonymous()) || caller_is_controller()) accept_message();
}

// --- weights ---

static const struct wanted CHUNK[] = {WANTED(index, T_NAT32, "nat32"), WANTED(data, VEC_OF(T_NAT8), "blob")};

static void refuse_upload(uint8_t why) {
  reply_as(TYPE_weights_upload);
  put_byte(TAG_weights_upload_Err);
  put_byte(why);
}

EXPORT("canister_update ", "weights_upload") void weights_upload(void) {
  if (!let_in()) return;
  struct found found[2];
  take_record(CHUNK, found, 2);
  const uint32_t index = (uint32_t)read_le(found[0].at, 4);
  if (index >= CHUNKS) {
    refuse_upload(TAG_UploadError_UnknownChunk);
    put_u32(index);
  } else if (found[1].count != chunk_size(index)) {
    refuse_upload(TAG_UploadError_WrongSize);
    IN_ORDER(got, expected);
    put_u32(found[1].count);
    put_u32(chunk_size(index));
  } else if (state.is_sealed) {
    refuse_upload(TAG_UploadError_AlreadySealed);
  } else if (!chunk_is(index, found[1].at)) {
    refuse_upload(TAG_UploadError_WrongHash);
    IN_ORDER(expected, index);
    put_bytes(CHUNK_HASHES[index], HASH_BYTES);
    put_u32(index);
  } else {
    if (!state.present[index]) {
      copy(chunk_at(index), found[1].at, found[1].count);
      state.present[index] = 1;
      state.present_count++;
    }
    reply_as(TYPE_weights_upload);
    put_byte(TAG_weights_upload_Ok);
  }
  msg_reply();
}

EXPORT("canister_update ", "seal") void seal(void) {
  if (!let_in()) return;
  reply_as(TYPE_seal);
  if (state.present_count == CHUNKS) {
    if (!state.is_sealed) {
      state.is_sealed = 1;
      remember();
    }
    put_byte(TAG_seal_Ok);
  } else {
    put_byte(TAG_seal_Err);
    put_length(CHUNKS - state.present_count);
    for (uint32_t i = 0; i < CHUNKS; i++)
      if (!state.present[i]) put_u32(i);
  }
  msg_reply();
}

// --- questions ---

EXPORT("canister_query ", "describe") void describe(void) {
  copy(DESCRIPTION + DESCRIPTION_RELEASE_HASH_AT, state.release_hash, HASH_BYTES);
  DESCRIPTION[DESCRIPTION_SEALED_AT] = state.is_sealed;
  reply_as(TYPE_describe);
  put(DESCRIPTION, sizeof DESCRIPTION);
  msg_reply();
}

EXPORT("canister_query ", "health") void health(void) {
  reply_as(TYPE_health);
  IN_ORDER(memory_bytes, sealed);
  IN_ORDER(sealed, chunks_present);
  IN_ORDER(chunks_present, chunks);
  put_u64((uint64_t)__builtin_wasm_memory_size(0) * WASM_PAGE);
  put_byte(state.is_sealed);
  put_u32(state.present_count);
  put_u32(CHUNKS);
  msg_reply();
}

#endif
