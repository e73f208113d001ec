#include "runtime/autograd/tape.h"

#include <atomic>

#include "runtime/base/error.h"
#include "runtime/kernel/accumulate.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

void GradientSink::Set(int input, const Tensor& gradient) {
  if (Needs(input)) tape_.Accumulate(context_, inputs_[input], gradient);
}

Tensor GradientSink::Target(int input, const Shape& shape) {
  return Needs(input) ? tape_.Target(context_, inputs_[input], shape) : Empty(context_, shape);
}

namespace {

// Whether both are the same elements in memory.
bool IsSame(const Tensor& a, const Tensor& b) {
  return a.storage() == b.storage() && a.offset() == b.offset() && a.size() == b.size();
}

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
  slot.reached.clear();
  if (!slot.gradient.defined()) {
    slot.gradient = gradient.Detached();
    return;
  }
  if (slot.promised) {
    slot.promised = false;
    if (!IsSame(slot.gradient, gradient)) CopyInto(context, slot.gradient, gradient);
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

Tensor Tape::PlaceOf(Context& context, const Slot& slice, int64_t size) {
  Slot& whole = slots_[slice.whole];
  if (!whole.gradient.defined()) {
    whole.gradient = Zeros(context, slice.whole_shape);
  } else if (!whole.owned) {
    whole.gradient = Clone(context, whole.gradient);
  }
  whole.owned = true;
  return SliceView(ReshapeView(whole.gradient, {whole.gradient.size()}), 0, slice.offset, slice.offset + size);
}

void Tape::AccumulateSlice(Context& context, int32_t id, const Tensor& gradient) {
  const Slot& slice = slots_[id];
  const bool first = !slots_[slice.whole].gradient.defined();
  const Tensor place = PlaceOf(context, slice, gradient.size());
  if (IsSame(place, gradient)) return;
  auto& reached = slots_[slice.whole].reached;
  if (first || !reached.empty()) reached.emplace_back(slice.offset, slice.offset + gradient.size());
  Add(context, place, place, ReshapeView(gradient, {gradient.size()}));
}

// Written and not added to: so only where nothing else has been, or will find it taken.
Tensor Tape::Target(Context& context, int32_t id, const Shape& shape) {
  Slot& slice = slots_[id];
  if (slice.whole < 0 || slice.gradient.defined() || shape.size() == 0) return Empty(context, shape);
  const int64_t begin = slice.offset, end = begin + shape.size();
  Slot& whole = slots_[slice.whole];
  if (whole.gradient.defined() && whole.reached.empty()) return Empty(context, shape);
  for (const auto& [first, last] : whole.reached) {
    if (begin < last && first < end) return Empty(context, shape);
  }
  whole.reached.emplace_back(begin, end);
  slice.gradient = ReshapeView(PlaceOf(context, slice, shape.size()), shape);
  slice.owned = slice.promised = true;
  return slice.gradient;
}

void Tape::Backward(Context& context, const Tensor& loss) {
  const int32_t id = SlotOf(loss);
  if (loss.size() != 1 || id < 0) {
    throw InvalidArgument("backward: expected a loss of one element recorded on this tape, got shape ", loss.shape());
  }
  for (Slot& slot : slots_) {
    slot.gradient = Tensor();
    slot.owned = slot.promised = false;
    slot.reached.clear();
  }
  if (!one_.defined() || one_.device() != context.device()) one_ = FromHost<float>(context, {1.0f}, {1});
  slots_[id].gradient = ReshapeView(one_, loss.shape());
  while (!entries_.empty()) {
    const Entry entry = std::move(entries_.back());
    entries_.pop_back();
    Slot& output = slots_[entry.output];
    if (!output.gradient.defined()) continue;
    const Tensor grad_output = output.gradient;
    if (!output.leaf) output.gradient = Tensor();
    GradientSink sink(context, *this, entry.inputs, grad_output.storage() == one_.storage());
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

void RecordSlice(Context& context, const Tensor& whole, Tensor& slice, int64_t offset) {
  if (!IsRecording(context, {&whole})) return;
  Tape& tape = *context.tape();
  const int32_t id = static_cast<int32_t>(tape.slots_.size());  // that RecordOp is about to give
  RecordOp(context, {&whole}, slice, [&tape, id](Context& context, const Tensor& gradient, GradientSink&) {
    tape.AccumulateSlice(context, id, gradient);
  });
  Tape::Slot& slot = tape.slots_[id];
  slot.whole = tape.SlotOf(whole);
  slot.whole_shape = whole.shape();
  slot.offset = offset;
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
