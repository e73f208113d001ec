// What replays of single ops share: tensors of a file in our layout, and gates of one quantizer.
#ifndef BITGATE_TESTS_GOLDEN_GOLDEN_OPS_H_
#define BITGATE_TESTS_GOLDEN_GOLDEN_OPS_H_

#include <memory>
#include <string>
#include <vector>

#include "ops/quant/gates/gate_layout.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"
#include "tests/golden/golden_file.h"

namespace bitgate::golden {

// A tensor of the file: NCHW as NHWC, and OIHW as OHWI; other ranks as they are.
Tensor ReadChannelsLast(Context& context, const GoldenFile& file, const std::string& name);

// The loss whose gradient by y is `grad_y`. Recorded.
Tensor LossWithGradient(Context& context, const Tensor& y, const Tensor& grad_y);

std::vector<float> Concatenate(std::vector<float> a, const std::vector<float>& b);

// One quantizer: `channels` gates of channels (0: none), then four levels; costs of bits times `macs_share`.
std::shared_ptr<GateLayout> OneSite(int64_t channels, double macs_share);

// The file holds noise for the channels and for the levels up to the cut; the others draw none.
Tensor ReadNoise(Context& context, const GoldenFile& file, const std::string& name, int64_t parameters);

}  // namespace bitgate::golden

#endif  // BITGATE_TESTS_GOLDEN_GOLDEN_OPS_H_
