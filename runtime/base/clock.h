// A clock for durations.
#ifndef BITGATE_RUNTIME_BASE_CLOCK_H_
#define BITGATE_RUNTIME_BASE_CLOCK_H_

#include <chrono>

namespace bitgate {

// Seconds since some moment in the past; never goes back.
inline double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_BASE_CLOCK_H_
