// A training loop of one's own, op by op: the network's forward pass, a loss, backward, Adam on every parameter.
#include <bitgate.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

void Check(bg_status status) {
  if (status == BG_STATUS_OK) return;
  std::fprintf(stderr, "own_loop: %s: %s\n", bg_status_name(status), bg_last_error_message());
  std::exit(1);
}

struct Free {
  void operator()(bg_context* handle) const { bg_context_free(handle); }
  void operator()(bg_tensor* handle) const { bg_tensor_free(handle); }
  void operator()(bg_config* handle) const { bg_config_free(handle); }
  void operator()(bg_model* handle) const { bg_model_free(handle); }
};
template <class Handle>
using Owned = std::unique_ptr<Handle, Free>;

// Calls `make` with a place for a handle, and owns what it puts there.
template <class Handle, class Make>
Owned<Handle> Create(const Make& make) {
  Handle* handle = nullptr;
  Check(make(&handle));
  return Owned<Handle>(handle);
}

constexpr char kConfig[] = R"(
  network { graph {
    name: "two_layers"
    input { shape: [16] }
    node { name: "fc1"  kind: "linear" input: "input" attributes { channels: 32 } }
    node { name: "relu" kind: "relu"   input: "fc1" }
    node { name: "fc2"  kind: "linear" input: "relu" attributes { channels: 2 } }
  } }
  quantizer { mu: 0.001 }
)";

constexpr int64_t kBatch = 64, kFeatures = 16;

// A parameter with what Adam remembers of it.
struct Learned {
  std::string name;
  Owned<bg_tensor> value, first, second;
};

std::vector<Learned> ParametersOf(bg_model* model, bg_context* context) {
  std::vector<Learned> parameters;
  int32_t count = 0;
  Check(bg_model_parameter_count(model, &count));
  for (int32_t i = 0; i < count; ++i) {
    Learned learned;
    const char* name = nullptr;
    learned.value = Create<bg_tensor>([&](bg_tensor** out) { return bg_model_parameter(model, i, &name, out); });
    learned.name = name;
    int64_t size = 0;
    Check(bg_tensor_size(learned.value.get(), &size));
    const auto zeros = [&](bg_tensor** out) { return bg_tensor_create(context, BG_FLOAT32, 1, &size, nullptr, out); };
    learned.first = Create<bg_tensor>(zeros);
    learned.second = Create<bg_tensor>(zeros);
    parameters.push_back(std::move(learned));
  }
  return parameters;
}

void Update(bg_context* context, const Learned& parameter, int64_t step) {
  const auto gradient =
      Create<bg_tensor>([&](bg_tensor** out) { return bg_tensor_gradient(parameter.value.get(), out); });
  if (gradient == nullptr) return;  // the loss does not depend on it
  bg_adam_params adam = {};
  adam.struct_size = sizeof adam;
  adam.learning_rate = 0.01;
  adam.step = step;
  Check(bg_adam_step(context, parameter.value.get(), gradient.get(), parameter.first.get(), parameter.second.get(),
                     &adam));
  Check(bg_tensor_clear_gradient(parameter.value.get()));
}

}  // namespace

int main() {
  Check(bg_check_abi(BG_ABI_VERSION));
  const auto context = Create<bg_context>([](bg_context** out) { return bg_context_create("cpu", out); });
  const auto config =
      Create<bg_config>([](bg_config** out) { return bg_config_create_from_text(kConfig, "own_loop", out); });
  const auto model = Create<bg_model>([&](bg_model** out) { return bg_model_create(config.get(), "cpu", out); });
  const std::vector<Learned> parameters = ParametersOf(model.get(), context.get());

  std::mt19937 random(1);
  float first_loss = 0, loss_value = 0;
  for (int step = 1; step <= 200; ++step) {
    // The class is whether the first half of the features outweighs the second.
    std::vector<float> features(kBatch * kFeatures);
    std::vector<int32_t> labels(kBatch);
    for (int64_t i = 0; i < kBatch; ++i) {
      float balance = 0;
      for (int64_t k = 0; k < kFeatures; ++k) {
        const float value = static_cast<float>(random() % 1000) / 1000;
        features[i * kFeatures + k] = value;
        balance += k < kFeatures / 2 ? value : -value;
      }
      labels[i] = balance > 0 ? 1 : 0;
    }
    const int64_t image_dims[] = {kBatch, kFeatures}, label_dims[] = {kBatch};
    const auto x = Create<bg_tensor>([&](bg_tensor** out) {
      return bg_tensor_create(context.get(), BG_FLOAT32, 2, image_dims, features.data(), out);
    });
    const auto y = Create<bg_tensor>(
        [&](bg_tensor** out) { return bg_tensor_create(context.get(), BG_INT32, 1, label_dims, labels.data(), out); });

    bg_tensor *logits = nullptr, *penalty = nullptr;
    Check(bg_model_forward(model.get(), context.get(), x.get(), 1, static_cast<uint64_t>(step), &logits, &penalty));
    const Owned<bg_tensor> owned_logits(logits), owned_penalty(penalty);
    const auto loss = Create<bg_tensor>(
        [&](bg_tensor** out) { return bg_softmax_cross_entropy(context.get(), logits, y.get(), out); });
    const auto objective =
        Create<bg_tensor>([&](bg_tensor** out) { return bg_add(context.get(), loss.get(), penalty, out); });
    Check(bg_backward(context.get(), objective.get()));
    for (const Learned& parameter : parameters) Update(context.get(), parameter, step);

    Check(bg_tensor_copy_to(loss.get(), &loss_value, sizeof loss_value));
    if (step == 1) first_loss = loss_value;
    if (step == 1 || step % 50 == 0) std::printf("step %3d  loss %.4f\n", step, loss_value);
  }
  return loss_value < first_loss ? 0 : 1;
}
