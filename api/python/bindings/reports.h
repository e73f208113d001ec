// Results of the library as what Python keeps them in.
#ifndef BITGATE_API_PYTHON_BINDINGS_REPORTS_H_
#define BITGATE_API_PYTHON_BINDINGS_REPORTS_H_

#include <pybind11/pybind11.h>

#include "models/nn/network.h"
#include "models/train/summary.h"

namespace bitgate::python {

namespace py = pybind11;

// {"sites": [{"name", "bits", "kept_channels", "channels", "changed_codes", "codes"}, ...], "notes": [...]}
py::dict FreezeDict(const FreezeReport& report);

// {"tensors": [{"name", "bits_before", "bits"}, ...], "warnings": [...]}
py::dict RequantizeDict(const RequantizeReport& report);

// With the keys of a line of the log (models/train/log.h).
py::dict EpochDict(const EpochSummary& summary);

// "gates", "fine_tune".
py::str PhaseName(Phase phase);

}  // namespace bitgate::python

#endif  // BITGATE_API_PYTHON_BINDINGS_REPORTS_H_
