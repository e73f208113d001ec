// A number as an argument: what float() takes, but for tensors, which would drop out of what is recorded unseen.
#ifndef BITGATE_API_PYTHON_BINDINGS_NUMBER_H_
#define BITGATE_API_PYTHON_BINDINGS_NUMBER_H_

#include <pybind11/pybind11.h>

#include "api/common/autograd.h"

namespace bitgate::python {

struct Number {
  double value;
};

}  // namespace bitgate::python

template <>
struct pybind11::detail::type_caster<bitgate::python::Number> {
  PYBIND11_TYPE_CASTER(bitgate::python::Number, const_name("float"));
  bool load(handle source, bool convert) {
    if (isinstance<bitgate::api::Variable>(source)) return false;
    type_caster<double> number;
    if (!number.load(source, convert)) return false;
    value.value = static_cast<double>(number);
    return true;
  }
};

#endif  // BITGATE_API_PYTHON_BINDINGS_NUMBER_H_
