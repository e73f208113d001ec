// Who holds Python's lock, and when: long calls let it go, callbacks take it, memory that Python lent is given back
// under it, and an interpreter that exits stops what runs.
#ifndef BITGATE_API_PYTHON_BINDINGS_GIL_H_
#define BITGATE_API_PYTHON_BINDINGS_GIL_H_

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <exception>

#include "api/common/fork.h"
#include "runtime/base/thread_pool.h"

namespace bitgate::python {

namespace py = pybind11;

// Gives `data` to `release` when a thread next comes by with Python's lock. Tensors go anywhere: in threads without the
// lock, in the middle of an op, after the interpreter.
void Defer(void (*release)(void*), void* data);

// With Python's lock. Does what was deferred.
void RunDeferred();
extern std::atomic<bool> any_deferred;
inline void RunAnyDeferred() {
  if (any_deferred.load(std::memory_order_relaxed)) RunDeferred();
}

// At the beginning of every function that Python calls: throws ForkedError in a forked child, and lets oneDNN use the
// library's number of threads in this one.
class Entry {
 private:
  struct Checked {
    Checked() {
      api::CheckNotForked();
      RunAnyDeferred();
    }
  };
  Checked checked_;
  AdoptedThreads threads_;
};

// Without Python's lock for its lifetime, if `release`; the interpreter waits for it when it exits.
class Unlocked {
 public:
  explicit Unlocked(bool release = true);
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_ = nullptr;
};

// Takes Python's lock within Unlocked.
class Locked {
 public:
  Locked() : state_(PyGILState_Ensure()) {}
  ~Locked() { PyGILState_Release(state_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  PyGILState_STATE state_;
};

// The interpreter exits: SystemExit, which ends a thread without a word. (An exception that is printed meanwhile can
// abort the process.)
struct Exiting : std::exception {
  const char* what() const noexcept override { return "the interpreter exits"; }
};

// What a long call asks now and then, without Python's lock: whether to go on. Ctrl-C, an exception or False of a
// callback, and an interpreter that exits say no.
class Interruptible {
 public:
  // Throws Exiting.
  Interruptible();

  // Some twenty times a second looks for signals and calls `call` (a callable without arguments, or nullptr); else
  // true.
  template <class Call>
  bool Poll(const Call& call) {
    if (Stopping()) return false;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(50)) return true;
    last_ = now;
    return Run([&] {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      call();
      return py::none();
    });
  }
  // Calls `call`, which returns a Python object: exactly False stops.
  template <class Call>
  bool Run(const Call& call) {
    const Locked locked;
    if (Stopping()) return false;
    try {
      const py::object result = call();
      if (result.ptr() == Py_False) stopped_ = true;
    } catch (py::error_already_set&) {
      error_ = std::current_exception();
    }
    return !Stopping();
  }

  // A callback returned False.
  bool stopped() const { return stopped_; }
  // With the lock, when the call has ended with an exception of the library (or none: null): throws what was caught in
  // a callback in its place. What could not be written meanwhile is told with it.
  void Rethrow(const std::exception* failure);

 private:
  bool Stopping() const;

  std::chrono::steady_clock::time_point last_{};
  std::exception_ptr error_;
  bool stopped_ = false;
};

// Stops what runs and waits for it: what Python calls when the interpreter exits.
void StopAtExit();

}  // namespace bitgate::python

#endif  // BITGATE_API_PYTHON_BINDINGS_GIL_H_
