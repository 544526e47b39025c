// SHA-256, to check a chunk of weights against the manifest. Source: FIPS 180-4, sections 4.1.2, 4.2.2 and 6.2.
#ifndef COMMONWEIGHT_SHA256_H
#define COMMONWEIGHT_SHA256_H

#include "candid.h"
#include "interface.h"

static const uint32_t SHA256_ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t rotated(uint32_t x, uint32_t by) { return x >> by | x << (32 - by); }

// One round: t is added to d, and what becomes the next a is left in h.
#define SHA256_STEP(a, b, c, d, e, f, g, h, i)                                                                   \
  h += (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + (g ^ (e & (f ^ g))) + SHA256_ROUND[i] + w[i];          \
  d += h;                                                                                                         \
  h += (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + (((a | b) & c) | (a & b))

static void sha256_block(uint32_t state[8], const uint8_t *block) {
  uint32_t w[64];
  for (uint32_t i = 0; i < 16; i++) w[i] = __builtin_bswap32(*(const unaligned_u32 *)(block + 4 * i));
  for (uint32_t i = 16; i < 64; i++) {
    const uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) + (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
#if CHUNKS > 4
  // An upgrade hashes all weights in one message: many of them are worth eight rounds that move nothing, and their bytes of code.
  for (uint32_t i = 0; i < 64; i += 8) {
    SHA256_STEP(a, b, c, d, e, f, g, h, i);
    SHA256_STEP(h, a, b, c, d, e, f, g, i + 1);
    SHA256_STEP(g, h, a, b, c, d, e, f, i + 2);
    SHA256_STEP(f, g, h, a, b, c, d, e, i + 3);
    SHA256_STEP(e, f, g, h, a, b, c, d, i + 4);
    SHA256_STEP(d, e, f, g, h, a, b, c, i + 5);
    SHA256_STEP(c, d, e, f, g, h, a, b, i + 6);
    SHA256_STEP(b, c, d, e, f, g, h, a, i + 7);
  }
#else
  for (uint32_t i = 0; i < 64; i++) {
    SHA256_STEP(a, b, c, d, e, f, g, h, i);
    const uint32_t next = h;
    h = g, g = f, f = e, e = d, d = c, c = b, b = a, a = next;
  }
#endif
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

// `digest`: eight words, the first byte of each being its highest.
static void sha256(const uint8_t *data, uint32_t size, uint32_t *digest) {
  static const uint32_t START[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (uint32_t i = 0; i < 8; i++) digest[i] = START[i];
  for (uint32_t at = 0; at < size + 9; at += 64) {
    uint8_t last[64];
    const uint8_t *block = data + at;
    if (at + 64 > size) {
      for (uint32_t i = 0; i < 64; i++) last[i] = at + i < size ? block[i] : at + i == size ? 0x80 : 0;
      if (at + 64 >= size + 9)
        for (uint32_t i = 0; i < 5; i++) last[63 - i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
      block = last;
    }
    sha256_block(digest, block);
  }
}

#endif
