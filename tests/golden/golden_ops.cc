#include "tests/golden/golden_ops.h"

#include "runtime/autograd/tape.h"
#include "runtime/tensor/copy.h"

namespace bitgate::golden {

Tensor ReadChannelsLast(Context& context, const GoldenFile& file, const std::string& name) {
  const Tensor x = FromHost(context, file.Floats(name), file.ShapeOf(name));
  return x.shape().rank() == 4 ? Contiguous(context, PermuteView(x, {0, 2, 3, 1})) : x;
}

Tensor LossWithGradient(Context& context, const Tensor& y, const Tensor& grad_y) {
  Tensor loss = Zeros(context, {1});
  RecordOp(context, {&y}, loss, [grad_y](Context&, const Tensor&, GradientSink& sink) { sink.Set(0, grad_y); });
  return loss;
}

std::vector<float> Concatenate(std::vector<float> a, const std::vector<float>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::shared_ptr<GateLayout> OneSite(int64_t channels, double macs_share) {
  auto layout = std::make_shared<GateLayout>();
  GateSite site;
  site.channels = channels;
  for (int k = 0; k < 4; ++k) site.level[k] = channels + k;
  const double bits[] = {2, 4, 8, 16, 32};
  for (int i = 0; i < 5; ++i) site.cost[i] = bits[i] * macs_share;
  layout->sites.push_back(site);
  layout->parameters = channels + 4;
  return layout;
}

Tensor ReadNoise(Context& context, const GoldenFile& file, const std::string& name, int64_t parameters) {
  std::vector<float> u = file.Has(name) ? file.Floats(name) : std::vector<float>();
  u.resize(static_cast<size_t>(parameters), 0.5f);
  return FromHost(context, u, {parameters});
}

}  // namespace bitgate::golden
