// One thread at a time: how a front door keeps two threads, or a callback, from using one handle at once.
#ifndef BITGATE_API_COMMON_EXCLUSIVE_H_
#define BITGATE_API_COMMON_EXCLUSIVE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bitgate::api {

// The handle is in use: by another thread, or by the call whose callback is calling.
class BusyError : public std::runtime_error {
 public:
  explicit BusyError(const std::string& what)
      : std::runtime_error(what +
                           ": expected one user at a time, got a call while another one (of another thread, or " +
                           "the one whose callback this is) is under way") {}
};

// Part of a handle.
class Exclusive {
 public:
  bool TryAcquire() { return !busy_.exchange(true, std::memory_order_acquire); }
  void Release() { busy_.store(false, std::memory_order_release); }
  bool busy() const { return busy_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> busy_{false};
};

// Holds all of them for its lifetime, each once however often it is named; null ones are skipped. Throws BusyError, and
// holds none, if one is in use.
class Hold {
 public:
  Hold(const char* what, std::vector<Exclusive*> handles) : handles_(std::move(handles)) {
    for (size_t i = 0; i < handles_.size(); ++i) {
      const auto here = handles_.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find(handles_.begin(), here, *here) != here) *here = nullptr;
      if (*here == nullptr || (*here)->TryAcquire()) continue;
      handles_.resize(i);
      Release();
      throw BusyError(what);
    }
  }
  ~Hold() { Release(); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  void Release() {
    for (Exclusive* handle : handles_) {
      if (handle != nullptr) handle->Release();
    }
  }

  std::vector<Exclusive*> handles_;
};

}  // namespace bitgate::api

#endif  // BITGATE_API_COMMON_EXCLUSIVE_H_
