// The System API, as far as an inference canister needs it. Source: interface specification, "System API".
#ifndef COMMONWEIGHT_IC0_H
#define COMMONWEIGHT_IC0_H

#include <stdint.h>

#define IC0(name) __attribute__((import_module("ic0"), import_name(#name)))

IC0(msg_arg_data_size) uint32_t msg_arg_data_size(void);
IC0(msg_arg_data_copy) void msg_arg_data_copy(void *to, uint32_t offset, uint32_t size);
IC0(msg_caller_size) uint32_t msg_caller_size(void);
IC0(msg_caller_copy) void msg_caller_copy(void *to, uint32_t offset, uint32_t size);
IC0(msg_method_name_size) uint32_t msg_method_name_size(void);
IC0(msg_method_name_copy) void msg_method_name_copy(void *to, uint32_t offset, uint32_t size);
IC0(accept_message) void accept_message(void);
IC0(is_controller) int32_t is_controller(const void *principal, uint32_t size);
IC0(msg_reply_data_append) void msg_reply_data_append(const void *from, uint32_t size);
IC0(msg_reply) void msg_reply(void);
IC0(msg_reject) void msg_reject(const void *message, uint32_t size);
IC0(time) uint64_t ic0_time(void);
IC0(msg_reject_msg_size) uint32_t msg_reject_msg_size(void);
IC0(msg_reject_msg_copy) void msg_reject_msg_copy(void *to, uint32_t offset, uint32_t size);
IC0(canister_self_size) uint32_t canister_self_size(void);
IC0(canister_self_copy) void canister_self_copy(void *to, uint32_t offset, uint32_t size);
IC0(call_new) void call_new(const void *callee, uint32_t callee_size, const void *method, uint32_t method_size, void (*on_reply)(uint32_t), uint32_t, void (*on_reject)(uint32_t), uint32_t);
IC0(call_data_append) void call_data_append(const void *from, uint32_t size);
IC0(call_perform) uint32_t call_perform(void);
IC0(performance_counter) uint64_t performance_counter(uint32_t kind);
IC0(stable64_size) uint64_t stable64_size(void);
IC0(stable64_grow) uint64_t stable64_grow(uint64_t pages);
IC0(stable64_read) void stable64_read(uint64_t to, uint64_t offset, uint64_t size);
IC0(stable64_write) void stable64_write(uint64_t offset, uint64_t from, uint64_t size);
IC0(trap) _Noreturn void ic0_trap(const void *message, uint32_t size);

#endif
