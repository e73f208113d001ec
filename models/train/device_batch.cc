#include "models/train/device_batch.h"

#include "runtime/tensor/copy.h"

namespace bitgate {

float ScalarOf(Context& context, const Tensor& tensor) { return ToHost<float>(context, tensor).at(0); }

}  // namespace bitgate
