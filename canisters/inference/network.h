// The compiled network as the canister sees it: where its inputs and outputs lie, what they are called; it is run, and what does not fit
// is said in a text that is one sentence and, in parts, the fields of a typed error.
#ifndef COMMONWEIGHT_NETWORK_H
#define COMMONWEIGHT_NETWORK_H

#include "weights.h"

extern const char *model_failure;

// Where an input is put as it arrives: where the network reads it, unless the kind of canister says otherwise.
#ifndef PLACE_OF_INPUT
#define PLACE_OF_INPUT(network, index) ((network)->inputs[index].address)
#endif

static const struct wanted TENSOR[] = {
    WANTED(name, T_TEXT, "text"),
    WANTED(dtype, T_TEXT, "text"),
    WANTED(shape, VEC_OF(T_NAT64), "vec nat64"),
    WANTED(data, VEC_OF(T_NAT8), "blob"),
};
enum { NAME, DTYPE, SHAPE, DATA, TENSOR_FIELDS };

// Where in the text the name of an input ends, what is expected stands, and what was got begins.
static struct {
  uint32_t name_end, expected, expected_end, got;
} marks;
#define SAID_INPUT "input '"

static void say_kind(const uint8_t *dtype, uint32_t dtype_size, const uint8_t *shape, uint32_t rank, uint32_t size_bytes) {
  say_shown(dtype, dtype_size);
  for (uint32_t i = 0; i < rank; i++) {
    say(i ? ", " : " [");
    say_number(read_le(shape + 8 * i, 8));
  }
  say(rank ? "], " : " [], ");
  say_number(size_bytes);
  say(" bytes");
}

static void say_input(const uint8_t *name, uint32_t size) {
  text.size = 0;
  say(SAID_INPUT);
  say_shown(name, size);
  marks.name_end = text.size;
  say("': ");
  marks.expected = text.size;
}

// What an input of this name may be: one kind, or each variant's.
static void say_expected(const struct tensor *t) {
  say_input(t->name, t->name_size);
  for (uint32_t i = 0; i < NETWORKS_COUNT; i++) {
    const struct network *network = &NETWORKS[i];
    for (uint32_t k = 0; k < network->inputs_count; k++) {
      const struct tensor *of = &network->inputs[k];
      if (of->name_size != t->name_size || !same(of->name, t->name, t->name_size)) continue;
      if (text.size > marks.expected) say(" or ");
      say_kind(of->dtype, of->dtype_size, of->shape, of->rank, of->size_bytes);
      if (!*network->name) continue;
      say(" in variant ");
      say(network->name);
    }
  }
}

// What was given instead is said next.
static void say_got(void) {
  marks.expected_end = text.size;
  say(" is expected, not ");
  marks.got = text.size;
}

// An input of the network by its name; where there is none, the text says which there are.
static const struct tensor *input_named(const struct network *network, const struct found *name) {
  for (uint32_t i = 0; i < network->inputs_count; i++) {
    const struct tensor *t = &network->inputs[i];
    if (name->count == t->name_size && same(name->at, t->name, t->name_size)) return t;
  }
  say_input(name->at, name->count);
  for (uint32_t i = 0; i < network->inputs_count; i++) {
    say(i ? ", '" : "'");
    say_shown(network->inputs[i].name, network->inputs[i].name_size);
    say("'");
  }
  say_got();
  say("this name");
  return 0;
}

// Puts one input where the network reads it. On false, the text says what is wrong.
static bool take_input(const struct network *network, const struct found *f, uint8_t *taken) {
  const struct tensor *t = input_named(network, &f[NAME]);
  if (!t) return false;
  say_expected(t);
  say_got();
  if (taken[t - network->inputs]++) {
    say("a second time");
    return false;
  }
  say_kind(f[DTYPE].at, f[DTYPE].count, f[SHAPE].at, f[SHAPE].count, f[DATA].count);
  if (f[DTYPE].count != t->dtype_size || !same(f[DTYPE].at, t->dtype, t->dtype_size)) return false;
  if (f[SHAPE].count != t->rank || !same(f[SHAPE].at, t->shape, 8 * t->rank)) return false;
  if (f[DATA].count != t->size_bytes) return false;
  if (t->dtype_size == 4 && t->dtype[0] == 'b') {  // bool
    for (uint32_t i = 0; i < t->size_bytes; i++)
      if (f[DATA].at[i] > 1) {
        text.size = marks.got;
        say("a bool that is neither 0 nor 1");
        return false;
      }
  }
  copy(PLACE_OF_INPUT(network, t - network->inputs), f[DATA].at, t->size_bytes);
  return true;
}

// Whether no input is missing. On false, the text says which one is.
static bool all_are_taken(const struct network *network, const uint8_t *taken) {
  for (uint32_t i = 0; i < network->inputs_count; i++) {
    if (taken[i]) continue;
    say_expected(&network->inputs[i]);
    say_got();
    say("nothing");
    return false;
  }
  return true;
}

static bool take_all(const struct network *network, const struct found *inputs) {
  uint8_t taken[MAX_INPUTS] = {0};
  in.at = inputs->at;
  for (uint32_t i = 0; i < inputs->count; i++) {
    struct found f[TENSOR_FIELDS];
    read_record(inputs->element, TENSOR, f, TENSOR_FIELDS, 0);
    if (!take_input(network, f, taken)) return false;
  }
  return all_are_taken(network, taken);
}

// The network that takes these inputs, with the inputs in their places; 0 when there is none, and then the text says why not the last one.
static const struct network *take_inputs(const struct found *inputs) {
  for (uint32_t i = 0; i < NETWORKS_COUNT; i++)
    if (take_all(&NETWORKS[i], inputs)) return &NETWORKS[i];
  return 0;
}

// False when the values given cannot be computed with: then `model_failure` says why.
static bool run_network(const struct network *network) {
  model_failure = 0;
  network->run();
  return !model_failure;
}

static void put_outputs(const struct network *network) {
  put_length(network->outputs_count);
  IN_ORDER(data, name);  // and then the rest, as it is in a TensorInfo
  for (uint32_t i = 0; i < network->outputs_count; i++) {
    const struct tensor *t = &network->outputs[i];
    put_bytes(t->address, t->size_bytes);
    put(t->info, t->info_size);
  }
}

#endif
