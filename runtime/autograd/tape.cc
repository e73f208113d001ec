#include "runtime/autograd/tape.h"

#include <atomic>

#include "runtime/base/error.h"
#include "runtime/kernel/accumulate.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

void GradientSink::Set(int input, const Tensor& gradient) {
  if (Needs(input)) tape_.Accumulate(context_, inputs_[input], gradient);
}

void GradientSink::AddSlice(int input, const Shape& shape, int64_t offset, const Tensor& gradient) {
  if (Needs(input)) tape_.AccumulateSlice(context_, inputs_[input], shape, offset, gradient);
}

namespace {

// Only ever compared for equality, so results do not depend on it.
int64_t NextSerial() {
  static std::atomic<int64_t> next{0};
  return next++ & 0x7fffffff;
}

}  // namespace

Tape::Tape() : serial_(NextSerial()) {}

void Tape::Watch(Tensor& tensor) { tensor.set_gradient_id(IdOf(NewSlot(/*leaf=*/true))); }

int32_t Tape::SlotOf(const Tensor& tensor) const {
  const int64_t id = tensor.gradient_id();
  return id != Tensor::kNoGradient && id >> 32 == serial_ ? static_cast<int32_t>(id & 0xffffffff) : -1;
}

int32_t Tape::NewSlot(bool leaf) {
  slots_.emplace_back();
  slots_.back().leaf = leaf;
  return static_cast<int32_t>(slots_.size()) - 1;
}

void Tape::Accumulate(Context& context, int32_t id, const Tensor& gradient) {
  Slot& slot = slots_[id];
  if (!slot.gradient.defined()) {
    slot.gradient = gradient.Detached();
    return;
  }
  // The tensor held may be shared with another input's gradient, so the sum gets a buffer of its own.
  if (!slot.owned) {
    Tensor sum = Empty(context, gradient.shape());
    Add(context, sum, slot.gradient, gradient);
    slot.gradient = sum;
    slot.owned = true;
  } else {
    Add(context, slot.gradient, slot.gradient, gradient);
  }
}

void Tape::AccumulateSlice(Context& context, int32_t id, const Shape& shape, int64_t offset, const Tensor& gradient) {
  Slot& slot = slots_[id];
  if (!slot.gradient.defined()) {
    slot.gradient = Zeros(context, shape);
  } else if (!slot.owned) {
    slot.gradient = Clone(context, slot.gradient);
  }
  slot.owned = true;
  const Tensor flat = ReshapeView(slot.gradient, {slot.gradient.size()});
  const Tensor target = SliceView(flat, 0, offset, offset + gradient.size());
  Add(context, target, target, ReshapeView(gradient, {gradient.size()}));
}

void Tape::Backward(Context& context, const Tensor& loss) {
  const int32_t id = SlotOf(loss);
  if (loss.size() != 1 || id < 0) {
    throw InvalidArgument("backward: expected a loss of one element recorded on this tape, got shape ", loss.shape());
  }
  for (Slot& slot : slots_) slot = Slot{Tensor(), slot.leaf, false};
  slots_[id].gradient = FromHost<float>(context, {1.0f}, loss.shape());
  while (!entries_.empty()) {
    const Entry entry = std::move(entries_.back());
    entries_.pop_back();
    Slot& output = slots_[entry.output];
    if (!output.gradient.defined()) continue;
    const Tensor grad_output = output.gradient;
    if (!output.leaf) output.gradient = Tensor();
    GradientSink sink(context, *this, entry.inputs);
    entry.backward(context, grad_output, sink);
  }
}

Tensor Tape::Gradient(const Tensor& leaf) const {
  const int32_t id = SlotOf(leaf);
  if (id < 0 || !slots_[id].leaf) {
    throw InvalidArgument("gradient: expected a leaf watched by this tape, got a tensor of shape ", leaf.shape());
  }
  return slots_[id].gradient;
}

void Tape::Clear() {
  entries_.clear();
  slots_.clear();
  serial_ = NextSerial();
}

bool IsRecording(const Context& context, std::initializer_list<const Tensor*> inputs) {
  if (context.tape() == nullptr) return false;
  for (const Tensor* input : inputs) {
    if (context.tape()->SlotOf(*input) >= 0) return true;
  }
  return false;
}

void RecordOp(Context& context, std::initializer_list<const Tensor*> inputs, Tensor& output,
              BackwardFunction backward) {
  if (!IsRecording(context, inputs)) return;
  Tape& tape = *context.tape();
  Tape::Entry entry;
  for (const Tensor* input : inputs) entry.inputs.push_back(tape.SlotOf(*input));
  entry.output = tape.NewSlot(/*leaf=*/false);
  entry.backward = std::move(backward);
  output.set_gradient_id(tape.IdOf(entry.output));
  tape.entries_.push_back(std::move(entry));
}

}  // namespace bitgate
