#include <string>
#include <vector>

#include "api/c/handles.h"
#include "models/zoo/zoo.h"

namespace bitgate::c {
namespace {

// A precision of these bit widths, or none: float.
void SetBits(const char* function, const int32_t* bits, int32_t count, TensorPrecision* precision) {
  if (count < 0) throw InvalidArgument(function, ": expected a count of at least 0, got ", count);
  if (count > 0) Require(function, "bits", bits);
  precision->Clear();
  if (count == 0) precision->set_leave_float(true);
  for (int32_t i = 0; i < count; ++i) precision->add_allowed_bits(bits[i]);
}

Preprocessing PreprocessingOf(const bg_preprocessing* given) {
  if (given == nullptr) return {};
  const bg_preprocessing params = ReadStruct("bg_graph_builder_input", "preprocessing", given);
  if (params.count < 0) {
    throw InvalidArgument("bg_graph_builder_input: expected a count of at least 0, got ", params.count);
  }
  const auto values = [&](const double* from) {
    return from == nullptr ? std::vector<double>() : std::vector<double>(from, from + params.count);
  };
  return Normalized(params.scale == 0 ? 1 : params.scale, values(params.mean), values(params.std));
}

void CheckCount(const char* function, const char* argument, int32_t count) {
  if (count < 0) throw InvalidArgument(function, ": expected ", argument, " of at least 0, got ", count);
}

AttributeValues AttributesOf(const bg_attribute* attributes, int32_t count) {
  constexpr char kName[] = "bg_graph_builder_node";
  CheckCount(kName, "attribute_count", count);
  if (count > 0) Require(kName, "attributes", attributes);
  AttributeValues values;
  for (int32_t i = 0; i < count; ++i) {
    const bg_attribute& attribute = attributes[i];
    const std::string name = &Require(kName, "an attribute's name", attribute.name);
    if (attribute.count < 0) {
      throw InvalidArgument(kName, ": attribute ", name, ": expected a count of at least 0, got ", attribute.count);
    }
    if (attribute.count > 0) Require(kName, "an attribute's values", attribute.values);
    values.emplace_back(name, std::vector<int64_t>(attribute.values, attribute.values + attribute.count));
  }
  return values;
}

std::vector<std::string> NamesOf(const char* const* inputs, int32_t count) {
  constexpr char kName[] = "bg_graph_builder_node";
  CheckCount(kName, "input_count", count);
  if (count > 0) Require(kName, "inputs", inputs);
  std::vector<std::string> names;
  for (int32_t i = 0; i < count; ++i) names.push_back(&Require(kName, "an input's name", inputs[i]));
  return names;
}

bg_graph* NewGraph(Graph graph, const std::string& zoo = "") {
  return new bg_graph{std::make_shared<const Graph>(std::move(graph)), zoo};
}

}  // namespace
}  // namespace bitgate::c

using bitgate::api::Hold;
using bitgate::c::Guard;
using bitgate::c::Keep;
using bitgate::c::NewGraph;
using bitgate::c::Require;

bg_status bg_zoo_count(int32_t* count) {
  return Guard([&] { Require("bg_zoo_count", "count", count) = static_cast<int32_t>(bitgate::zoo::Names().size()); });
}

bg_status bg_zoo_name(int32_t index, const char** name) {
  return Guard([&] {
    const std::vector<std::string> names = bitgate::zoo::Names();
    Require("bg_zoo_name", "name", name) = Keep(names[bitgate::c::CheckedIndex("bg_zoo_name", index, names.size())]);
  });
}

bg_status bg_graph_create_from_zoo(const char* name, bg_graph** out) {
  return Guard([&] {
    const std::string zoo = &Require("bg_graph_create_from_zoo", "name", name);
    Require("bg_graph_create_from_zoo", "out", out);
    *out = NewGraph(bitgate::zoo::Build(zoo), zoo);
  });
}

bg_status bg_graph_create_from_text(const char* text, const char* where, bg_graph** out) {
  return Guard([&] {
    Require("bg_graph_create_from_text", "text", text);
    Require("bg_graph_create_from_text", "out", out);
    *out = NewGraph(bitgate::Graph::FromText(text, where == nullptr ? "graph" : where));
  });
}

void bg_graph_free(bg_graph* graph) { bitgate::c::Free(graph); }

bg_status bg_graph_text(bg_graph* graph, const char** text) {
  return Guard([&] {
    const bitgate::Graph& kept = *Require("bg_graph_text", "graph", graph).graph;
    Require("bg_graph_text", "text", text) = Keep(kept.ToText());
  });
}

bg_status bg_graph_builder_create(const char* name, bg_graph_builder** out) {
  return Guard([&] {
    Require("bg_graph_builder_create", "name", name);
    Require("bg_graph_builder_create", "out", out);
    *out = new bg_graph_builder{{}, bitgate::GraphBuilder(name)};
  });
}

void bg_graph_builder_free(bg_graph_builder* builder) { bitgate::c::Free(builder); }

bg_status bg_graph_builder_input(bg_graph_builder* builder, const char* name, int32_t rank, const int64_t* dims,
                                 const bg_preprocessing* preprocessing) {
  return Guard([&] {
    constexpr char kName[] = "bg_graph_builder_input";
    const Hold hold(kName, {&Require(kName, "builder", builder).exclusive});
    const bitgate::Shape shape = bitgate::c::ShapeOf(kName, rank, dims);
    builder->builder.Input(bitgate::Dims(shape.begin(), shape.end()), bitgate::c::PreprocessingOf(preprocessing),
                           name == nullptr ? "input" : name);
  });
}

bg_status bg_graph_builder_node(bg_graph_builder* builder, const char* name, const char* kind,
                                const char* const* inputs, int32_t input_count, const bg_attribute* attributes,
                                int32_t attribute_count) {
  return Guard([&] {
    constexpr char kName[] = "bg_graph_builder_node";
    const Hold hold(kName, {&Require(kName, "builder", builder).exclusive});
    Require(kName, "name", name);
    Require(kName, "kind", kind);
    builder->builder.Node(name, kind, bitgate::c::NamesOf(inputs, input_count),
                          bitgate::c::AttributesOf(attributes, attribute_count));
  });
}

bg_status bg_graph_builder_weight_bits(bg_graph_builder* builder, const int32_t* bits, int32_t count) {
  return Guard([&] {
    constexpr char kName[] = "bg_graph_builder_weight_bits";
    const Hold hold(kName, {&Require(kName, "builder", builder).exclusive});
    bitgate::c::SetBits(kName, bits, count, &builder->builder.weight());
  });
}

bg_status bg_graph_builder_output_bits(bg_graph_builder* builder, const int32_t* bits, int32_t count) {
  return Guard([&] {
    constexpr char kName[] = "bg_graph_builder_output_bits";
    const Hold hold(kName, {&Require(kName, "builder", builder).exclusive});
    bitgate::c::SetBits(kName, bits, count, &builder->builder.output());
  });
}

bg_status bg_graph_builder_build(bg_graph_builder* builder, bg_graph** out) {
  return Guard([&] {
    constexpr char kName[] = "bg_graph_builder_build";
    const Hold hold(kName, {&Require(kName, "builder", builder).exclusive});
    Require(kName, "out", out);
    *out = NewGraph(builder->builder.Build());
  });
}
