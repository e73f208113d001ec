// Arguments that several ops take.
#ifndef BITGATE_API_PYTHON_BINDINGS_ARGUMENTS_H_
#define BITGATE_API_PYTHON_BINDINGS_ARGUMENTS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "ops/elementwise/activation.h"
#include "runtime/base/error.h"

namespace bitgate::python {

// One number for both, or (height, width).
using PairArgument = std::variant<int64_t, std::array<int64_t, 2>>;

inline std::array<int64_t, 2> PairOf(const PairArgument& argument) {
  if (const auto* both = std::get_if<int64_t>(&argument)) return {*both, *both};
  return std::get<1>(argument);
}

inline Activation ActivationOf(const std::optional<std::string>& name) {
  if (!name) return Activation::kNone;
  if (*name == "relu") return Activation::kRelu;
  throw InvalidArgument("activation: expected None or 'relu', got '", *name, "'");
}

}  // namespace bitgate::python

#endif  // BITGATE_API_PYTHON_BINDINGS_ARGUMENTS_H_
