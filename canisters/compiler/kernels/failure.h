// A call that cannot be answered because of the values it was given, such as an index outside its axis.
//
// The node says so and goes on with something harmless; the canister answers with the text instead of the outputs. The first text stays.
#ifndef COMMONWEIGHT_FAILURE_H
#define COMMONWEIGHT_FAILURE_H

#include "base.h"

const char *model_failure;

SHARED void fail(const char *text) {
  if (!model_failure) model_failure = text;
}

// Element i of int64 or int32 indices.
INLINE int64_t index_at(const void *indices, unsigned i, const bool is_wide) {
  return is_wide ? ((const int64_t *)indices)[i] : ((const int32_t *)indices)[i];
}

// A place on an axis of `size`, counted from its end when negative. Outside, the call fails, and the place is 0.
INLINE unsigned place(int64_t index, unsigned size, const char *text) {
  index += index < 0 ? (int64_t)size : 0;
  if ((uint64_t)index >= size) {
    fail(text);
    return 0;
  }
  return (unsigned)index;
}

#endif
