// bb_train_* and bb_eval_*: one quantizer with its gates, gradients and regularizer.
#include <cmath>

#include "ops/elementwise/reshape.h"
#include "ops/quant/bayesian_bits/bayesian_bits.h"
#include "ops/quant/gates/gates.h"
#include "ops/quant/gates/gates_math.h"
#include "runtime/autograd/tape.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_ops.h"

namespace bitgate::golden {
namespace {

void CheckTraining(Context& context, const GoldenFile& file, const Tensor& y, Tape& tape, const Tensor& x,
                   const Tensor& range, const Tensor& phi, const Tensor& z, int64_t channels, Comparison* comparison) {
  comparison->Check("y", ToHost<float>(context, y), file.Floats("y"), 16);
  comparison->Check("grad_x", ToHost<float>(context, tape.Gradient(x)), file.Floats("grad_x"), 16);
  // Sum of |G|, G = grad * z2: what the range's gradient cancels from.
  const auto grad_y = file.Floats("grad_y"), gates = ToHost<float>(context, z);
  double magnitude = 0;
  const size_t elements = channels > 0 ? grad_y.size() / channels : grad_y.size();
  for (size_t i = 0; i < grad_y.size(); ++i) {
    magnitude += std::fabs(grad_y[i] * (channels > 0 ? gates[i / elements] : 1.0f));
  }
  comparison->Check("grad_beta", ToHost<float>(context, tape.Gradient(range)), file.Floats("grad_beta"), 2, magnitude);
  const auto grad_phi = ToHost<float>(context, tape.Gradient(phi));
  const auto split = grad_phi.begin() + channels;
  comparison->Check("grad_phi", std::vector<float>(split, grad_phi.end()), file.Floats("grad_phi"), 512);
  if (channels > 0) {
    comparison->Check("grad_phi_2", std::vector<float>(grad_phi.begin(), split), file.Floats("grad_phi_2"), 512);
  }
}

void CheckRegularizer(Context& context, const GoldenFile& file, Tensor phi, int64_t channels, Comparison* comparison) {
  const auto layout = OneSite(channels, file.Number("macs") / file.Number("max_macs"));
  Tape tape;
  tape.Watch(phi);
  Tensor penalty;
  {
    Recording recording(context, tape);
    penalty = GatePenalty(context, phi, 1.0, layout);
  }
  tape.Backward(context, penalty);
  const auto grad = ToHost<float>(context, tape.Gradient(phi));
  const auto split = grad.begin() + channels;
  comparison->Check("reg", ToHost<float>(context, penalty), file.Floats("reg"), 16);
  comparison->Check("reg_grad_phi", std::vector<float>(split, grad.end()), file.Floats("reg_grad_phi"), 512);
  if (channels > 0) {
    comparison->Check("reg_grad_phi_2", std::vector<float>(grad.begin(), split), file.Floats("reg_grad_phi_2"), 512);
  }
}

}  // namespace

void ReplayQuantizer(const GoldenFile& file, Comparison* comparison) {
  testing::TestContext context;
  const bool is_signed = file.Number("signed") != 0, training = file.Number("training") != 0;
  const int64_t channels = file.Has("phi_2") ? file.ShapeOf("phi_2")[0] : 0;
  const auto layout = OneSite(channels, 1.0);
  Tensor x = FromHost(context, file.Floats("x"), file.ShapeOf("x"));
  Tensor range = FromHost(context, file.Floats("beta"), {1});
  const auto channel_phi = channels > 0 ? file.Floats("phi_2") : std::vector<float>();
  Tensor phi = FromHost(context, Concatenate(channel_phi, file.Floats("phi")), {channels + 4});
  Tape tape;
  tape.Watch(x), tape.Watch(range), tape.Watch(phi);
  Tensor y, z, loss;
  {
    Recording recording(context, tape);
    const Tensor noise = training ? ReadNoise(context, file, "u", channels + 4) : Tensor();
    z = Gates(context, phi, noise, training ? GateMode::kStochastic : GateMode::kThreshold, layout);
    y = BayesianBits(context, x, range, Slice(context, z, channels, channels + 4),
                     channels > 0 ? Slice(context, z, 0, channels) : Tensor(), is_signed);
    loss = LossWithGradient(context, y, FromHost(context, file.Floats("grad_y"), x.shape()));
  }
  if (!training) return comparison->Check("y", ToHost<float>(context, y), file.Floats("y"), 16);
  tape.Backward(context, loss);
  CheckTraining(context, file, y, tape, x, range, phi, z, channels, comparison);
  if (file.Has("reg")) CheckRegularizer(context, file, phi.Detached(), channels, comparison);
}

}  // namespace bitgate::golden
