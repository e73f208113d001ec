// How every op of the C interface runs: pointers checked, handles held, recorded, the result handed out.
#ifndef BITGATE_API_C_RUN_OP_H_
#define BITGATE_API_C_RUN_OP_H_

#include <initializer_list>
#include <memory>
#include <vector>

#include "api/c/handles.h"

namespace bitgate::c {

struct Operand {
  const char* name;
  bg_tensor* tensor;
  bool optional = false;  // may be null: an undefined tensor for the op
};

using Tensors = std::vector<Tensor>;

// The operands of a call and its context, held while this lives.
class OpCall {
 public:
  OpCall(const char* function, bg_context* context, std::initializer_list<Operand> operands)
      : session_(Require(function, "context", context).session), hold_(function, Variables(function, operands)) {}

  Context& context() { return session_->context(); }
  // Runs op(context, operands) recorded, and returns its result.
  template <class Op>
  api::VariablePtr Record(const Op& op) {
    return session_->Record([&] { return op(context(), Operands()); });
  }
  // The operands where nothing is recorded.
  Tensors Values() const {
    Tensors values;
    for (const api::VariablePtr& variable : variables_) values.push_back(variable ? variable->value : Tensor());
    return values;
  }

 private:
  std::vector<api::Exclusive*> Variables(const char* function, std::initializer_list<Operand> operands) {
    std::vector<api::Exclusive*> exclusives = {&session_->exclusive};
    for (const Operand& operand : operands) {
      if (!operand.optional) Require(function, operand.name, operand.tensor);
      variables_.push_back(operand.tensor == nullptr ? nullptr : operand.tensor->variable);
      exclusives.push_back(variables_.back() == nullptr ? nullptr : &variables_.back()->exclusive);
    }
    return exclusives;
  }
  Tensors Operands() {
    Tensors tensors;
    for (const api::VariablePtr& variable : variables_) tensors.push_back(session_->Operand(variable));
    return tensors;
  }

  std::shared_ptr<api::Session> session_;
  std::vector<api::VariablePtr> variables_;
  api::Hold hold_;
};

// A whole function of the interface: op(Context&, const Tensors&) -> Tensor. `result` is what the header calls *y.
template <class Op>
bg_status RunOp(const char* function, bg_context* context, std::initializer_list<Operand> operands, bg_tensor** y,
                const Op& op, const char* result = "y") {
  return Guard([&] {
    OpCall call(function, context, operands);
    Require(function, result, y);
    *y = NewTensor(call.Record(op));
  });
}

}  // namespace bitgate::c

#endif  // BITGATE_API_C_RUN_OP_H_
