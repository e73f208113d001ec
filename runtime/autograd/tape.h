// Reverse-mode automatic differentiation over eagerly executed ops.
//
//     Tape tape;
//     tape.Watch(weight);                              // a leaf
//     { Recording recording(context, tape);
//       loss = ...ops on weight...; }
//     tape.Backward(context, loss);                    // d loss / d leaf
//     Tensor gradient = tape.Gradient(weight);
//
// Gradient policy, for the whole library: the first gradient that reaches a value is assigned, later ones are added in
// the reverse of recording order, so sums are reproducible. Gradients of values that are not leaves are dropped as soon
// as they have been passed on.
#ifndef BITGATE_RUNTIME_AUTOGRAD_TAPE_H_
#define BITGATE_RUNTIME_AUTOGRAD_TAPE_H_

#include <functional>
#include <utility>
#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Where an op's backward function delivers the gradients of its inputs, numbered as they were given to RecordOp.
class GradientSink {
 public:
  // Whether input i wants a gradient; work for one that does not may be skipped.
  bool Needs(int input) const { return inputs_[input] >= 0; }
  // Delivers d loss / d input i, of the input's shape. Ignored when not needed. The tape may keep the tensor.
  void Set(int input, const Tensor& gradient);
  // Whether the output's gradient is that of the loss itself: 1, known without looking.
  bool unit() const { return unit_; }
  // A tensor of input i's shape for its gradient to be written to and given to Set. Where the input is a slice that
  // nothing has reached yet, this is its place in the gradient of the whole, and no copy follows.
  Tensor Target(int input, const Shape& shape);

 private:
  friend class Tape;
  GradientSink(Context& context, Tape& tape, const std::vector<int32_t>& inputs, bool unit)
      : context_(context), tape_(tape), inputs_(inputs), unit_(unit) {}

  Context& context_;
  Tape& tape_;
  const std::vector<int32_t>& inputs_;
  bool unit_;
};

// Computes the gradients of an op's inputs from that of its output (same shape as the output, contiguous).
using BackwardFunction = std::function<void(Context& context, const Tensor& grad_output, GradientSink& sink)>;

class Tape {
 public:
  Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // Makes `tensor` a leaf: its gradient is kept.
  void Watch(Tensor& tensor);

  // Walks back from `loss`, which must have one element and have been recorded here; then forgets the recorded ops (and
  // what they saved), keeping the leaves' gradients. Throws InvalidArgument for any other loss.
  void Backward(Context& context, const Tensor& loss);

  // The gradient of a leaf after Backward; undefined when the loss does not depend on it.
  Tensor Gradient(const Tensor& leaf) const;

  // Forgets everything, leaves included.
  void Clear();

 private:
  friend class GradientSink;
  friend void RecordOp(Context&, std::initializer_list<const Tensor*>, Tensor&, BackwardFunction);
  friend bool IsRecording(const Context&, std::initializer_list<const Tensor*>);
  friend void RecordSlice(Context&, const Tensor&, Tensor&, int64_t);

  struct Entry {
    std::vector<int32_t> inputs;  // slots; -1 for a constant
    int32_t output;
    BackwardFunction backward;
  };
  struct Slot {
    Tensor gradient;
    bool leaf = false;
    bool owned = false;     // made by the tape, so it may be added into
    bool promised = false;  // Target has handed it out to be written
    // Of a slice: the slot of the whole, and where in it.
    int32_t whole = -1;
    Shape whole_shape;
    int64_t offset = 0;
    // Of a whole: elements [first, second) of its gradient that have been reached; none where all have.
    std::vector<std::pair<int64_t, int64_t>> reached;
  };

  int32_t NewSlot(bool leaf);
  // A tensor's gradient id is a slot and the serial of the recording it belongs to: values of another tape, or from
  // before Clear, are constants here. SlotOf gives -1 for those.
  int64_t IdOf(int32_t slot) const { return serial_ << 32 | slot; }
  int32_t SlotOf(const Tensor& tensor) const;
  void Accumulate(Context& context, int32_t id, const Tensor& gradient);
  // The gradient of slice `id`, into that of the whole.
  void AccumulateSlice(Context& context, int32_t id, const Tensor& gradient);
  Tensor Target(Context& context, int32_t id, const Shape& shape);
  // Elements [slice.offset, + size) of the whole's gradient, as a flat view.
  Tensor PlaceOf(Context& context, const Slot& slice, int64_t size);

  Tensor one_;      // the gradient of every loss; made by the first Backward
  int64_t serial_;  // unique among all tapes and their clearings in the process
  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
};

// Makes ops on `context` record on `tape` while it lives. Nests.
class Recording {
 public:
  Recording(Context& context, Tape& tape) : context_(context), previous_(context.tape()) { context.set_tape(&tape); }
  ~Recording() { context_.set_tape(previous_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  Context& context_;
  Tape* previous_;
};

// For ops: records that `output` came from `inputs` (undefined ones allowed), when a tape is recording and an input is
// on it. Otherwise does nothing, and `backward` with all it captured is dropped.
void RecordOp(Context& context, std::initializer_list<const Tensor*> inputs, Tensor& output, BackwardFunction backward);

// The same for `slice`, a view of `slice.size()` elements from `offset` of `whole`, which is contiguous. The gradients
// of all slices of a value meet in one buffer.
void RecordSlice(Context& context, const Tensor& whole, Tensor& slice, int64_t offset);

// Whether RecordOp would record: lets an op skip saving what only its backward needs.
bool IsRecording(const Context& context, std::initializer_list<const Tensor*> inputs);

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_AUTOGRAD_TAPE_H_
