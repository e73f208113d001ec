#include "tools/bench/c_calls.h"

#include "ops/elementwise/elementwise.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"
#include "tools/bench/benchmarks.h"

namespace bitgate::bench {

void CheckC(bg_status status) {
  if (status != BG_STATUS_OK) throw Internal("C interface: ", bg_status_name(status), ": ", bg_last_error_message());
}

CStep::CStep(int64_t batch) : pixels_(static_cast<size_t>(batch) * 28 * 28) {
  for (size_t i = 0; i < pixels_.size(); ++i) pixels_[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
  std::vector<int32_t> labels(static_cast<size_t>(batch));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i % 10);
  const int64_t image_dims[] = {batch, 28, 28, 1}, label_dims[] = {batch};
  CheckC(bg_context_create("cpu", &context_));
  CheckC(bg_tensor_borrow(context_, BG_UINT8, 4, image_dims, pixels_.data(), nullptr, nullptr, &images_));
  CheckC(bg_tensor_create(context_, BG_INT32, 1, label_dims, labels.data(), &labels_));
  CheckC(bg_config_create_from_recipe("lenet5_mnist_bayesian_bits", &config_));
  CheckC(bg_model_create(config_, "cpu", &model_));
  CheckC(bg_trainer_create_stepper(model_, &trainer_));
}

CStep::~CStep() {
  bg_trainer_free(trainer_);
  bg_model_free(model_);
  bg_config_free(config_);
  bg_tensor_free(images_);
  bg_tensor_free(labels_);
  bg_context_free(context_);
}

std::vector<Row> SmallOpRows(int calls, int turns) {
  const std::vector<float> values(16, 1.5f);
  Context context;
  const Tensor a = FromHost(context, values, {16}), b = FromHost(context, values, {16});
  const int64_t dims[] = {16};
  bg_context* c_context = nullptr;
  bg_tensor *c_a = nullptr, *c_b = nullptr;
  CheckC(bg_context_create("cpu", &c_context));
  CheckC(bg_tensor_create(c_context, BG_FLOAT32, 1, dims, values.data(), &c_a));
  CheckC(bg_tensor_create(c_context, BG_FLOAT32, 1, dims, values.data(), &c_b));
  const auto times = TakeTurns({{"bg_add of 16 floats, " + std::to_string(calls) + " calls",
                                 [&] {
                                   for (int i = 0; i < calls; ++i) {
                                     bg_tensor* y = nullptr;
                                     CheckC(bg_add(c_context, c_a, c_b, &y));
                                     bg_tensor_free(y);
                                   }
                                 }},
                                {"Add in C++, as many calls",
                                 [&] {
                                   for (int i = 0; i < calls; ++i) Add(context, a, b);
                                 }}},
                               turns);
  bg_tensor_free(c_a);
  bg_tensor_free(c_b);
  bg_context_free(c_context);
  return {{times[0].name, times[1].name, times[0].milliseconds, times[1].milliseconds, 0, 2.0, calls}};
}

}  // namespace bitgate::bench
