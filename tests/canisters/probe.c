// The canister that the tests of the embedded network poke at: one small method for each thing that a canister can do.
// Arguments and replies are plain bytes, numbers little-endian.
typedef unsigned char byte;
typedef unsigned int u32;
typedef unsigned long long u64;

#define IC0(name, result, ...) \
  __attribute__((import_module("ic0"), import_name(#name))) extern result name(__VA_ARGS__)
#define EXPORT(name) __attribute__((export_name(name)))

IC0(msg_arg_data_size, u32, void);
IC0(msg_arg_data_copy, void, void *, u32, u32);
IC0(msg_caller_size, u32, void);
IC0(msg_caller_copy, void, void *, u32, u32);
IC0(msg_reply_data_append, void, const void *, u32);
IC0(msg_reply, void, void);
IC0(msg_reject, void, const void *, u32);
IC0(msg_reject_code, u32, void);
IC0(msg_reject_msg_size, u32, void);
IC0(msg_reject_msg_copy, void, void *, u32, u32);
IC0(msg_method_name_size, u32, void);
IC0(msg_method_name_copy, void, void *, u32, u32);
IC0(msg_cycles_available128, void, void *);
IC0(msg_cycles_accept128, void, u64, u64, void *);
IC0(msg_cycles_refunded128, void, void *);
IC0(canister_cycle_balance128, void, void *);
IC0(accept_message, void, void);
IC0(call_new, void, const void *, u32, const void *, u32, void (*)(u32), u32, void (*)(u32), u32);
IC0(call_on_cleanup, void, void (*)(u32), u32);
IC0(call_data_append, void, const void *, u32);
IC0(call_cycles_add128, void, u64, u64);
IC0(call_perform, u32, void);
IC0(certified_data_set, void, const void *, u32);
IC0(data_certificate_present, u32, void);
IC0(data_certificate_size, u32, void);
IC0(data_certificate_copy, void, void *, u32, u32);
IC0(stable64_size, u64, void);
IC0(stable64_grow, u64, u64);
IC0(stable64_write, void, u64, u64, u64);
IC0(stable64_read, void, u64, u64, u64);
IC0(global_timer_set, u64, u64);
IC0(time, u64, void);
IC0(performance_counter, u64, u32);
IC0(is_controller, u32, const void *, u32);
IC0(canister_version, u64, void);
IC0(trap, void, const void *, u32);
IC0(debug_print, void, const void *, u32);

static byte arg[3 << 20];
static u64 counter, fired, cleaned, refunded;

static u32 args(void) {
  u32 n = msg_arg_data_size();
  msg_arg_data_copy(arg, 0, n);
  return n;
}
static void reply(const void *data, u32 size) {
  msg_reply_data_append(data, size);
  msg_reply();
}
static u64 number(const byte *at) { return *(const u64 __attribute__((aligned(1))) *)at; }

EXPORT("canister_init") void init(void) { counter = msg_arg_data_size() == 8 ? (args(), number(arg)) : 0; }
EXPORT("canister_pre_upgrade") void pre_upgrade(void) {
  if (counter == 666) trap("cannot be upgraded now", 22);
  if (stable64_size() == 0) stable64_grow(1);
  stable64_write(0, (u64)(u32)&counter, 8);
}
EXPORT("canister_post_upgrade") void post_upgrade(void) {
  stable64_read((u64)(u32)&counter, 0, 8);
  if (msg_arg_data_size() == 4) trap("will not be upgraded", 20);
}
EXPORT("canister_inspect_message") void inspect(void) {
  byte name[64];
  u32 n = msg_method_name_size();
  msg_method_name_copy(name, 0, n > 64 ? 64 : n);
  if (!(n == 7 && name[0] == 'r' && name[6] == 'd')) accept_message();  // all but "refused"
}
EXPORT("canister_global_timer") void timer(void) { fired++; }

EXPORT("canister_update refused") void refused(void) { reply("", 0); }
EXPORT("canister_update inc") void inc(void) { counter++; reply(&counter, 8); }
EXPORT("canister_update set") void set(void) { args(); counter = number(arg); reply("", 0); }
EXPORT("canister_query get") void get(void) { reply(&counter, 8); }
EXPORT("canister_query get_and_write") void get_and_write(void) { counter += 100; reply(&counter, 8); }
EXPORT("canister_query echo") void echo(void) { reply(arg, args()); }
EXPORT("canister_update caller") void caller(void) {
  u32 n = msg_caller_size();
  msg_caller_copy(arg, 0, n);
  reply(arg, n);
}
EXPORT("canister_query is_controller") void controls(void) {
  u32 n = msg_caller_size();
  msg_caller_copy(arg, 0, n);
  arg[0] = (byte)is_controller(arg, n);
  reply(arg, 1);
}
EXPORT("canister_update write_and_trap") void write_and_trap(void) {
  counter = 999;
  stable64_grow(1);
  __builtin_wasm_memory_grow(0, 3);
  certified_data_set("trapped", 7);
  trap("the probe traps", 15);
}
EXPORT("canister_update reject") void reject(void) { msg_reject("the probe says no", 17); }
EXPORT("canister_update trap_with") void trap_with(void) { u32 n = args(); trap(arg, n); }
EXPORT("canister_query reject_query") void reject_query(void) { msg_reject("the probe says no", 17); }
EXPORT("canister_query trap_query") void trap_query(void) { trap("the probe traps", 15); }
EXPORT("canister_update silent") void silent(void) {}
EXPORT("canister_update print") void print(void) { debug_print(arg, args()); reply("", 0); }

EXPORT("canister_update certify") void certify(void) { certified_data_set(arg, args()); reply("", 0); }
EXPORT("canister_query certificate") void certificate(void) {
  if (!data_certificate_present()) { msg_reject("no certificate", 14); return; }
  u32 n = data_certificate_size();
  data_certificate_copy(arg, 0, n);
  reply(arg, n);
}

EXPORT("canister_update stable_write") void stable_write_(void) {  // offset, bytes
  u32 n = args();
  u64 at = number(arg), end = at + n - 8;
  u64 have = stable64_size() << 16;
  if (end > have) stable64_grow((end - have + 65535) >> 16);
  stable64_write(at, (u64)(u32)(arg + 8), n - 8);
  reply("", 0);
}
EXPORT("canister_query stable_read") void stable_read_(void) {  // offset, size
  args();
  u64 at = number(arg), n = number(arg + 8);
  stable64_read((u64)(u32)arg, at, n);
  reply(arg, (u32)n);
}
EXPORT("canister_update grow_heap") void grow_heap(void) {  // pages of 64 KiB; the last byte is set
  args();
  int before = (int)__builtin_wasm_memory_grow(0, (u32)number(arg));
  if (before >= 0) *(byte *)(__builtin_wasm_memory_size(0) * 65536 - 1) = 77;
  reply(&before, 4);
}

EXPORT("canister_update timer_in") void timer_in(void) { args(); global_timer_set(time() + number(arg)); reply("", 0); }
EXPORT("canister_query fired") void get_fired(void) { reply(&fired, 8); }

static u64 spin(u64 n) {
  volatile u64 sink = 0;
  for (u64 i = 0; i < n; i++) sink += i;
  return sink;
}
EXPORT("canister_update spin") void spin_update(void) { args(); spin(number(arg)); u64 used = performance_counter(0); reply(&used, 8); }
EXPORT("canister_query spin_query") void spin_query(void) { args(); spin(number(arg)); u64 used = performance_counter(0); reply(&used, 8); }

static void on_reply(u32 kind) {
  byte amount[16];
  msg_cycles_refunded128(amount);
  refunded = number(amount);
  counter++;
  if (kind == 1) trap("trapped in the callback", 23);
  reply(arg, args());
}
static void on_reject(u32 kind) {
  u32 n = msg_reject_msg_size();
  msg_reject_msg_copy(arg + 1, 0, n);
  arg[0] = (byte)msg_reject_code();
  reply(arg, n + 1);
}
static void on_cleanup(u32 kind) { cleaned++; }
// kind (1: the callback traps, 2: the caller traps after it called), cycles, length of callee, callee, length of method, method, argument
EXPORT("canister_update call") void call(void) {
  u32 n = args();
  byte *callee = arg + 9, *method = callee + 1 + *callee, *rest = method + 1 + *method;
  counter += 1000;
  call_new(callee + 1, *callee, method + 1, *method, on_reply, arg[0], on_reject, arg[0]);
  call_data_append(rest, (u32)(arg + n - rest));
  call_cycles_add128(0, number(arg + 1));
  call_on_cleanup(on_cleanup, 0);
  call_perform();
  if (arg[0] == 2) trap("trapped after the call", 22);
}
EXPORT("canister_query seen") void seen(void) { u64 all[3] = {counter, cleaned, refunded}; reply(all, 24); }
EXPORT("canister_update accept_half") void accept_half(void) {
  byte amount[16];
  msg_cycles_available128(amount);
  u64 half = number(amount) / 2;
  msg_cycles_accept128(0, half, amount);
  reply(amount, 8);
}
EXPORT("canister_query balance") void balance(void) {
  byte amount[16];
  canister_cycle_balance128(amount);
  reply(amount, 16);
}
EXPORT("canister_query version") void version(void) { u64 v = canister_version(); reply(&v, 8); }
EXPORT("canister_query nan") void nan_bits(void) {  // what 0/0 is made of: the network wants one pattern everywhere
  volatile double zero = 0.0;
  double got = -(zero / zero);
  got = got + 1.0;
  reply(&got, 8);
}
EXPORT("canister_update overflow") void overflow(void);
static u32 deep(volatile u32 *n) { volatile u32 here = *n + 1; return deep(&here) + here; }
void overflow(void) { volatile u32 n = 0; n = deep(&n); reply((const void *)&n, 4); }
EXPORT("canister_update out_of_bounds") void out_of_bounds(void) { *(volatile byte *)0xfffffff0u = 1; reply("", 0); }
EXPORT("canister_update bad_pointer") void bad_pointer(void) { msg_reply_data_append((const void *)0xffffff00u, 4096); msg_reply(); }
EXPORT("canister_update twice") void twice(void) { msg_reply(); msg_reply(); }
EXPORT("canister_query set_in_query") void set_in_query(void) { certified_data_set("x", 1); reply("", 0); }
EXPORT("canister_update large") void large(void) { args(); reply(arg, (u32)number(arg)); }
EXPORT("canister_query large_query") void large_query(void) { args(); reply(arg, (u32)number(arg)); }
EXPORT("canister_update endless") void endless(void) { for (;;) spin(1000); }
EXPORT("canister_query endless_query") void endless_query(void) { for (;;) spin(1000); }
