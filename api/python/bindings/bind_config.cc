// Configurations and recipes.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <string>
#include <vector>

#include "api/python/bindings/bindings.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "models/jobs/config.h"
#include "models/jobs/recipes.h"
#include "models/jobs/suggest.h"
#include "models/zoo/zoo.h"
#include "runtime/base/error.h"

namespace bitgate::python {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

Config FromGraph(const Graph& graph) {
  Config config;
  *config.mutable_network()->mutable_graph() = graph.proto();
  return config;
}

Config FromZoo(const std::string& name) {
  Config config;
  config.mutable_network()->set_zoo(name);
  jobs::BuildGraph(config);  // for what it throws
  return config;
}

// As it is written in a recipe. A float's str() is the shortest text that gives it back.
std::string ValueText(const py::object& value) {
  if (py::isinstance<py::bool_>(value)) return value.cast<bool>() ? "true" : "false";
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
    std::string text;
    for (const py::handle item : value) {
      text += (text.empty() ? "" : ",") + ValueText(py::reinterpret_borrow<py::object>(item));
    }
    return text;
  }
  return py::str(value).cast<std::string>();
}

void Set(Config& config, const std::string& path, const py::object& value) {
  Config changed = config;
  jobs::Apply({path, ValueText(value), path}, &changed);
  config = changed;
}

// One value; `index` is of a list.
py::object ValueOf(const Message& message, const FieldDescriptor* field, int index) {
  const auto* reflection = message.GetReflection();
  const bool list = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return py::bool_(reflection->GetBool(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return py::float_(reflection->GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_STRING:
      return py::str(reflection->GetString(message, field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return py::str(reflection->GetEnum(message, field)->name());
    case FieldDescriptor::CPPTYPE_UINT64:
      return py::int_(reflection->GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return py::int_(list ? reflection->GetRepeatedInt64(message, field, index)
                           : reflection->GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_INT32:
      return py::int_(list ? reflection->GetRepeatedInt32(message, field, index)
                           : reflection->GetInt32(message, field));
    default:
      throw Internal("config: expected a known type of setting, got another: ", field->full_name());
  }
}

py::object Get(const Config& config, const std::string& path) {
  const std::vector<std::string> names = jobs::SettingNames();
  if (std::find(names.begin(), names.end(), path) == names.end()) {
    const std::string closest = jobs::Closest(path, names);
    throw InvalidArgument("unknown setting ", path, closest.empty() ? "" : "; did you mean " + closest + "?");
  }
  const Message* message = &config;
  size_t begin = 0;
  for (size_t dot = path.find('.'); dot != std::string::npos; begin = dot + 1, dot = path.find('.', begin)) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(path.substr(begin, dot - begin));
    message = &message->GetReflection()->GetMessage(*message, field);
  }
  const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(path.substr(begin));
  if (!field->is_repeated()) return ValueOf(*message, field, 0);
  py::list values;
  for (int i = 0; i < message->GetReflection()->FieldSize(*message, field); ++i) {
    values.append(ValueOf(*message, field, i));
  }
  return values;
}

}  // namespace

void BindConfig(py::module_& m) {
  py::class_<Config>(m, "Config", R"(What a run is repeated from: network, quantizer, training. Recipes are its text.

From Config.from_recipe(), from_text(), from_graph() or from_zoo(). The same text is in every checkpoint.)")
      .def_static(
          "from_recipe", [](const std::filesystem::path& name) { return jobs::LoadRecipe(name.string()); },
          py::arg("name_or_path"), R"(A recipe that comes with Bitgate (recipes()), or the file of this path.

Raises FileNotFoundError, listing the names there are, and ValueError "<path>:<line>:<column>: ...".)")
      .def_static("from_text", jobs::ParseConfig, py::arg("text"), py::arg("where") = "config",
                  "From the text format; `where` begins messages. Raises ValueError.")
      .def_static("from_graph", FromGraph, py::arg("graph"), "A network of one's own; the rest is as by default.")
      .def_static("from_zoo", FromZoo, py::arg("name"),
                  "A network that comes with Bitgate; the rest is as by default. Raises ValueError.")
      .def("set", Set, py::arg("path"), py::arg("value"), R"(Sets one setting, as the command line does.

set("training.epochs", 10); lists for settings that are lists. Raises ValueError naming the closest known setting, or
the kind of value that is expected; the configuration then stays as it was.)")
      .def("get", Get, py::arg("path"),
           "The value of a setting, its default where it is not set; enumerations by name. Raises ValueError.")
      .def_static("settings", jobs::SettingNames, "Every path that set() takes.")
      .def("check", jobs::CheckButEpochs, "Raises ValueError for a value that is unknown or out of range.")
      .def_property_readonly("graph", jobs::BuildGraph, "The network it names.")
      .def_property_readonly("text", jobs::ToText, "Text that from_text() reads back to an equal configuration.")
      .def(
          "copy", [](const Config& config) { return config; }, "A copy.")
      .def("__copy__", [](const Config& config) { return config; })
      .def(
          "__deepcopy__", [](const Config& config, const py::object&) { return config; }, py::arg("memo"))
      .def("__str__", jobs::ToText)
      .def("__repr__", [](const Config& config) { return "Config.from_text('''\n" + jobs::ToText(config) + "''')"; })
      .def(
          "__eq__", [](const Config& a, const Config& b) { return jobs::Difference(a, b).empty(); }, py::is_operator())
      .def("difference", jobs::Difference, py::arg("other"), "The first setting in which the two differ; \"\": none.")
      .def(
          "for_fine_tuning", jobs::ForFineTuning, py::arg("asked"),
          "This, trained already, with what fine-tuning reads of `asked`. Raises ValueError if that differs elsewhere.")
      .def(py::pickle([](const Config& config) { return jobs::ToText(config); },
                      [](const std::string& text) { return jobs::ParseConfig(text, "pickled config"); }));
  m.def(
      "recipes",
      [] {
        py::dict recipes;
        for (const jobs::Recipe& recipe : jobs::BuiltInRecipes()) recipes[py::str(recipe.name)] = recipe.summary;
        return recipes;
      },
      "The recipes that come with Bitgate: name to summary.");
}

}  // namespace bitgate::python
