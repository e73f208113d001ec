// What module.cc puts together: each function binds one part of the library.
#ifndef BITGATE_API_PYTHON_BINDINGS_BINDINGS_H_
#define BITGATE_API_PYTHON_BINDINGS_BINDINGS_H_

#include <pybind11/pybind11.h>

#include "api/python/bindings/handle.h"

namespace bitgate::python {

using TensorClass = py::class_<api::Variable, TensorHandle>;

void BindErrors(py::module_& m);
TensorClass BindTensor(py::module_& m);
void BindTensorMath(TensorClass& tensor);
void BindDlpack(py::module_& m, TensorClass& tensor);
void BindOps(py::module_& m);
void BindQuantOps(py::module_& m);
void BindGraph(py::module_& m);
void BindConfig(py::module_& m);
void BindData(py::module_& m);
void BindModel(py::module_& m);
void BindTrainer(py::module_& m);

}  // namespace bitgate::python

#endif  // BITGATE_API_PYTHON_BINDINGS_BINDINGS_H_
