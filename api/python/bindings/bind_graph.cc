// Networks as data: graphs, and what builds them.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/python/bindings/bindings.h"
#include "models/graph/builder.h"
#include "models/graph/graph.h"
#include "models/zoo/zoo.h"
#include "runtime/base/error.h"

namespace bitgate::python {
namespace {

// A name is no file: what is not there is a wrong value.
Graph FromZoo(const std::string& name) {
  try {
    return zoo::Build(name);
  } catch (const Error& error) {
    if (error.code() != absl::StatusCode::kNotFound) throw;
    throw InvalidArgument(error.what());
  }
}

py::list Nodes(const Graph& graph) {
  py::list nodes;
  for (const Node& node : graph.nodes()) {
    py::list inputs;
    for (int input : node.inputs) inputs.append(input == kNetworkInput ? graph.input_name() : graph.node(input).name);
    py::dict entry;
    entry["name"] = node.name;
    entry["kind"] = node.kind->name();
    entry["inputs"] = inputs;
    entry["shape"] = py::tuple(py::cast(node.spec.shape));
    entry["macs"] = node.spec.macs;
    nodes.append(entry);
  }
  return nodes;
}

// -- Building --------------------------------------------------------------------------------------

std::string Input(GraphBuilder& builder, const std::vector<int64_t>& shape, std::optional<double> scale,
                  const std::vector<double>& mean, const std::vector<double>& std, const std::string& name) {
  Preprocessing preprocessing;
  if (scale) preprocessing.set_scale(*scale);
  for (double value : mean) preprocessing.add_mean(value);
  for (double value : std) preprocessing.add_std(value);
  return builder.Input(shape, preprocessing, name);
}

std::string AddNode(GraphBuilder& builder, const std::string& name, const std::string& kind,
                    const std::vector<std::string>& inputs,
                    const std::map<std::string, std::vector<int64_t>>& attributes) {
  AttributeValues values;
  for (const auto& [attribute, numbers] : attributes) values.emplace_back(attribute, numbers);
  return builder.Node(name, kind, inputs, values);
}

// Absent: left in float.
void SetPrecision(TensorPrecision& precision, const std::optional<std::vector<int32_t>>& bits) {
  if (!bits) precision.set_leave_float(true);
  if (bits && bits->empty()) throw InvalidArgument("bits: expected a subset of 0, 2, 4, 8, 16, 32, got none");
  for (int32_t width : bits.value_or(std::vector<int32_t>())) precision.add_allowed_bits(width);
}

void BindBuilder(py::module_& m) {
  py::class_<GraphBuilder>(m, "GraphBuilder", "Node by node, by names. Use bitgate.GraphBuilder.")
      .def(py::init<const std::string&>(), py::arg("name"))
      .def("input", Input, py::arg("shape"), py::arg("scale"), py::arg("mean"), py::arg("std"), py::arg("name"),
           "Sets the network's input.")
      .def("node", AddNode, py::arg("name"), py::arg("kind"), py::arg("inputs"), py::arg("attributes"), "Adds a node.")
      .def(
          "weight_bits",
          [](GraphBuilder& builder, const std::optional<std::vector<int32_t>>& bits) {
            SetPrecision(builder.weight(), bits);
          },
          py::arg("bits"), "Bit widths of the last node's weight; None: float.")
      .def(
          "output_bits",
          [](GraphBuilder& builder, const std::optional<std::vector<int32_t>>& bits) {
            SetPrecision(builder.output(), bits);
          },
          py::arg("bits"), "Bit widths of the last node's output; None: float.")
      .def("build", &GraphBuilder::Build, "Checks the whole and makes a graph of it.");
}

}  // namespace

void BindGraph(py::module_& m) {
  py::class_<Graph>(m, "Graph", R"(A network as data: layers, shapes and costs, checked. Immutable; str() is its text.

From GraphBuilder, Graph.from_text(), Graph.from_file() or Graph.zoo().)")
      .def_static("from_text", &Graph::FromText, py::arg("text"), py::arg("where") = "graph",
                  R"(From the text format (models/graph/graph.proto); `where` begins messages.

Raises ValueError "<where>:<line>:<column>: ...", or naming the node and the attribute.)")
      .def_static(
          "from_file", [](const std::filesystem::path& path) { return Graph::FromFile(path.string()); },
          py::arg("path"), "From a file of the text format. Raises FileNotFoundError, and what from_text() raises.")
      .def_static("zoo", FromZoo, py::arg("name"),
                  "A network that comes with Bitgate. Raises ValueError, listing the names there are.")
      .def_property_readonly("name", &Graph::name, "Its name.")
      .def_property_readonly(
          "input_shape", [](const Graph& graph) { return py::tuple(py::cast(graph.input_shape())); },
          "Of one image: (height, width, channels) or (features,).")
      .def_property_readonly(
          "output_shape", [](const Graph& graph) { return py::tuple(py::cast(graph.shape(graph.output()))); },
          "Of one image: (classes,) for a classifier.")
      .def_property_readonly("nodes", Nodes,
                             "A list of dicts: name, kind, inputs (names), shape (of one image's output), macs.")
      .def_property_readonly("text", &Graph::ToText, "Text that from_text() reads back to an equal graph.")
      .def("__str__", &Graph::ToText)
      .def("__repr__",
           [](const Graph& graph) {
             return "Graph(" + graph.name() + ", " + std::to_string(graph.nodes().size()) + " nodes)";
           })
      .def(
          "__eq__", [](const Graph& a, const Graph& b) { return a.ToText() == b.ToText(); }, py::is_operator())
      .def("__hash__", [](const Graph& graph) { return std::hash<std::string>()(graph.ToText()); })
      .def(py::pickle([](const Graph& graph) { return graph.ToText(); },
                      [](const std::string& text) { return Graph::FromText(text, "pickled graph"); }));
  BindBuilder(m);
  m.def("zoo_names", zoo::Names, "Names that Graph.zoo() takes.");
}

}  // namespace bitgate::python
