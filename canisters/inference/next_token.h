// From logits to a token: the likeliest, or a draw by temperature, top-k and top-p. For language.c.
//
// Everything is done in one fixed order, so the same logits and the same state of the generator give the same token on every machine.
// Of equal logits the lower token comes first; NaN is never chosen. Source of nucleus sampling: Holtzman et al. (2020), "The Curious Case
// of Neural Text Degeneration"; of the generator: Steele, Lea, Flood (2014), "Fast Splittable Pseudorandom Number Generators".
#ifndef COMMONWEIGHT_NEXT_TOKEN_H
#define COMMONWEIGHT_NEXT_TOKEN_H

#include "functions.h"

enum { MAX_CANDIDATES = 256 };

struct sampling {
  uint64_t random;  // SplitMix64's state
  float temperature, top_p;
  uint32_t top_k;
};

// The best so far, in falling order; behind `candidates_count` up to a multiple of 4 minus infinity.
static float candidate_logits[MAX_CANDIDATES + 4];
static uint32_t candidate_tokens[MAX_CANDIDATES];
static uint32_t candidates_count;

// In [0, 1), in steps of 2^-24.
static float random_share(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return (float)(int32_t)(z >> 40) * 0x1p-24f;
}

INLINE f32x4 four_logits(const float *logits, uint32_t i, uint32_t n) { return first_n(load(logits + i), splat(-__builtin_inff()), n - i); }

static float largest_logit(const float *logits, uint32_t n) {
  f32x4 a = splat(-__builtin_inff()), b = a;
  uint32_t i = 0;
  ROLLED for (; i + 8 <= n; i += 8) a = at_least(a, load(logits + i)), b = at_least(b, load(logits + i + 4));
  ROLLED for (; i < n; i += 4) a = at_least(a, four_logits(logits, i, n));
  return largest_of(at_least(a, b));
}

static uint32_t likeliest(const float *logits, uint32_t n) {
  const f32x4 most = splat(largest_logit(logits, n));
  ROLLED for (uint32_t i = 0; i < n; i += 4) {
    const uint32_t equal = wasm_i32x4_bitmask(wasm_f32x4_eq(four_logits(logits, i, n), most));
    if (equal) return i + (uint32_t)__builtin_ctz(equal);
  }
  return 0;
}

static void take_candidate(float logit, uint32_t token, uint32_t limit) {
  uint32_t at = candidates_count < limit ? candidates_count++ : limit - 1;
  for (; at > 0 && candidate_logits[at - 1] < logit; at--) {
    candidate_logits[at] = candidate_logits[at - 1];
    candidate_tokens[at] = candidate_tokens[at - 1];
  }
  candidate_logits[at] = logit;
  candidate_tokens[at] = token;
}

static void find_candidates(const float *logits, uint32_t n, uint32_t limit) {
  float least = -__builtin_inff();
  candidates_count = 0;
  ROLLED for (uint32_t i = 0; i < n; i += 4) {
    uint32_t better = wasm_i32x4_bitmask(wasm_f32x4_gt(four_logits(logits, i, n), splat(least)));
    ROLLED for (; better; better &= better - 1) {
      const uint32_t token = i + (uint32_t)__builtin_ctz(better);
      if (!(logits[token] > least)) continue;
      take_candidate(logits[token], token, limit);
      if (candidates_count == limit) least = candidate_logits[limit - 1];
    }
  }
  store(candidate_logits + candidates_count, splat(-__builtin_inff()));
}

// What each of four logits weighs against the largest one.
INLINE f32x4 four_weights(const float *logits, uint32_t i, uint32_t n, f32x4 most, f32x4 colder) {
  const f32x4 x = four_logits(logits, i, n);
  return exp4(mul(sub(choose(wasm_f32x4_eq(x, x), x, splat(-__builtin_inff())), most), colder));
}

static float total_weight(const float *logits, uint32_t n, f32x4 most, f32x4 colder) {
  f32x4 sum = splat(0.0f);
  ROLLED for (uint32_t i = 0; i < n; i += 4) sum = add(sum, four_weights(logits, i, n, most, colder));
  return sum_of(sum);
}

// The index at which the weights' running sum passes `target`; the last one that weighs anything when rounding lets none pass.
static uint32_t drawn(const float *logits, uint32_t n, f32x4 most, f32x4 colder, float target) {
  float sum = 0.0f;
  uint32_t last = 0;
  ROLLED for (uint32_t i = 0; i < n; i += 4) {
    float four[4];
    store(four, four_weights(logits, i, n, most, colder));
    const float next = sum + ((four[0] + four[1]) + (four[2] + four[3]));
    if (next > target) {
      ROLLED for (uint32_t lane = 0; lane < 4 && i + lane < n; lane++) {
        sum += four[lane];
        if (four[lane] > 0.0f) last = i + lane;
        if (sum > target) return last;
      }
      return last;
    }
    if (next > sum) last = i + (four[3] > 0.0f ? 3 : four[2] > 0.0f ? 2 : four[1] > 0.0f ? 1 : 0);
    sum = next;
  }
  return last;
}

// How many of the best candidates it takes to weigh `wanted` together; `sum`: what they weigh.
static uint32_t nucleus(f32x4 most, f32x4 colder, float wanted, float *sum) {
  *sum = 0.0f;
  for (uint32_t i = 0; i < candidates_count; i += 4) {
    float four[4];
    store(four, four_weights(candidate_logits, i, candidates_count, most, colder));
    for (uint32_t lane = 0; lane < 4 && i + lane < candidates_count; lane++) {
      *sum += four[lane];
      if (*sum >= wanted) return i + lane + 1;
    }
  }
  return candidates_count;
}

static uint32_t sampled(const float *logits, uint32_t n, struct sampling *how) {
  const float largest = largest_logit(logits, n);
  if (how->temperature == 0.0f || !(largest > -__builtin_inff() && largest < __builtin_inff())) return likeliest(logits, n);
  const f32x4 most = splat(largest), colder = splat(1.0f / how->temperature);
  const float share = random_share(&how->random);
  if (how->top_k == 0 && how->top_p >= 1.0f) return drawn(logits, n, most, colder, share * total_weight(logits, n, most, colder));
  const uint32_t limit = how->top_k && how->top_k < MAX_CANDIDATES ? how->top_k : MAX_CANDIDATES;
  find_candidates(logits, n, limit < n ? limit : n);
  const float total = how->top_k ? total_weight(candidate_logits, candidates_count, most, colder) : total_weight(logits, n, most, colder);
  float sum;
  const uint32_t kept = nucleus(most, colder, how->top_p >= 1.0f ? __builtin_inff() : how->top_p * total, &sum);
  return candidate_tokens[drawn(candidate_logits, kept, most, colder, share * sum)];
}

#endif
