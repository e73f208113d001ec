// The device that tests run on. For tests only.
#ifndef BITGATE_RUNTIME_DEVICE_TEST_CONTEXT_H_
#define BITGATE_RUNTIME_DEVICE_TEST_CONTEXT_H_

#include <cstdlib>

#include "runtime/device/context.h"

namespace bitgate {
namespace testing {

// That of the environment variable BITGATE_TEST_DEVICE ("cuda:0"), or the cpu: the same cases serve every device.
inline Device TestDevice() {
  const char* const name = std::getenv("BITGATE_TEST_DEVICE");
  return name == nullptr ? Device{} : ParseDevice(name);
}

// A context on it. Where a GPU is asked for and there is none, the constructor throws, and the test fails.
class TestContext : public Context {
 public:
  TestContext() : Context(TestDevice()) {}
};

}  // namespace testing
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_TEST_CONTEXT_H_
