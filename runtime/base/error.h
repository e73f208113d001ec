// The one exception type of the library and the functions that make it.
//
// Everything below the front doors throws `Error` and nothing else. The message reads
// `<where>: expected <what>, got <what>`; the code is one of Abseil's canonical codes, which the front doors translate
// (exit code, bg_status, Python exception class). Use: throw InvalidArgument("conv2d: expected rank 4, got ", shape).
#ifndef BITGATE_RUNTIME_BASE_ERROR_H_
#define BITGATE_RUNTIME_BASE_ERROR_H_

#include <sstream>
#include <stdexcept>
#include <string>

#include "absl/status/status.h"

namespace bitgate {

class Error : public std::runtime_error {
 public:
  Error(absl::StatusCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  absl::StatusCode code() const { return code_; }

 private:
  absl::StatusCode code_;
};

namespace internal {
template <class... Parts>
Error MakeError(absl::StatusCode code, const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return Error(code, text.str());
}
}  // namespace internal

// A value the caller gave is wrong: shapes, ranges, malformed text, an unknown name.
template <class... Parts>
Error InvalidArgument(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kInvalidArgument, parts...);
}
// A file, node or key that should exist does not.
template <class... Parts>
Error NotFound(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kNotFound, parts...);
}
// A file's bytes are not what its format says: truncated, wrong magic, hostile sizes.
template <class... Parts>
Error DataLoss(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kDataLoss, parts...);
}
// The request is fine but not in this state: export before freeze, another network's checkpoint, NaN loss.
template <class... Parts>
Error FailedPrecondition(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kFailedPrecondition, parts...);
}
// The device, kernel or feature is not in this build or on this machine.
template <class... Parts>
Error UnsupportedDevice(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kUnimplemented, parts...);
}
// The operating system refused: unwritable output, full disk.
template <class... Parts>
Error Unavailable(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kUnavailable, parts...);
}
// Memory, disk or device memory ran out.
template <class... Parts>
Error ResourceExhausted(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kResourceExhausted, parts...);
}
// Work on a device that was to be captured cannot be: it reads to the host, waits, or asks the system for memory.
// Whoever captures catches it and runs the work without.
class NotCapturable : public Error {
 public:
  explicit NotCapturable(const std::string& what)
      : Error(absl::StatusCode::kFailedPrecondition, "capture: expected work that stays on the device, got " + what) {}
};

// Stopped on request (Ctrl-C); what was promised to be kept is kept.
template <class... Parts>
Error Cancelled(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kCancelled, parts...);
}
// A library call that should not fail did (oneDNN, CUDA, cuDNN).
template <class... Parts>
Error Internal(const Parts&... parts) {
  return internal::MakeError(absl::StatusCode::kInternal, parts...);
}

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_BASE_ERROR_H_
