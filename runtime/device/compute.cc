#include "runtime/device/compute.h"

#include <string>

#include "runtime/base/error.h"

namespace bitgate {

const char* ToString(Compute compute) {
  switch (compute) {
    case Compute::kFloat32:
      return "float32";
    case Compute::kTf32:
      return "tf32";
    case Compute::kBfloat16:
      return "bfloat16";
  }
  return "?";
}

Compute ParseCompute(std::string_view text) {
  for (const Compute compute : {Compute::kFloat32, Compute::kTf32, Compute::kBfloat16}) {
    if (text == ToString(compute)) return compute;
  }
  throw InvalidArgument("compute: expected float32, tf32 or bfloat16, got \"", std::string(text), "\"");
}

}  // namespace bitgate
