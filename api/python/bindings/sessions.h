// The session that ops of a thread run in: one for each device, made when it is first needed. Recording is implicit,
// and each thread's is its own.
#ifndef BITGATE_API_PYTHON_BINDINGS_SESSIONS_H_
#define BITGATE_API_PYTHON_BINDINGS_SESSIONS_H_

#include <string>
#include <tuple>

#include "api/python/bindings/handle.h"
#include "runtime/device/device.h"

namespace bitgate::python {

// This thread's. Throws UnsupportedDevice.
api::Session& SessionOn(Device device);

// How this thread's ops on the device compute; "float32" at first. Throws InvalidArgument and UnsupportedDevice.
void SetCompute(const std::string& compute, const std::string& device);
std::string GetCompute(const std::string& device);

// Whether this thread's ops record, for all its devices; returns what was before.
bool SetRecording(bool recording);
bool IsRecording();

// Work of this many elements is worth letting other threads run.
inline constexpr int64_t kLongWork = int64_t{1} << 15;

inline int64_t Elements(const TensorHandle& tensor) { return tensor.get() == nullptr ? 0 : tensor->value.size(); }

// Runs op(context, tensors...) on the device of the first operand, recorded, and returns its result as a new tensor.
// Operands are read, and the result is made, under Python's lock; it is let go between if there is much to do: `weight`
// times the elements of the operands.
template <class Op, class... Handles>
TensorHandle Apply(int64_t weight, const Op& op, const TensorHandle& first, const Handles&... rest) {
  const Entry entry;
  api::Session& session = SessionOn(first->value.device());
  return session.Record([&] {
    const auto operands = std::make_tuple(session.Operand(first.shared()), session.Operand(rest.shared())...);
    const Unlocked unlocked(weight * (Elements(first) + ... + Elements(rest)) > kLongWork);
    return std::apply([&](const auto&... tensors) { return op(session.context(), tensors...); }, operands);
  });
}

}  // namespace bitgate::python

#endif  // BITGATE_API_PYTHON_BINDINGS_SESSIONS_H_
