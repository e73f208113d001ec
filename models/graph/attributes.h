// Reading and writing the attributes of a node: by name for callers that are generic over kinds, checked for the kinds.
#ifndef BITGATE_MODELS_GRAPH_ATTRIBUTES_H_
#define BITGATE_MODELS_GRAPH_ATTRIBUTES_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "models/graph/graph.pb.h"

namespace bitgate {

// One attribute by its name in graph.proto: {"channels", 32}, {"kernel", {3, 5}}, {"bias", false}.
struct AttributeValue {
  AttributeValue(std::string name, int64_t value) : name(std::move(name)), values{value} {}
  AttributeValue(std::string name, std::vector<int64_t> values) : name(std::move(name)), values(std::move(values)) {}

  std::string name;
  std::vector<int64_t> values;
};
using AttributeValues = std::vector<AttributeValue>;

// Throws InvalidArgument (beginning with `where`) if there is no such attribute, it is given twice, it is no integer
// (epsilon and momentum, which only the text format sets), or a value does not fit its type.
Attributes MakeAttributes(const std::string& where, const AttributeValues& values);

// Names of the attributes that are set, in the order of graph.proto.
std::vector<std::string> SetAttributeNames(const Attributes& attributes);

// Throws InvalidArgument unless every attribute that is set is in `accepted` and every one in `required` is set.
void CheckAttributeNames(const std::string& where, const Attributes& attributes,
                         const std::vector<std::string>& accepted, const std::vector<std::string>& required);

// "a, b, c", or "none".
std::string NameList(const std::vector<std::string>& names);

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_ATTRIBUTES_H_
