// A oneDNN primitive with its memory objects, prepared once per shape and kept in a plan.
#ifndef BITGATE_OPS_ONEDNN_CALL_H_
#define BITGATE_OPS_ONEDNN_CALL_H_

#include <initializer_list>
#include <unordered_map>
#include <utility>

#include "runtime/device/onednn.h"

namespace bitgate {

class OneDnnCall {
 public:
  using Descriptor = dnnl::memory::desc;

  // Does nothing when run: a step that a shape does not need.
  OneDnnCall() = default;
  // `operands` pairs each DNNL_ARG_* with its memory; empty ones (an absent bias, no scratchpad) are left out.
  OneDnnCall(dnnl::primitive primitive, const dnnl::engine& engine,
             std::initializer_list<std::pair<int, Descriptor>> operands)
      : primitive_(std::move(primitive)) {
    for (const auto& [argument, descriptor] : operands) {
      if (descriptor.get_size() > 0) arguments_.emplace(argument, dnnl::memory(descriptor, engine, DNNL_MEMORY_NONE));
    }
  }
  // A copy between two formats of a tensor; nothing when they are the same. If `scaled`, of the tensor times the float
  // at DNNL_ARG_ATTR_OUTPUT_SCALES.
  static OneDnnCall Reorder(const dnnl::engine& engine, const Descriptor& from, const Descriptor& to,
                            bool scaled = false) {
    if (from == to && !scaled) return {};
    dnnl::primitive_attr attributes;
    if (scaled) attributes.set_output_scales(0, {DNNL_RUNTIME_F32_VAL});
    return OneDnnCall(
        dnnl::reorder(dnnl::reorder::primitive_desc(engine, from, engine, to, attributes)), engine,
        {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_ATTR_OUTPUT_SCALES, scaled ? OneFloat(1) : Descriptor()}});
  }
  // A tensor of a single element.
  static Descriptor OneFloat(int rank) {
    const dnnl::memory::dims ones(rank, 1);
    return Descriptor(ones, dnnl::memory::data_type::f32, ones);
  }

  bool empty() const { return arguments_.empty(); }

  // Where each operand lies this time; those left out above are ignored.
  void Run(dnnl::stream& stream, std::initializer_list<std::pair<int, const void*>> operands) {
    if (empty()) return;
    for (const auto& [argument, data] : operands) {
      const auto found = arguments_.find(argument);
      if (found != arguments_.end()) found->second.set_data_handle(const_cast<void*>(data), stream);
    }
    primitive_.execute(stream, arguments_);
  }

 private:
  dnnl::primitive primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

// What comes after the sums of a primitive, each where asked for: y = max(factor * y + bias, 0). The primitive's own
// bias would be added before the factor.
struct OneDnnFinish {
  static constexpr int kFactor = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;
  static constexpr int kBias = DNNL_ARG_ATTR_MULTIPLE_POST_OP(1) | DNNL_ARG_SRC_1;

  OneDnnCall::Descriptor factor, bias;  // as they broadcast to y; empty: none. A bias only with a factor.
  bool relu = false;
};

// Attributes of every primitive: scratch memory comes from the caller, and the sums are finished.
inline dnnl::primitive_attr CallAttributes(const OneDnnFinish& finish = {}) {
  dnnl::post_ops after;
  if (finish.factor.get_size() > 0) after.append_binary(dnnl::algorithm::binary_mul, finish.factor);
  if (finish.bias.get_size() > 0) after.append_binary(dnnl::algorithm::binary_add, finish.bias);
  if (finish.relu) after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(after);
  return attributes;
}

}  // namespace bitgate

#endif  // BITGATE_OPS_ONEDNN_CALL_H_
