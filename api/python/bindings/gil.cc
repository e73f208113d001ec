#include "api/python/bindings/gil.h"

#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/error.h"

namespace bitgate::python {
namespace {

// Callbacks that do not return must not keep a process for ever.
constexpr std::chrono::seconds kLongestExit{60};

std::atomic<bool> exiting{false};
std::atomic<int> unlocked_calls{0};

struct Deferred {
  std::mutex mutex;
  std::vector<std::pair<void (*)(void*), void*>> releases;
};

// Never destroyed: tensors may go after static objects.
Deferred& Pending() {
  static Deferred& pending = *new Deferred;
  return pending;
}

}  // namespace

std::atomic<bool> any_deferred{false};

void Defer(void (*release)(void*), void* data) {
  const std::lock_guard<std::mutex> lock(Pending().mutex);
  Pending().releases.emplace_back(release, data);
  any_deferred.store(true, std::memory_order_relaxed);
}

void RunDeferred() {
  std::vector<std::pair<void (*)(void*), void*>> releases;
  {
    const std::lock_guard<std::mutex> lock(Pending().mutex);
    releases.swap(Pending().releases);
    any_deferred.store(false, std::memory_order_relaxed);
  }
  for (const auto& [release, data] : releases) release(data);
}

Unlocked::Unlocked(bool release) {
  if (!release || exiting) return;
  ++unlocked_calls;
  state_ = PyEval_SaveThread();
}

Unlocked::~Unlocked() {
  if (state_ == nullptr) return;
  PyEval_RestoreThread(state_);
  --unlocked_calls;
}

Interruptible::Interruptible() {
  if (exiting) throw Exiting();
}

bool Interruptible::Stopping() const { return stopped_ || error_ != nullptr || exiting; }

void Interruptible::Rethrow(const std::exception* failure) {
  if (error_ == nullptr && exiting) throw Exiting();
  if (error_ == nullptr) return;
  const auto* error = dynamic_cast<const Error*>(failure);
  const bool told = failure == nullptr || (error != nullptr && error->code() == absl::StatusCode::kCancelled);
  if (told) std::rethrow_exception(error_);
  try {
    std::rethrow_exception(error_);
  } catch (py::error_already_set& raised) {
    py::raise_from(raised, PyExc_OSError, failure->what());
    throw py::error_already_set();
  }
}

void StopAtExit() {
  if (api::IsForkedChild()) return;  // the calls that ran in the parent do not run here
  exiting = true;
  PyThreadState* state = PyEval_SaveThread();
  const auto start = std::chrono::steady_clock::now();
  while (unlocked_calls > 0 && std::chrono::steady_clock::now() - start < kLongestExit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  PyEval_RestoreThread(state);
}

}  // namespace bitgate::python
