// The JSON door for plain HTTP: GET / describes the model, POST /infer answers {"inputs": {name: lists}}. Shut until a controller opens it,
// since answers are otherwise sold by the cooperative; once open, anybody may ask, and the canister pays for what it computes.
//
// A gateway asks `http_request` first, a query; a POST is passed on as an update (`upgrade`), so that its answer is agreed upon by the network.
// Source: interface specification, "The HTTP Gateway protocol".
#ifndef COMMONWEIGHT_HTTP_H
#define COMMONWEIGHT_HTTP_H

#include "answer.h"
#include "json.h"

static const struct wanted REQUEST[] = {
    WANTED(method, T_TEXT, "text"),
    WANTED(url, T_TEXT, "text"),
    WANTED(body, VEC_OF(T_NAT8), "blob"),
};
enum { METHOD, URL, BODY, REQUEST_FIELDS };

static const struct wanted OPENING[] = {WANTED(is_open, T_BOOL, "bool")};

EXPORT("canister_update ", "open_http") void open_http(void) {
  if (!let_in()) return;
  struct found found[1];
  take_record(OPENING, found, 1);
  if (*found[0].at > 1) broken();
  state.is_http_open = *found[0].at;
  write_header();
  reply_as(TYPE_open_http);
  msg_reply();
}

static void respond(uint16_t status, bool is_upgrade) {
  static const char HEADERS[] = "\2\14content-type\20application/json\33access-control-allow-origin\1*";
  reply_as(TYPE_http_request);
  IN_ORDER(body, headers);
  IN_ORDER(headers, upgrade);
  IN_ORDER(upgrade, status_code);
  put_bytes(out.base, out.size);
  put(HEADERS, sizeof HEADERS - 1);
  put_byte(is_upgrade);
  if (is_upgrade) put_byte(true);
  put_number(status, 2);
  msg_reply();
}

static void respond_error(uint16_t status, const uint8_t *why, uint32_t size) {
  out.size = 0;
  out_text("{\"error\": ");
  out_quoted(why, size);
  out_text("}\n");
  respond(status, false);
}

static void respond_refusal(uint16_t status, const char *why) {
  text.size = 0;
  say(why);
  respond_error(status, text.bytes, text.size);
}

static bool is_text(const struct found *found, const char *words) {
  uint32_t i = 0;
  for (; words[i]; i++)
    if (i >= found->count || found->at[i] != words[i]) return false;
  return i == found->count;
}

// The request, and room for the answer behind it. False when it was answered already.
static bool take_request(struct found *f) {
  take_argument(true);
  const uint8_t *end = in.end;
  read_message(REQUEST, f, REQUEST_FIELDS);
  // What is asked for behind the path, "?..", says nothing here.
  uint32_t size = 0;
  while (size < f[URL].count && f[URL].at[size] != '?') size++;
  f[URL].count = size;
  out.base = (uint8_t *)end;
  out.size = 0;
  require_memory((uintptr_t)end + (uint64_t)MAX_BODY_BYTES);
  if (state.is_http_open) return true;
  respond_refusal(403, "this model does not answer over HTTP: ask the cooperative that controls it, or, as its controller, call open_http");
  return false;
}

EXPORT("canister_query ", "http_request") void http_request(void) {
  struct found f[REQUEST_FIELDS];
  if (!take_request(f)) return;
  if (is_text(&f[METHOD], "GET") && is_text(&f[URL], "/")) {
    out_text(DESCRIPTION_JSON);
    respond(200, false);
  } else if (is_text(&f[METHOD], "POST") && is_text(&f[URL], "/infer")) {
    respond(200, true);
  } else {
    respond_refusal(404, "GET / describes the model, POST /infer asks it");
  }
}

static const char *take_member(const struct network *network, uint8_t *taken) {
  const struct found name = json_string();
  json_expect(':', "a colon is expected behind a name");
  if (json.fault) return 0;
  const struct tensor *t = input_named(network, &name);
  if (!t) return "";
  say_expected(t);
  say_got();
  if (taken[t - network->inputs]++) return "a second time";
  json_tensor(t);
  return json.fault;
}

// {"inputs": {..}} into the places of one network's inputs. On false, the text says why not.
static bool take_json(const struct network *network) {
  uint8_t taken[MAX_INPUTS] = {0};
  json.fault = 0;
  json_expect('{', "the body is {\"inputs\": {..}}: an object is expected");
  const struct found key = json_string();
  if (!json.fault && !is_text(&key, "inputs")) json_fault("the body is {\"inputs\": {..}}: another name is not known");
  json_expect(':', "a colon is expected behind a name");
  json_expect('{', "inputs is an object of lists by name");
  if (!json_take('}')) {
    do {
      const char *why = take_member(network, taken);
      if (!why) continue;
      say(why);
      return false;
    } while (!json.fault && json_take(','));
    json_expect('}', "a comma or the end of inputs is expected");
  }
  json_expect('}', "the body has one member, inputs");
  if (!json.fault && json_peek()) json_fault("there is more behind the body's end");
  if (json.fault) {
    text.size = 0;
    say("the body is no JSON that can be read here, at its byte ");
    say_number((uint64_t)(json.at - json.start));
    say(": ");
    say(json.fault);
    return false;
  }
  return all_are_taken(network, taken);
}

static const struct network *take_json_inputs(const struct found *body) {
  for (uint32_t i = 0; i < NETWORKS_COUNT; i++) {
    json.at = json.start = body->at;
    json.end = body->at + body->count;
    if (take_json(&NETWORKS[i])) return &NETWORKS[i];
  }
  return 0;
}

static void out_answer(const struct network *network) {
  out_text("{\"outputs\": {");
  for (uint32_t i = 0; i < network->outputs_count; i++) {
    if (i) out_text(", ");
    out_quoted(network->outputs[i].name, network->outputs[i].name_size);
    out_text(": ");
    out_tensor(&network->outputs[i]);
  }
  out_text("}, \"release_hash\": \"");
  for (uint32_t i = 0; i < 2 * HASH_BYTES; i++) out_byte((uint8_t)"0123456789abcdef"[state.release_hash[i / 2] >> (i & 1 ? 0 : 4) & 15]);
  out_text("\", \"instructions\": ");
  out_natural(performance_counter(0));
  out_text("}\n");
}

EXPORT("canister_update ", "http_request_update") void http_request_update(void) {
  struct found f[REQUEST_FIELDS];
  if (!take_request(f)) return;
  if (!is_text(&f[METHOD], "POST") || !is_text(&f[URL], "/infer")) {
    respond_refusal(404, "GET / describes the model, POST /infer asks it");
    return;
  }
  if (!state.is_sealed) {
    say_outcome(NOT_SEALED);
    respond_error(503, text.bytes, text.size);
    return;
  }
  const struct network *network = take_json_inputs(&f[BODY]);
  if (!network) {
    respond_error(400, text.bytes, text.size);
  } else if (!run_network(network)) {
    respond_refusal(400, model_failure);
  } else {
    out_answer(network);
    respond(200, false);
  }
}

#endif
