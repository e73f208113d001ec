// bb_bn_fold_*: a 3 x 3 convolution with batch norm folded into its quantized weight, ReLU, and both quantizers; with
// statistics of the batch, and frozen.
#include <cmath>

#include "ops/conv/conv.h"
#include "ops/elementwise/reshape.h"
#include "ops/norm/folded_norm.h"
#include "ops/norm/norm.h"
#include "ops/quant/bayesian_bits/bayesian_bits.h"
#include "ops/quant/gates/gates.h"
#include "runtime/autograd/tape.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_ops.h"

namespace bitgate::golden {
namespace {

constexpr double kElements = 16, kSums = 512, kRange = 2;  // what to agree to, in eps

// One quantizer of the file: parameters, and what its gradient by the range cancels from.
struct Quantizer {
  std::string name;  // "weight", "activation"
  int64_t channels;  // 0: no channel gates
  bool is_signed;
  Tensor range, phi, gates;
  double magnitude = 0;  // sum |G|, G = the result's gradient * z2

  Quantizer(Context& context, const GoldenFile& file, std::string of, bool is_signed)
      : name(std::move(of)), channels(0), is_signed(is_signed) {
    const std::string prefix = name + "_quantizer.";
    std::vector<float> channel_phi;
    if (file.Has(prefix + "phi_2")) channel_phi = file.Floats(prefix + "phi_2");
    channels = static_cast<int64_t>(channel_phi.size());
    range = FromHost(context, file.Floats(prefix + "beta"), {1});
    phi = FromHost(context, Concatenate(channel_phi, file.Floats(prefix + "phi")), {channels + 4});
  }

  Tensor Run(Context& context, const GoldenFile& file, const Tensor& x) {
    const Tensor noise = ReadNoise(context, file, "u_" + name, channels + 4);
    gates = Gates(context, phi, noise, GateMode::kStochastic, OneSite(channels, 1.0));
    const Tensor y = BayesianBits(context, x, range, Slice(context, gates, channels, channels + 4),
                                  channels > 0 ? Slice(context, gates, 0, channels) : Tensor(), is_signed);
    Tensor watched = y.Detached();
    RecordOp(context, {&y}, watched, [this](Context& context, const Tensor& grad_y, GradientSink& sink) {
      const auto g = ToHost<float>(context, grad_y), z = ToHost<float>(context, gates);
      for (size_t i = 0; i < g.size(); ++i) {
        magnitude += std::fabs(g[i] * (channels > 0 ? z[i / (g.size() / channels)] : 1.0f));
      }
      sink.Set(0, grad_y);
    });
    return watched;
  }

  void Check(Context& context, const GoldenFile& file, const Tape& tape, Comparison* comparison) const {
    const std::string of_file = "grad_" + name + "_quantizer.";
    const auto grad_phi = ToHost<float>(context, tape.Gradient(phi));
    const auto split = grad_phi.begin() + channels;
    comparison->Check("grad_range_" + name, ToHost<float>(context, tape.Gradient(range)), file.Floats(of_file + "beta"),
                      kRange, magnitude);
    comparison->Check("grad_phi_" + name, std::vector<float>(split, grad_phi.end()), file.Floats(of_file + "phi"),
                      kSums);
    if (channels == 0) return;
    comparison->Check("grad_phi_2", std::vector<float>(grad_phi.begin(), split), file.Floats(of_file + "phi_2"), kSums);
  }
};

struct Layer {
  Tensor x, weight, gamma, beta, running_mean, running_variance;

  Layer(Context& context, const GoldenFile& file)
      : x(ReadChannelsLast(context, file, "x")),
        weight(ReadChannelsLast(context, file, "weight")),
        gamma(ReadChannelsLast(context, file, "bn_gamma")),
        beta(ReadChannelsLast(context, file, "bn_beta")),
        running_mean(ReadChannelsLast(context, file, "running_mean")),
        running_variance(ReadChannelsLast(context, file, "running_var")) {}
};

Tensor Forward(Context& context, const GoldenFile& file, const Layer& layer, Quantizer* weights, Quantizer* result) {
  const float epsilon = static_cast<float>(file.Number("eps"));
  const int64_t padding = static_cast<int64_t>(file.Number("padding"));
  const Conv2dParams conv{{1, 1}, {padding, padding}};
  const Tensor gain = FoldedGain(context, layer.gamma, layer.running_variance, epsilon);
  const Tensor quantized = weights->Run(context, file, ScaleRows(context, layer.weight, gain));
  if (file.Number("frozen") != 0) {
    Conv2dParams with_relu = conv;
    with_relu.activation = Activation::kRelu;
    const Tensor shift =
        FoldedShift(context, layer.gamma, layer.beta, layer.running_mean, layer.running_variance, epsilon);
    return result->Run(context, file, Conv2d(context, layer.x, quantized, shift, with_relu));
  }
  const Tensor unquantized = Conv2d(context, layer.x, layer.weight, {}, conv);
  const Tensor statistics = ChannelStatistics(context, unquantized);
  const Tensor y = FoldedBatchNorm(context, Conv2d(context, layer.x, quantized, {}, conv), statistics, layer.gamma,
                                   layer.beta, layer.running_variance, {epsilon, Activation::kRelu});
  const int64_t rows = unquantized.size() / layer.gamma.size();
  UpdateRunningStatistics(context, layer.running_mean, layer.running_variance, statistics, rows,
                          static_cast<float>(file.Number("momentum")));
  return result->Run(context, file, y);
}

}  // namespace

void ReplayBatchNormFold(const GoldenFile& file, Comparison* comparison) {
  testing::TestContext context;
  Layer layer(context, file);
  Quantizer weights(context, file, "weight", true), result(context, file, "activation", false);
  Tape tape;
  for (Tensor* leaf :
       {&layer.x, &layer.weight, &layer.gamma, &layer.beta, &weights.range, &weights.phi, &result.range, &result.phi}) {
    tape.Watch(*leaf);
  }
  Tensor y, loss;
  {
    Recording recording(context, tape);
    y = Forward(context, file, layer, &weights, &result);
    loss = LossWithGradient(context, y, ReadChannelsLast(context, file, "grad_y"));
  }
  tape.Backward(context, loss);
  const auto check = [&](const std::string& name, const Tensor& actual, double allowed) {
    comparison->Check(name, ToHost<float>(context, actual),
                      ToHost<float>(context, ReadChannelsLast(context, file, name)), allowed);
  };
  check("y", y, kElements);
  check("grad_x", tape.Gradient(layer.x), kElements);
  check("grad_weight", tape.Gradient(layer.weight), kSums);
  check("grad_bn_gamma", tape.Gradient(layer.gamma), kSums);
  check("grad_bn_beta", tape.Gradient(layer.beta), kSums);
  check("new_running_mean", layer.running_mean, kElements);
  check("new_running_var", layer.running_variance, kElements);
  weights.Check(context, file, tape, comparison);
  result.Check(context, file, tape, comparison);
}

}  // namespace bitgate::golden
