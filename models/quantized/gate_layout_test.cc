#include "models/quantized/gate_layout.h"

#include <gtest/gtest.h>

#include "models/quantized/method.h"
#include "models/zoo/lenet5.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

Site WithBits(std::vector<int> bits, int64_t channels, bool prunable) {
  Site site{};
  site.name = "layer/weight";
  site.allowed_bits = std::move(bits);
  site.channels = channels;
  site.prunable = prunable;
  site.macs = 50;
  return site;
}

std::array<int64_t, 4> Levels(std::vector<int> bits) {
  return MakeGateLayout({WithBits(std::move(bits), 3, false)}, 100, QuantizerConfig::BOPS).sites[0].level;
}

TEST(GateLayout, GatesOnlyWhatMayBeDecided) {
  using Level = std::array<int64_t, 4>;
  EXPECT_EQ(Levels({2, 4, 8, 16, 32}), (Level{0, 1, 2, 3}));
  EXPECT_EQ(Levels({4, 8}), (Level{kGateOpen, 0, kGateClosed, kGateClosed}));
  EXPECT_EQ(Levels({8}), (Level{kGateOpen, kGateOpen, kGateClosed, kGateClosed}));
  EXPECT_EQ(Levels({2}), (Level{kGateClosed, kGateClosed, kGateClosed, kGateClosed}));
  EXPECT_EQ(Levels({4, 16}), (Level{kGateOpen, 0, 0, kGateClosed})) << "8 is not allowed: one gate opens 8 and 16";
  EXPECT_EQ(Levels({2, 32}), (Level{0, 0, 0, 0}));
}

TEST(GateLayout, CostsAndInitialValues) {
  const std::vector<Site> sites = {WithBits({0, 2, 4, 8, 16, 32}, 3, true), WithBits({2, 4}, 3, false)};
  const GateLayout layout = MakeGateLayout(sites, 100, QuantizerConfig::BOPS);
  EXPECT_EQ(layout.parameters, 3 + 4 + 1);
  EXPECT_EQ(layout.sites[0].channels, 3);
  EXPECT_EQ(layout.sites[1].channels, 0);
  EXPECT_EQ(layout.sites[0].cost, (std::array<double, 5>{1, 2, 4, 8, 16}));
  EXPECT_EQ(MakeGateLayout(sites, 100, QuantizerConfig::CONSTANT).sites[0].cost,
            (std::array<double, 5>{1, 1, 1, 1, 1}));
  QuantizerConfig config;
  config.set_initial_gate(5);
  config.add_initially_closed_bits(16);
  config.add_initially_closed_bits(32);
  EXPECT_EQ(InitialGates(layout, config), (std::vector<float>{5, 5, 5, 5, 5, -5, -5, 5}));
  const ParameterDeclaration gates = DeclareGates(sites, layout);
  ASSERT_EQ(gates.parts.size(), 3u);
  EXPECT_EQ(gates.parts[0].name, "layer/weight/channel_gates");
  EXPECT_EQ(gates.parts[2].offset, 7);
}

TEST(MakeMethod, NamesWhatIsWrong) {
  const auto message = [](const QuantizerConfig& config) {
    try {
      MakeMethod(zoo::LeNet5(), config);
      return std::string("no error");
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  QuantizerConfig config;
  config.set_method("bayes");
  EXPECT_EQ(message(config), "quantizer.method: expected one of bayesian_bits, bsq, float, got \"bayes\"");
  config.set_method("bayesian_bits");
  config.set_mu(-1);
  EXPECT_EQ(message(config), "quantizer.mu: expected a number >= 0, got -1");
  config.set_mu(1);
  config.set_initial_gate(0);
  EXPECT_EQ(message(config), "quantizer.initial_gate: expected a number > 0, got 0");
  config.set_initial_gate(6);
  config.add_initially_closed_bits(3);
  EXPECT_EQ(message(config), "quantizer.initially_closed_bits: expected 4, 8, 16 or 32, got 3");
}

TEST(MakeFixedMethod, RejectsHostileStates) {
  const std::vector<Site> sites = {WithBits({2, 4}, 3, false)};
  for (
      const char* state :
      {"", "{}", "[]", "[1]", "[{}]",
       R"([{"encoding":9,"bits":4,"signed":true,"qmin":-7,"qmax":7,"scale":1,"low":-1,"high":1,"range":1,"keep":[true,true,true]}])",
       R"([{"encoding":0,"bits":4,"signed":true,"qmin":-7,"qmax":7,"scale":0,"low":-1,"high":1,"range":1,"keep":[true,true,true]}])",
       R"([{"encoding":0,"bits":4,"signed":true,"qmin":-7,"qmax":7,"scale":1,"low":-1,"high":1,"range":1,"keep":[true]}])"}) {
    EXPECT_THROW(MakeFixedMethod(sites, std::string(state)), Error) << state;
  }
}

}  // namespace
}  // namespace bitgate
