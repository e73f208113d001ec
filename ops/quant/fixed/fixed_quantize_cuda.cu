#include "ops/quant/fixed/fixed_math.h"
#include "ops/quant/fixed/fixed_quantize_kernels.h"
#include "runtime/kernel/cuda_map.h"

namespace bitgate {
namespace cuda {
namespace {

// The range and what is kept are read on the device; the quantizer itself is frozen.
struct Parameters {
  const float* range;
  const float* keep;
  FixedQuantizer quantizer;

  __device__ FixedElement<float> Element() const {
    return MakeFixedElement<float>(quantizer, *range, 1.0f, [](float value) { return value; });
  }
  __device__ FixedElement<float> InRow(FixedElement<float> p, int64_t row) const {
    p.keep = keep == nullptr ? 1.0f : keep[row];
    return p;
  }
};

template <bool kClipOnly>
struct ForwardElements {
  const Parameters& parameters;
  FixedElement<float> element;

  __device__ auto Row(int64_t row) const {
    return [p = parameters.InRow(element, row)](float x) { return kClipOnly ? ClipForward(x, p) : FixedForward(x, p); };
  }
};

struct ForwardOp {
  Parameters parameters;

  template <class Body>
  __device__ void Prepare(const Body& body) const {
    if (parameters.quantizer.clip_only) {
      body(ForwardElements<true>{parameters, parameters.Element()});
    } else {
      body(ForwardElements<false>{parameters, parameters.Element()});
    }
  }
};

template <bool kClipOnly>
struct BackwardElements {
  static constexpr int kSums = 1;

  const Parameters& parameters;
  FixedElement<float> element;
  float* grad_range;

  __device__ auto Row(int64_t row) const {
    return [p = parameters.InRow(element, row)](float* sums, float x, float grad) {
      return kClipOnly ? ClipBackward(x, grad, p, sums) : FixedBackward(x, grad, p, sums);
    };
  }

  __device__ void Finish(const double* totals) const {
    *grad_range = FinishFixedGrad(parameters.quantizer, *parameters.range, totals[0]);
  }
};

struct BackwardOp {
  static constexpr int kMaxSums = 1;
  static constexpr int kRowSum = -1;

  Parameters parameters;
  float* grad_range;

  template <class Body>
  __device__ void Prepare(const Body& body) const {
    if (parameters.quantizer.clip_only) {
      body(BackwardElements<true>{parameters, parameters.Element(), grad_range});
    } else {
      body(BackwardElements<false>{parameters, parameters.Element(), grad_range});
    }
  }
};

}  // namespace

void FixedQuantizeForward(KernelContext& context, View y, const FixedInputs& in, const FixedQuantizer& quantizer) {
  const ForwardOp op{{in.range.As(), in.keep.As(), quantizer}};
  LaunchMapRows(context.stream, in.rows, in.elements, op, y.As(), in.x.As());
}

void FixedQuantizeBackward(KernelContext& context, View grad_x, View grad_range, ConstView grad_y,
                           const FixedInputs& in, const FixedQuantizer& quantizer) {
  const BackwardOp op{{in.range.As(), in.keep.As(), quantizer}, grad_range.As()};
  LaunchMapReduce(context, in.rows, in.elements, op, nullptr, grad_x.As(), in.x.As(), grad_y.As());
}

}  // namespace cuda
}  // namespace bitgate
