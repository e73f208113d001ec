// The extension module bitgate._core: the library as C++ has it, in Python's words. What users meet is the package
// around it (api/python/bitgate).
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "api/python/bindings/bindings.h"
#include "models/jobs/version.h"
#include "runtime/base/thread_pool.h"
#include "runtime/device/device.h"

namespace bitgate::python {
namespace {

void BindLibrary(py::module_& m) {
  m.attr("version") = jobs::kVersion;
  m.def(
      "describe",
      [](const std::optional<std::string>& device) {
        const Entry entry;
        const std::optional<Device> parsed = device ? std::make_optional(ParseDevice(*device)) : std::nullopt;
        const Unlocked unlocked;
        return jobs::ToJson(jobs::Version(parsed));
      },
      py::arg("device"), "JSON: version, processor, instruction sets in use, threads, libraries; what the device is.");
  m.def("set_threads", SetThreads, py::arg("threads"), R"(How many threads loops use from now on, in the whole process.

1 to 1024, else ValueError. Results are reproducible for one number of threads.)");
  m.def("get_threads", Threads, "What set_threads() said, or what the process may use.");
  m.def("stop_at_exit", StopAtExit, "Stops long calls of other threads and waits for them; for atexit.");
}

}  // namespace
}  // namespace bitgate::python

PYBIND11_MODULE(_core, m) {
  using namespace bitgate::python;
  m.doc() = "The C++ library. Use the package bitgate.";
  py::module_ ops = m.def_submodule("ops", "Differentiable operations.");
  BindErrors(m);
  TensorClass tensor = BindTensor(m);
  BindDlpack(m, tensor);
  BindOps(m);
  BindQuantOps(m);
  BindLibrary(m);
  BindGraph(m);
  BindConfig(m);
  BindData(m);
  BindModel(m);
  BindTrainer(m);
}
