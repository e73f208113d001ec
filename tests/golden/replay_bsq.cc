// bsq_*: bit planes to weights in a layer, their gradients and group lasso; from float, adjustment; activations.
#include "ops/conv/conv.h"
#include "ops/linalg/linalg.h"
#include "ops/quant/bsq/bsq_activation.h"
#include "ops/quant/bsq/bsq_group_lasso.h"
#include "ops/quant/bsq/bsq_layer.h"
#include "ops/quant/bsq/bsq_weight.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_ops.h"

namespace bitgate::golden {
namespace {

constexpr double kElements = 16, kSums = 512, kScale = 2;  // what to agree to, in eps

bool IsActivation(const GoldenFile& file) { return !file.Has("scale"); }
bool IsAdjustment(const GoldenFile& file) { return file.Has("adjusted_scale"); }
bool IsFromFloat(const GoldenFile& file) { return file.Has("weight"); }

// The weight's shape in our layout: a file's planes have the bits as a last axis.
Shape WeightShape(const GoldenFile& file) {
  const Shape s = file.ShapeOf("positive_bits");
  return s.rank() == 5 ? Shape{s[0], s[2], s[3], s[1]} : Shape{s[0], s[1]};
}

// [weights..., bits] of a file as our rows [bits, weights], for weights in our layout.
std::vector<float> Rows(Context& context, const GoldenFile& file, const std::string& name) {
  const Tensor planes = FromHost(context, file.Floats(name), file.ShapeOf(name));
  const bool conv = planes.shape().rank() == 5;
  return ToHost<float>(context, conv ? PermuteView(planes, {4, 0, 2, 3, 1}) : PermuteView(planes, {2, 0, 1}));
}

std::vector<float> Planes(Context& context, const GoldenFile& file, const std::string& prefix = "") {
  std::vector<float> planes = Rows(context, file, prefix + "positive_bits");
  const std::vector<float> negative = Rows(context, file, prefix + "negative_bits");
  planes.insert(planes.end(), negative.begin(), negative.end());
  return planes;
}

BsqLayer Layer(Context& context, const GoldenFile& file) {
  const int bits = static_cast<int>(file.Number("bits"));
  const Shape shape{2 * bits, WeightShape(file).size()};
  return {FromHost(context, Planes(context, file), shape), FromHost(context, file.Floats("scale"), {1}), bits};
}

// The gradient of each row: the shared one times its gain.
std::vector<float> RowGradients(Context& context, const Tensor& shared, int bits) {
  std::vector<float> gradients;
  const auto values = ToHost<float>(context, shared);
  for (const float gain : BsqGains(bits)) {
    for (const float value : values) gradients.push_back(gain * value);
  }
  return gradients;
}

void CheckLasso(Context& context, const GoldenFile& file, const BsqLayer& layer, Comparison* comparison) {
  const int64_t elements = layer.planes.shape()[1];
  const BsqLasso lasso = BsqGroupLasso(context, layer.planes, layer.bits, static_cast<double>(elements * layer.bits));
  comparison->Check("group_lasso", ToHost<float>(context, lasso.penalty), file.Floats("group_lasso"), kElements);
  std::vector<float> grad = ToHost<float>(context, layer.planes);
  grad.resize(layer.bits * elements);
  const auto decay = ToHost<float>(context, lasso.decay);
  for (size_t i = 0; i < grad.size(); ++i) grad[i] *= decay[i / elements];
  comparison->Check("group_lasso_grad", grad, Rows(context, file, "group_lasso_grad_positive_bits"), kElements);
}

void CheckLayer(Context& context, const GoldenFile& file, Comparison* comparison) {
  const BsqLayer layer = Layer(context, file);
  Tensor x = ReadChannelsLast(context, file, "x"), scale = layer.scale;
  Tensor row = ReshapeView(SliceView(layer.planes, 0, 0, 1), WeightShape(file));
  Tape tape;
  tape.Watch(x), tape.Watch(row), tape.Watch(scale);
  Tensor y, loss;
  {
    Recording recording(context, tape);
    const Tensor w = BsqWeight(context, layer.planes, row, scale, layer.bits);
    y = row.shape().rank() == 4 ? Conv2d(context, x, w, {}, {{1, 1}, {1, 1}}) : Linear(context, x, w, {});
    loss = LossWithGradient(context, y, ReadChannelsLast(context, file, "grad_y"));
  }
  tape.Backward(context, loss);
  const auto expect = [&](const std::string& name) {
    return ToHost<float>(context, ReadChannelsLast(context, file, name));
  };
  comparison->Check("y", ToHost<float>(context, y), expect("y"), kElements);
  comparison->Check("grad_x", ToHost<float>(context, tape.Gradient(x)), expect("grad_x"), kElements);
  comparison->Check("grad_scale", ToHost<float>(context, tape.Gradient(scale)), file.Floats("grad_scale"), kSums);
  comparison->Check("grad_planes", RowGradients(context, tape.Gradient(row), layer.bits),
                    Planes(context, file, "grad_"), kElements);
  CheckLasso(context, file, layer, comparison);
}

void CheckResult(Context& context, const GoldenFile& file, const std::string& prefix, const BsqLayer& layer, int bits,
                 Comparison* comparison) {
  if (layer.bits != bits) throw DataLoss(prefix, ": expected ", bits, " bits, got ", layer.bits);
  comparison->Check(prefix + "planes", ToHost<float>(context, layer.planes), Planes(context, file, prefix), 0);
  comparison->Check(prefix + "scale", ToHost<float>(context, layer.scale), file.Floats(prefix + "scale"), kScale);
}

void CheckAdjustment(Context& context, const GoldenFile& file, Comparison* comparison) {
  const BsqLayer layer = Layer(context, file);
  CheckResult(context, file, "requantized_", BsqRequantize(context, layer),
              static_cast<int>(file.Number("bits_after_requantize")), comparison);
  CheckResult(context, file, "adjusted_", BsqAdjust(context, layer), static_cast<int>(file.Number("bits_after_adjust")),
              comparison);
}

void CheckFromFloat(Context& context, const GoldenFile& file, Comparison* comparison) {
  const int bits = static_cast<int>(file.Number("bits"));
  CheckResult(context, file, "", BsqFromFloat(context, ReadChannelsLast(context, file, "weight"), bits), bits,
              comparison);
}

void CheckActivation(Context& context, const GoldenFile& file, Comparison* comparison) {
  Tensor x = ReadChannelsLast(context, file, "x");
  Tensor alpha = file.Has("alpha") ? FromHost(context, file.Floats("alpha"), {1}) : Tensor();
  Tape tape;
  tape.Watch(x);
  if (alpha.defined()) tape.Watch(alpha);
  Tensor y, loss;
  {
    Recording recording(context, tape);
    y = BsqActivation(context, x, alpha, {}, static_cast<int>(file.Number("bits")));
    loss = LossWithGradient(context, y, ReadChannelsLast(context, file, "grad_y"));
  }
  tape.Backward(context, loss);
  const auto expect = [&](const std::string& name) {
    return ToHost<float>(context, ReadChannelsLast(context, file, name));
  };
  comparison->Check("y", ToHost<float>(context, y), expect("y"), kElements);
  comparison->Check("grad_x", ToHost<float>(context, tape.Gradient(x)), expect("grad_x"), kElements);
  if (!alpha.defined()) return;
  comparison->Check("grad_alpha", ToHost<float>(context, tape.Gradient(alpha)), file.Floats("grad_alpha"), kSums);
}

}  // namespace

void ReplayBsq(const GoldenFile& file, Comparison* comparison) {
  testing::TestContext context;
  if (IsActivation(file)) return CheckActivation(context, file, comparison);
  if (IsAdjustment(file)) return CheckAdjustment(context, file, comparison);
  if (IsFromFloat(file)) return CheckFromFloat(context, file, comparison);
  CheckLayer(context, file, comparison);
}

}  // namespace bitgate::golden
