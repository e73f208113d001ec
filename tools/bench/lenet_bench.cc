#include "tools/bench/bare_products.h"
#include "tools/bench/benchmarks.h"
#include "tools/bench/c_calls.h"
#include "tools/bench/lenet_step.h"
#include "tools/bench/onednn_calls.h"

namespace bitgate::bench {

std::vector<Row> LeNetStepRows(int64_t batch, int turns) {
  LeNetStep quantized({}, "bayesian_bits", batch), plain({}, "float", batch);
  CStep through_c(batch);
  const auto calls = LeNetOneDnnCalls(batch);
  const auto times = TakeTurns({{"LeNet-5 Bayesian Bits training step", [&] { quantized.Run(1); }},
                                {"LeNet-5 float training step", [&] { plain.Run(1); }},
                                {"the same through bg_trainer_step", [&] { through_c.Run(); }},
                                {"its bare oneDNN convolutions and products",
                                 [&] {
                                   for (const auto& call : calls) call();
                                 }}},
                               turns);
  return {{times[0].name, times[1].name, times[0].milliseconds, times[1].milliseconds, 1.3},
          {times[0].name, times[3].name, times[0].milliseconds, times[3].milliseconds, 1.6},
          {times[1].name, times[3].name, times[1].milliseconds, times[3].milliseconds, 0},
          {times[2].name, times[0].name, times[2].milliseconds, times[0].milliseconds, 1.02}};
}

std::vector<Row> GpuLeNetStepRows(Device device, const GpuLeNetSize& size, int turns) {
  LeNetStep replayed(device, "bayesian_bits", size.batch, size.batches);
  LeNetStep queued(device, "bayesian_bits", size.batch, size.batches, /*capture=*/false);
  LeNetStep plain(device, "float", size.batch, size.batches);
  BareProducts products(device, size.batch);
  const int steps = size.steps;
  const auto times = TakeTurns({{"LeNet-5 Bayesian Bits step, replayed", [&] { replayed.Run(steps); }, steps},
                                {"the same, kernel by kernel", [&] { queued.Run(steps); }, steps},
                                {"LeNet-5 float step, replayed", [&] { plain.Run(steps); }, steps},
                                {"its convolutions and products alone, replayed", [&] { products.Run(steps); }, steps}},
                               turns);
  replayed.CheckReplayed();
  plain.CheckReplayed();
  const auto row = [&](int measured, int baseline) {
    return Row{times[measured].name, times[baseline].name, times[measured].milliseconds, times[baseline].milliseconds};
  };
  std::vector<Row> rows = {row(0, 3), row(0, 2), row(0, 1), row(2, 3)};
  rows[0].allowed_ms = 0.4;
  return rows;
}

}  // namespace bitgate::bench
