// The inference canister of a network whose instructions exceed what one message may take: it is run node by node over several messages,
// which the canister sends to itself. What is special to one model is in interface.h and model.c, written by canisters.compiler.
//
// A job begins with its inputs in a slot behind the weights. Whoever started it goes on calling `run_slice` until it is over; a call names
// the job and the node it is for, runs that job's next nodes up to the limit of a message, and does nothing when others have run it already.
// So several callers drive one queue, in which the oldest job runs and the others wait. A slice that traps is undone by the network, and
// its job fails with the network's words. The activations stay in memory between slices: nothing else writes there, since arguments are read
// behind everything. An upgrade loses all jobs: whoever polls one is told so.
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)

#include "interface.h"

static uint8_t *place_in_slot(uint32_t index);
#define PLACE_OF_INPUT(network, index) place_in_slot(index)

#include "answer.h"

enum { MAX_JOBS = SLOTS, WHY_BYTES = 256 };
static const uint64_t KEPT_NS = 600ull * 1000000000;  // a result that nobody fetches, or a job that does not move

enum stage { FREE, WAITING, DONE, BROKEN };

static struct job {
  uint64_t id, instructions, moved_at_ns;
  uint64_t asked_id;  // what its caller's run_slice is for
  uint32_t asked_step;
  uint32_t step;
  uint8_t stage;
  bool is_open;  // the caller of infer_blob waits for the reply
  uint8_t caller_size, caller[PRINCIPAL_BYTES];
  uint32_t why_size;
  uint8_t why[WHY_BYTES];
} jobs[MAX_JOBS];

static uint64_t last_id;
static struct job *taken;  // whose slot the inputs of this message go to

static uint8_t *slot_of(const struct job *job) { return (uint8_t *)SLOTS_BASE + (uint32_t)(job - jobs) * SLOT_BYTES; }

static uint32_t padded(uint32_t size) { return (size + 15) & ~15u; }

static uint8_t *place_in_slot(uint32_t index) {
  uint8_t *at = slot_of(taken);
  for (uint32_t i = 0; i < index; i++) at += padded(NETWORKS[0].inputs[i].size_bytes);
  return at;
}

static bool is_stale(const struct job *job) { return ic0_time() - job->moved_at_ns > KEPT_NS; }

static bool is_callers(const struct job *job) {
  uint8_t caller[PRINCIPAL_BYTES];
  const uint32_t size = msg_caller_size();
  msg_caller_copy(caller, 0, size);
  return job->caller_size == size && same(job->caller, caller, size);
}

// A slot for a new job: a free one, one whose result nobody has fetched in time, or the caller's own oldest result.
static struct job *free_slot(void) {
  struct job *found = 0;
  for (uint32_t i = 0; i < MAX_JOBS; i++) {
    struct job *job = &jobs[i];
    if (job->stage != FREE && !is_stale(job) && !(job->stage >= DONE && !job->is_open && is_callers(job))) continue;
    if (!found || job->stage == FREE || (found->stage != FREE && job->id < found->id)) found = job;
  }
  return found;
}

static struct job *job_of(uint64_t id) {
  for (uint32_t i = 0; i < MAX_JOBS; i++)
    if (jobs[i].stage != FREE && jobs[i].id == id) return &jobs[i];
  return 0;
}

// Callbacks carry 32 bits: ids differ in these.
static struct job *job_of_callback(uint32_t low_bits) {
  for (uint32_t i = 0; i < MAX_JOBS; i++)
    if (jobs[i].stage != FREE && (uint32_t)jobs[i].id == low_bits) return &jobs[i];
  return 0;
}

// The job whose turn it is.
static struct job *oldest(void) {
  struct job *found = 0;
  for (uint32_t i = 0; i < MAX_JOBS; i++)
    if (jobs[i].stage == WAITING && (!found || jobs[i].id < found->id)) found = &jobs[i];
  return found;
}

static void fail_job(struct job *job, const void *why, uint32_t size) {
  job->stage = BROKEN;
  job->moved_at_ns = ic0_time();
  job->why_size = size < WHY_BYTES ? size : WHY_BYTES;
  copy(job->why, why, job->why_size);
}

static void fail_in_words(struct job *job, const char *why) {
  uint32_t size = 0;
  while (why[size]) size++;
  fail_job(job, why, size);
}

static void put_result(const struct job *job) {
  put_answer_head(job->instructions);
  const struct network *network = &NETWORKS[0];
  const uint8_t *at = slot_of(job);
  put_length(network->outputs_count);
  for (uint32_t i = 0; i < network->outputs_count; i++) {
    const struct tensor *t = &network->outputs[i];
    put_bytes(at, t->size_bytes);
    put(t->info, t->info_size);
    at += padded(t->size_bytes);
  }
}

// --- the queue ---

struct asked {
  uint64_t id;
  uint32_t step;
};

static void after_slice(uint32_t low_bits);
static void after_failure(uint32_t low_bits);

// Lets the oldest job's next nodes be run; when this job is over, its caller is answered.
static void drive(struct job *job) {
  if (job->stage == WAITING) {
    const struct job *next = oldest();
    const struct asked asked = {next->id, next->step};
    job->asked_id = next->id;
    job->asked_step = next->step;
    uint8_t self[PRINCIPAL_BYTES];
    const uint32_t size = canister_self_size();
    canister_self_copy(self, 0, size);
    static const char METHOD[] = "run_slice";
    call_new(self, size, METHOD, sizeof METHOD - 1, after_slice, (uint32_t)job->id, after_failure, (uint32_t)job->id);
    call_data_append(&asked, sizeof asked);
    if (call_perform()) fail_in_words(job, "the canister cannot call itself now: its queue is full, or it has too few cycles");
  }
  if (job->stage == WAITING || !job->is_open) return;
  reply_as(TYPE_infer_blob);
  if (job->stage == DONE) {
    put_byte(TAG_infer_blob_Ok);
    put_result(job);
  } else {
    put_byte(TAG_infer_blob_Err);
    put_bytes(job->why, job->why_size);
  }
  msg_reply();
  job->stage = FREE;
}

static void after_slice(uint32_t low_bits) {
  struct job *job = job_of_callback(low_bits);
  if (job) drive(job);
}

// The slice that was asked for has trapped or could not be run. It fails the job that it was for, if nobody else has run it.
static void after_failure(uint32_t low_bits) {
  struct job *job = job_of_callback(low_bits);
  if (!job) return;
  struct job *failed = job_of(job->asked_id);
  if (failed && failed->stage == WAITING && failed->step == job->asked_step) {
    const uint32_t size = msg_reject_msg_size();
    uint8_t why[WHY_BYTES];
    const uint32_t kept = size < WHY_BYTES ? size : WHY_BYTES;
    msg_reject_msg_copy(why, 0, kept);
    fail_job(failed, why, kept);
  }
  drive(job);
}

static void begin(const struct job *job) {
  const uint8_t *at = slot_of(job);
  for (uint32_t i = 0; i < NETWORKS[0].inputs_count; i++) {
    const struct tensor *t = &NETWORKS[0].inputs[i];
    copy(t->address, at, t->size_bytes);
    at += padded(t->size_bytes);
  }
  model_failure = 0;
}

static void finish(struct job *job) {
  uint8_t *at = slot_of(job);
  for (uint32_t i = 0; i < NETWORKS[0].outputs_count; i++) {
    const struct tensor *t = &NETWORKS[0].outputs[i];
    copy(at, t->address, t->size_bytes);
    at += padded(t->size_bytes);
  }
  job->stage = DONE;
}

static bool caller_is_self(void) {
  uint8_t self[PRINCIPAL_BYTES], caller[PRINCIPAL_BYTES];
  const uint32_t size = canister_self_size();
  if (msg_caller_size() != size) return false;
  canister_self_copy(self, 0, size);
  msg_caller_copy(caller, 0, size);
  return same(self, caller, size);
}

EXPORT("canister_update ", "run_slice") void run_slice(void) {
  struct asked asked;
  if (!caller_is_self() || msg_arg_data_size() != sizeof asked) {
    reject("only this canister calls this, to go on with what it computes");
    return;
  }
  msg_arg_data_copy(&asked, 0, sizeof asked);
  struct job *job = oldest();
  if (job && job->id == asked.id && job->step == asked.step) {
    if (!job->step) begin(job);
    do STEPS_TABLE[job->step++]();
    while (job->step < STEPS && performance_counter(0) + STEP_INSTRUCTIONS[job->step] <= SLICE_INSTRUCTIONS);
    job->moved_at_ns = ic0_time();
    if (model_failure) {
      fail_in_words(job, model_failure);
    } else if (job->step == STEPS) {
      finish(job);
    }
    job->instructions += performance_counter(0);
  }
  msg_reply();
}

// --- doors ---

static const struct wanted CALL[] = {WANTED(inputs, VEC_OF(T_RECORD), "vec record")};
static const struct wanted POLL[] = {WANTED(id, T_NAT64, "nat64")};

enum { BUSY = FAILED + 1 };

// Puts the inputs into a slot and sends the first slice. Gives 0 and the reason when it cannot.
static struct job *started(bool is_open, uint32_t *outcome) {
  struct found inputs;
  take_argument(true);
  read_message(CALL, &inputs, 1);
  *outcome = NOT_SEALED;
  if (!state.is_sealed) return 0;
  *outcome = BUSY;
  taken = free_slot();
  if (!taken) return 0;
  *outcome = WRONG_INPUT;
  if (!take_inputs(&inputs)) return 0;
  const uint64_t now = ic0_time();
  last_id = now > last_id ? now : last_id + 1;
  *taken = (struct job){.id = last_id, .moved_at_ns = now, .stage = WAITING, .is_open = is_open, .caller_size = (uint8_t)msg_caller_size()};
  msg_caller_copy(taken->caller, 0, taken->caller_size);
  return taken;
}

#define BUSY_WORDS "other computations are waiting already: try again when they are over"

EXPORT("canister_update ", "infer_blob") void infer_blob(void) {
  if (!let_in()) return;
  uint32_t outcome;
  struct job *job = started(true, &outcome);
  if (job) {
    drive(job);
    return;
  }
  reply_as(TYPE_infer_blob);
  if (outcome == BUSY) {
    put_byte(TAG_infer_blob_Err);
    put_text(BUSY_WORDS);
  } else {
    put_error_text(outcome);
  }
  msg_reply();
}

EXPORT("canister_update ", "infer_start") void infer_start(void) {
  if (!let_in()) return;
  uint32_t outcome;
  struct job *job = started(false, &outcome);
  if (job) drive(job);
  reply_as(TYPE_infer_start);
  if (job) {
    put_byte(TAG_infer_start_Ok);
    put_u64(job->id);
  } else if (outcome == BUSY) {
    put_byte(TAG_infer_start_Err);
    put_byte(TAG_InferError_Failed);
    put_text(BUSY_WORDS);
  } else {
    put_error(outcome);
  }
  msg_reply();
}

// Only who has started a computation sees it.
EXPORT("canister_query ", "infer_poll") void infer_poll(void) {
  struct found found;
  take_argument(true);
  read_message(POLL, &found, 1);
  const struct job *job = job_of(read_le(found.at, 8));
  if (job && !is_callers(job)) job = 0;
  reply_as(TYPE_infer_poll);
  if (!job) {
    put_byte(TAG_infer_poll_Unknown);
    put_text("there is no such computation of yours: it was started by another caller, its result was not fetched in time, or an upgrade has ended it; start it again");
  } else if (job->stage == WAITING) {
    IN_ORDER(total, done);
    put_byte(TAG_infer_poll_Running);
    put_u32(STEPS);
    put_u32(job->step);
  } else if (job->stage == DONE) {
    put_byte(TAG_infer_poll_Done);
    put_result(job);
  } else {
    put_byte(TAG_infer_poll_Failed);
    put_bytes(job->why, job->why_size);
  }
  msg_reply();
}

#pragma clang attribute pop
