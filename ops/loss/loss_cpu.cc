#include <algorithm>

#include "ops/loss/loss_kernels.h"
#include "ops/loss/loss_math.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace cpu {
namespace {

constexpr int64_t kGrain = 2048;  // logits worth a thread

// Returns the row's loss; writes its gradient unless null.
double CrossEntropyRow(const float* logits, int64_t classes, int32_t label, double scale, float* grad) {
  const double maximum = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += ShiftedExp(logits[c], maximum);
  if (grad != nullptr) {
    for (int64_t c = 0; c < classes; ++c) grad[c] = CrossEntropyGradient(logits[c], maximum, sum, c == label, scale);
  }
  return CrossEntropyLoss(logits[label], maximum, sum);
}

}  // namespace

void SoftmaxCrossEntropy(KernelContext& context, View loss, View grad_logits, ConstView logits, ConstView labels) {
  const int64_t rows = logits.shape[0], classes = logits.shape[1];
  double* losses = static_cast<double*>(context.workspace.Get(sizeof(double) * rows));
  ParallelFor(rows, 1 + kGrain / classes, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* grad = grad_logits.data == nullptr ? nullptr : grad_logits.As() + r * classes;
      losses[r] = CrossEntropyRow(logits.As() + r * classes, classes, labels.As<int32_t>()[r], 1.0 / rows, grad);
    }
  });
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) sum += losses[r];
  loss.As()[0] = static_cast<float>(sum / rows);
}

void CountCorrect(KernelContext&, View count, ConstView logits, ConstView labels) {
  const int64_t rows = logits.shape[0], classes = logits.shape[1];
  int32_t correct = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = logits.As() + r * classes;
    correct += std::max_element(row, row + classes) - row == labels.As<int32_t>()[r];
  }
  count.As<int32_t>()[0] = correct;
}

}  // namespace cpu
}  // namespace bitgate
