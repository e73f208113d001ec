// What every body of the C interface stands on: exceptions to statuses, strings that outlive a call, structs of another
// size.
#ifndef BITGATE_API_C_GUARD_H_
#define BITGATE_API_C_GUARD_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>

#include "api/c/bitgate.h"
#include "api/common/fork.h"
#include "runtime/base/error.h"
#include "runtime/base/thread_pool.h"

namespace bitgate::c {

// The program was compiled for another interface.
class AbiMismatch : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The status of the exception being handled; its text becomes the thread's message.
bg_status StatusOfException() noexcept;

// The body of a function of the interface. Whatever it throws becomes a status.
template <class Body>
bg_status Guard(const Body& body) noexcept {
  try {
    api::CheckNotForked();
    const AdoptedThreads threads;
    body();
    return BG_STATUS_OK;
  } catch (...) {
    return StatusOfException();
  }
}

// Throws InvalidArgument for a null pointer.
template <class T>
T& Require(const char* function, const char* argument, T* pointer) {
  if (pointer == nullptr) throw InvalidArgument(function, ": expected ", argument, ", got NULL");
  return *pointer;
}

inline void Require(const char* function, const char* argument, const void* pointer) {
  if (pointer == nullptr) throw InvalidArgument(function, ": expected ", argument, ", got NULL");
}
inline void Require(const char* function, const char* argument, void* pointer) {
  Require(function, argument, static_cast<const void*>(pointer));
}

// An enumerator as C passed it. It may be any number, and C++ must not read one that is out of range as the enum.
template <class Enum>
int32_t NumberOf(const Enum& enumerator) {
  static_assert(sizeof(Enum) == sizeof(int32_t));
  int32_t number = 0;
  std::memcpy(&number, &enumerator, sizeof number);
  return number;
}

// Keeps a string until the thread's next one.
const char* Keep(std::string text);

// The size that a struct had when it first appeared, below which it is none.
template <class T>
inline constexpr size_t kFirstSize = T::has_no_line_in_first_sizes_inc;
#define BG_FIRST_SIZE(type, size) \
  template <>                     \
  inline constexpr size_t kFirstSize<type> = size;
#include "api/c/first_sizes.inc"
#undef BG_FIRST_SIZE

template <class T>
void CheckStructSize(const char* function, const char* argument, const T& given) {
  if (given.struct_size >= kFirstSize<T>) return;
  throw InvalidArgument(function, ": expected ", argument, " with a struct_size of at least ", kFirstSize<T>, ", got ",
                        given.struct_size);
}

template <class T>
auto ReservedOf(const T& values, int) -> decltype(values.reserved) {
  return values.reserved;
}
template <class T>
uint32_t ReservedOf(const T&, long) {
  return 0;
}

// A copy of a struct of the caller's, whose size may be an older, shorter one, or a newer, longer one that asks nothing
// of what this library does not know. Null gives zeros.
template <class T>
T ReadStruct(const char* function, const char* argument, const T* given) {
  T copy{};
  if (given == nullptr) return copy;
  CheckStructSize(function, argument, *given);
  const size_t size = given->struct_size;
  const char* bytes = reinterpret_cast<const char*>(given);
  for (size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) {
      throw InvalidArgument(function, ": expected ", argument, " to be 0 past its first ", sizeof(T), " of ", size,
                            " bytes, which are all that this library knows");
    }
  }
  std::memcpy(&copy, bytes, std::min(size, sizeof(T)));
  if (ReservedOf(copy, 0) != 0) {
    throw InvalidArgument(function, ": expected ", argument, " with 0 in reserved, got ", ReservedOf(copy, 0));
  }
  return copy;
}

// Fills a struct of the caller's, whose struct_size has been checked, as far as it goes; what is past it is left alone.
template <class T>
void WriteStruct(T values, T* target) {
  values.struct_size = target->struct_size;
  std::memcpy(static_cast<void*>(target), &values, std::min<size_t>(target->struct_size, sizeof(T)));
}

}  // namespace bitgate::c

#endif  // BITGATE_API_C_GUARD_H_
