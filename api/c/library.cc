#include <string>

#include "api/c/guard.h"
#include "models/jobs/version.h"

using bitgate::c::Guard;
using bitgate::c::Keep;
using bitgate::c::Require;

uint32_t bg_abi_version(void) { return BG_ABI_VERSION; }

bg_status bg_check_abi(uint32_t version) {
  return Guard([&] {
    if (version == BG_ABI_VERSION) return;
    throw bitgate::c::AbiMismatch("bg_check_abi: expected a program compiled for interface " +
                                  std::to_string(BG_ABI_VERSION) + " of this library, got one for " +
                                  std::to_string(version) + "; compile it with this library's bitgate.h");
  });
}

const char* bg_version(void) { return bitgate::jobs::kVersion; }

const char* bg_status_name(bg_status status) {
  switch (bitgate::c::NumberOf(status)) {
    case BG_STATUS_OK:
      return "BG_STATUS_OK";
    case BG_STATUS_INVALID_ARGUMENT:
      return "BG_STATUS_INVALID_ARGUMENT";
    case BG_STATUS_NOT_FOUND:
      return "BG_STATUS_NOT_FOUND";
    case BG_STATUS_DATA_LOSS:
      return "BG_STATUS_DATA_LOSS";
    case BG_STATUS_FAILED_PRECONDITION:
      return "BG_STATUS_FAILED_PRECONDITION";
    case BG_STATUS_UNSUPPORTED_DEVICE:
      return "BG_STATUS_UNSUPPORTED_DEVICE";
    case BG_STATUS_UNAVAILABLE:
      return "BG_STATUS_UNAVAILABLE";
    case BG_STATUS_RESOURCE_EXHAUSTED:
      return "BG_STATUS_RESOURCE_EXHAUSTED";
    case BG_STATUS_CANCELLED:
      return "BG_STATUS_CANCELLED";
    case BG_STATUS_INTERNAL:
      return "BG_STATUS_INTERNAL";
    case BG_STATUS_ABI_MISMATCH:
      return "BG_STATUS_ABI_MISMATCH";
    case BG_STATUS_BUSY:
      return "BG_STATUS_BUSY";
    case BG_STATUS_FORKED:
      return "BG_STATUS_FORKED";
  }
  return "BG_STATUS_UNKNOWN";
}

bg_status bg_set_threads(int32_t threads) {
  return Guard([&] { bitgate::SetThreads(threads); });
}

bg_status bg_get_threads(int32_t* threads) {
  return Guard([&] { Require("bg_get_threads", "threads", threads) = bitgate::Threads(); });
}

bg_status bg_describe(const char** json) {
  return Guard([&] { Require("bg_describe", "json", json) = Keep(ToJson(bitgate::jobs::Version())); });
}
