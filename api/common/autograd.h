// Autograd as front doors show it: tensors that want a gradient, ops that record by themselves, backward, gradients
// that add up until they are cleared. On top of the runtime's tape, which is explicit.
#ifndef BITGATE_API_COMMON_AUTOGRAD_H_
#define BITGATE_API_COMMON_AUTOGRAD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/common/devices.h"
#include "api/common/exclusive.h"
#include "models/nn/network.h"
#include "models/quantized/parameter.h"
#include "runtime/autograd/tape.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate::api {

// A tensor that somebody outside holds. One thread at a time.
struct Variable {
  Tensor value;
  bool requires_grad = false;            // a leaf: backward adds to `gradient`
  Tensor gradient;                       // of the value's shape; undefined until a backward reached the leaf
  std::shared_ptr<const void> recorded;  // an op's result on a tape: keeps the tape's ops alive
  Exclusive exclusive;
};
using VariablePtr = std::shared_ptr<Variable>;

// One that wants no gradient and is no op's recorded result.
inline VariablePtr NewVariable(const Tensor& value) {
  auto variable = std::make_shared<Variable>();
  variable->value = value;
  return variable;
}

// A parameter of a network as a leaf; it shares the parameter's storage.
struct ParameterVariable {
  std::string name;
  VariablePtr variable;
};

// A device, and what has been recorded on it since the last backward. What nobody can call backward on any more - all
// results on the tape are gone - is forgotten by itself. One thread at a time.
class Session {
 public:
  explicit Session(Device device) : context_(device) { KeepOpen(device); }

  Context& context() { return context_; }
  Exclusive exclusive;

  // Whether ops record (the default); their results are constants while they do not.
  void set_recording(bool recording) { recording_ = recording; }
  bool recording() const { return recording_; }

  // Runs `op`, which takes its operands from Operand, with the tape recording on `context` (this session's, or the one
  // that the op's network computes on), and returns what it returns.
  template <class Op>
  auto Record(Context& context, const Op& op) {
    ForgetIfUnreachable();
    if (!recording_) return op();
    const Recording recording(context, tape_);
    return op();
  }
  template <class Op>
  VariablePtr Record(const Op& op) {
    return Record(context_, [&] { return Wrap(op()); });
  }

  // Within Record. The tensor, watched if it is a leaf. An absent variable (null) is an undefined tensor.
  Tensor Operand(const VariablePtr& variable);
  // Within Record. Makes the network's parameters that are learned leaves of the tape; gradients go to `parameters`,
  // one for each of network.parameters(), in order.
  void WatchNetwork(Network& network, const std::vector<ParameterVariable>& parameters);
  // Within Record, when the network has been watched and has computed `penalty`: the same with the gradient that the
  // method gives apart (Parameter::decay). Undefined for undefined.
  Tensor WithDecay(Network& network, const std::vector<ParameterVariable>& parameters, const Tensor& penalty);
  // Within Record. A variable for a tensor that an op has just returned.
  VariablePtr Wrap(const Tensor& value);

  // Adds d loss / d leaf to the gradient of every leaf, and forgets what was recorded. Throws InvalidArgument for a
  // loss that has more than one element or was not recorded here since the last backward. On a failure no gradient
  // changes, and what was recorded is forgotten if the walk had begun. `before_leaves` is called when all gradients are
  // there and no leaf has been touched.
  void Backward(const Variable& loss, const std::function<void()>& before_leaves = {});
  // The leaves that Backward would add to, for who must keep others from them meanwhile.
  std::vector<VariablePtr> Leaves() const;
  // Forgets what was recorded.
  void Forget();

 private:
  struct Leaf {
    VariablePtr variable;
    Tensor watched;                      // the value with the tape's id
    std::optional<Parameter> rows = {};  // there: `watched` is its row
  };

  void ForgetIfUnreachable();
  void AddGradient(const Leaf& leaf, std::map<Variable*, Tensor>* sums);

  Context context_;
  Tape tape_;
  bool recording_ = true;
  std::vector<Leaf> leaves_;
  std::shared_ptr<const int> generation_ = std::make_shared<const int>(0);  // shared with every result on the tape
};

}  // namespace bitgate::api

#endif  // BITGATE_API_COMMON_AUTOGRAD_H_
