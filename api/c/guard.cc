#include "api/c/guard.h"

#include <exception>
#include <new>
#include <utility>

#include "api/common/exclusive.h"

namespace bitgate::c {
namespace {

constexpr char kNoMemory[] = "expected memory, got none";

// The thread's last message; a literal where there was no memory to keep one.
struct LastError {
  std::string text;
  const char* literal = nullptr;
};

LastError& Last() {
  thread_local LastError last;
  return last;
}

bg_status Fail(bg_status status, const char* message) noexcept {
  LastError& last = Last();
  try {
    last.text = message;
    last.literal = nullptr;
  } catch (...) {
    last.literal = kNoMemory;
  }
  return status;
}

bg_status StatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return BG_STATUS_INVALID_ARGUMENT;
    case absl::StatusCode::kNotFound:
      return BG_STATUS_NOT_FOUND;
    case absl::StatusCode::kDataLoss:
      return BG_STATUS_DATA_LOSS;
    case absl::StatusCode::kFailedPrecondition:
      return BG_STATUS_FAILED_PRECONDITION;
    case absl::StatusCode::kUnimplemented:
      return BG_STATUS_UNSUPPORTED_DEVICE;
    case absl::StatusCode::kUnavailable:
      return BG_STATUS_UNAVAILABLE;
    case absl::StatusCode::kResourceExhausted:
      return BG_STATUS_RESOURCE_EXHAUSTED;
    case absl::StatusCode::kCancelled:
      return BG_STATUS_CANCELLED;
    default:
      return BG_STATUS_INTERNAL;
  }
}

}  // namespace

bg_status StatusOfException() noexcept {
  try {
    throw;
  } catch (const AbiMismatch& error) {
    return Fail(BG_STATUS_ABI_MISMATCH, error.what());
  } catch (const Error& error) {
    return Fail(StatusOf(error.code()), error.what());
  } catch (const api::BusyError& error) {
    return Fail(BG_STATUS_BUSY, error.what());
  } catch (const api::ForkedError& error) {
    return Fail(BG_STATUS_FORKED, error.what());
  } catch (const std::bad_alloc&) {
    return Fail(BG_STATUS_RESOURCE_EXHAUSTED, kNoMemory);
  } catch (const std::exception& error) {
    return Fail(BG_STATUS_INTERNAL, error.what());
  } catch (...) {
    return Fail(BG_STATUS_INTERNAL, "expected no exception, got one of an unknown type");
  }
}

const char* Keep(std::string text) {
  thread_local std::string kept;
  kept = std::move(text);
  return kept.c_str();
}

}  // namespace bitgate::c

const char* bg_last_error_message(void) {
  const bitgate::c::LastError& last = bitgate::c::Last();
  return last.literal != nullptr ? last.literal : last.text.c_str();
}
