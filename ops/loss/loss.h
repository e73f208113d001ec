// Classification loss and accuracy. Same bits for every instruction set and number of threads.
#ifndef BITGATE_OPS_LOSS_LOSS_H_
#define BITGATE_OPS_LOSS_LOSS_H_

#include <cstdint>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Labels outside [0, c). On the CPU they throw InvalidArgument, with index and value. A GPU's are not read to the host,
// for a training step must not wait: there such a label makes the loss and its row of the gradient NaN, and its row
// counts as not correct.

// The mean over rows of -log softmax(logits)[label], a scalar (shape []). logits float32 [n, c], labels int32 [n],
// n and c at least 1. Stable: the row's maximum is subtracted first. Gradient of logits: (softmax - one_hot) / n.
// Saves that gradient, which the forward pass has at hand.
Tensor SoftmaxCrossEntropy(Context& context, const Tensor& logits, const Tensor& labels);

// In how many rows the largest logit (of several, the first) is at the label. Same operands; n may be 0. Waits for the
// device.
int64_t CountCorrect(Context& context, const Tensor& logits, const Tensor& labels);

// The same number into `count`, int32 with one element, which is overwritten. Nothing is recorded.
void CountCorrectInto(Context& context, const Tensor& count, const Tensor& logits, const Tensor& labels);

}  // namespace bitgate

#endif  // BITGATE_OPS_LOSS_LOSS_H_
