// Operands that a oneDNN primitive wants in another format or type than ours: copies of them in the workspace.
#ifndef BITGATE_OPS_ONEDNN_COPY_H_
#define BITGATE_OPS_ONEDNN_COPY_H_

#include <cstddef>

#include "ops/onednn_call.h"
#include "runtime/device/compute.h"

namespace bitgate {

// Places in one piece of scratch memory, each as aligned as the piece is.
class ScratchLayout {
 public:
  // The offset of `bytes` more.
  size_t Add(size_t bytes) {
    constexpr size_t kAlignment = 64;
    const size_t offset = bytes_;
    bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return offset;
  }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

// The copy of one operand; none where the primitive takes ours as it is.
class OneDnnCopy {
 public:
  using Descriptor = dnnl::memory::desc;

  OneDnnCopy() = default;
  // If `scaled`, the copy is of ours times a factor.
  static OneDnnCopy OfInput(const dnnl::engine& engine, const Descriptor& ours, const Descriptor& read,
                            ScratchLayout& layout, bool scaled = false) {
    return {OneDnnCall::Reorder(engine, ours, read, scaled), read, layout};
  }
  static OneDnnCopy OfOutput(const dnnl::engine& engine, const Descriptor& written, const Descriptor& ours,
                             ScratchLayout& layout) {
    return {OneDnnCall::Reorder(engine, written, ours), written, layout};
  }

  // Where the primitive finds the operand that we have at `ours`, or leaves the one that we want there.
  void* Place(const void* ours, void* scratch) const {
    return reorder_.empty() ? const_cast<void*>(ours) : static_cast<std::byte*>(scratch) + offset_;
  }
  // Copies ours to its place, times `factor` if it is scaled.
  void* In(dnnl::stream& stream, const void* ours, void* scratch, float factor = 1) {
    reorder_.Run(stream,
                 {{DNNL_ARG_FROM, ours}, {DNNL_ARG_TO, Place(ours, scratch)}, {DNNL_ARG_ATTR_OUTPUT_SCALES, &factor}});
    return Place(ours, scratch);
  }
  // Copies what is at its place to ours.
  void Out(dnnl::stream& stream, void* ours, void* scratch) {
    reorder_.Run(stream, {{DNNL_ARG_FROM, Place(ours, scratch)}, {DNNL_ARG_TO, ours}});
  }

 private:
  OneDnnCopy(OneDnnCall reorder, const Descriptor& copy, ScratchLayout& layout) : reorder_(std::move(reorder)) {
    if (!reorder_.empty()) offset_ = layout.Add(copy.get_size());
  }

  OneDnnCall reorder_;
  size_t offset_ = 0;
};

// The type in which a product reads its operands.
inline dnnl::memory::data_type OperandType(Compute compute) {
  return compute == Compute::kBfloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

}  // namespace bitgate

#endif  // BITGATE_OPS_ONEDNN_COPY_H_
