// What a convolution or product may apply to its result in the same pass.
#ifndef BITGATE_OPS_ELEMENTWISE_ACTIVATION_H_
#define BITGATE_OPS_ELEMENTWISE_ACTIVATION_H_

namespace bitgate {

enum class Activation : int { kNone = 0, kRelu = 1 };

}  // namespace bitgate

#endif  // BITGATE_OPS_ELEMENTWISE_ACTIVATION_H_
