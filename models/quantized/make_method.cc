#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "models/quantized/bayesian_bits_method.h"
#include "models/quantized/bsq_method.h"
#include "models/quantized/float_method.h"
#include "models/quantized/method.h"
#include "ops/quant/bsq/bsq_math.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr char kFloat[] = "float";

using Make = std::function<std::unique_ptr<Method>(const Graph&, const QuantizerConfig&)>;

void CheckBayesianBits(const QuantizerConfig& config) {
  if (!(config.mu() >= 0) || !std::isfinite(config.mu())) {
    throw InvalidArgument("quantizer.mu: expected a number >= 0, got ", config.mu());
  }
  if (!(config.initial_gate() > 0) || !std::isfinite(config.initial_gate())) {
    throw InvalidArgument("quantizer.initial_gate: expected a number > 0, got ", config.initial_gate());
  }
  for (int bits : config.initially_closed_bits()) {
    if (bits != 4 && bits != 8 && bits != 16 && bits != 32) {
      throw InvalidArgument("quantizer.initially_closed_bits: expected 4, 8, 16 or 32, got ", bits);
    }
  }
}

void CheckBsq(const QuantizerConfig& config) {
  if (!(config.alpha() >= 0) || !std::isfinite(config.alpha())) {
    throw InvalidArgument("quantizer.alpha: expected a number >= 0, got ", config.alpha());
  }
  if (config.initial_bits() < 1 || config.initial_bits() > kBsqMaxBits) {
    throw InvalidArgument("quantizer.initial_bits: expected 1 to ", kBsqMaxBits, ", got ", config.initial_bits());
  }
  if (config.activation_bits() < 0 || config.activation_bits() > kBsqMaxActivationBits) {
    throw InvalidArgument("quantizer.activation_bits: expected 0 to ", kBsqMaxActivationBits, ", got ",
                          config.activation_bits());
  }
}

struct Kind {
  Make make;
  std::set<std::string> settings;  // of QuantizerConfig, that it reads
};

const std::map<std::string, Kind>& Methods() {
  static const auto& methods = *new std::map<std::string, Kind>{
      {"bayesian_bits",
       {[](const Graph& graph, const QuantizerConfig& config) {
          CheckBayesianBits(config);
          return std::make_unique<BayesianBitsMethod>(QuantizationSites(graph), MaxMacs(graph), config);
        },
        {"mu", "stochastic_gates", "cost_weighting", "initial_gate", "initially_closed_bits",
         "batch_norm_statistics"}}},
      {"bsq",
       {[](const Graph& graph, const QuantizerConfig& config) {
          CheckBsq(config);
          return std::make_unique<BsqMethod>(graph, config);
        },
        {"alpha", "initial_bits", "activation_bits"}}},
      {kFloat,
       {[](const Graph& graph, const QuantizerConfig&) {
          return std::make_unique<FloatMethod>(QuantizationSites(graph));
        },
        {}}},
  };
  return methods;
}

}  // namespace

std::unique_ptr<Method> MakeMethod(const Graph& graph, const QuantizerConfig& config) {
  const auto found = Methods().find(config.method());
  if (found != Methods().end()) return found->second.make(graph, config);
  std::string names;
  for (const auto& [name, kind] : Methods()) names += (names.empty() ? "" : ", ") + name;
  throw InvalidArgument("quantizer.method: expected one of ", names, ", got \"", config.method(), "\"");
}

bool MethodReads(const std::string& method, const std::string& setting) {
  const auto found = Methods().find(method);
  return setting == "method" || found == Methods().end() || found->second.settings.count(setting) > 0;
}

QuantizerConfig FloatQuantizer() {
  QuantizerConfig config;
  config.set_method(kFloat);
  return config;
}

}  // namespace bitgate
