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
  // A copy between two formats of a tensor; nothing when they are the same.
  static OneDnnCall Reorder(const dnnl::engine& engine, const Descriptor& from, const Descriptor& to) {
    if (from == to) return {};
    return OneDnnCall(dnnl::reorder(dnnl::reorder::primitive_desc(engine, from, engine, to)), engine,
                      {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
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

// Attributes of every primitive: scratch memory comes from the caller, and y = max(y, 0) is applied where asked for.
inline dnnl::primitive_attr CallAttributes(bool relu = false) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (relu) {
    dnnl::post_ops after;
    after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
    attributes.set_post_ops(after);
  }
  return attributes;
}

}  // namespace bitgate

#endif  // BITGATE_OPS_ONEDNN_CALL_H_
