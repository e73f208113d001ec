#include "models/graph/attributes.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

using google::protobuf::FieldDescriptor;

std::vector<std::string> AllAttributeNames() {
  const auto* descriptor = Attributes::descriptor();
  std::vector<std::string> names;
  for (int i = 0; i < descriptor->field_count(); ++i) names.push_back(descriptor->field(i)->name());
  return names;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <class T>
T Narrow(const std::string& where, int64_t value) {
  if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
    throw InvalidArgument(where, ": expected a value between ", +std::numeric_limits<T>::min(), " and ",
                          +std::numeric_limits<T>::max(), ", got ", value);
  }
  return static_cast<T>(value);
}

void SetOne(const std::string& where, const FieldDescriptor* field, int64_t value, Attributes* attributes) {
  const auto* reflection = attributes->GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->SetBool(attributes, field, Narrow<bool>(where, value));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->SetInt64(attributes, field, value);
    default:
      throw InvalidArgument(where, ": expected an attribute of integers, got one of type ", field->cpp_type_name(),
                            ": set it in the text format of graphs");
  }
}

void SetList(const std::string& where, const FieldDescriptor* field, const std::vector<int64_t>& values,
             Attributes* attributes) {
  const auto* reflection = attributes->GetReflection();
  for (const int64_t value : values) reflection->AddInt32(attributes, field, Narrow<int32_t>(where, value));
}

}  // namespace

Attributes MakeAttributes(const std::string& where, const AttributeValues& values) {
  Attributes attributes;
  for (const AttributeValue& value : values) {
    const FieldDescriptor* field = Attributes::descriptor()->FindFieldByName(value.name);
    if (field == nullptr) {
      throw InvalidArgument(where, ": attributes: expected one of ", NameList(AllAttributeNames()), ", got '",
                            value.name, "'");
    }
    const std::string here = where + ": attribute " + value.name;
    if (Contains(SetAttributeNames(attributes), value.name)) throw InvalidArgument(here, ": expected once, got twice");
    if (field->is_repeated()) {
      SetList(here, field, value.values, &attributes);
    } else {
      if (value.values.size() != 1) throw InvalidArgument(here, ": expected one value, got ", value.values.size());
      SetOne(here, field, value.values[0], &attributes);
    }
  }
  return attributes;
}

std::vector<std::string> SetAttributeNames(const Attributes& attributes) {
  std::vector<const FieldDescriptor*> fields;
  attributes.GetReflection()->ListFields(attributes, &fields);
  std::vector<std::string> names;
  for (const FieldDescriptor* field : fields) names.push_back(field->name());
  return names;
}

void CheckAttributeNames(const std::string& where, const Attributes& attributes,
                         const std::vector<std::string>& accepted, const std::vector<std::string>& required) {
  const std::vector<std::string> set = SetAttributeNames(attributes);
  for (const std::string& name : set) {
    if (!Contains(accepted, name)) {
      throw InvalidArgument(where, ": attributes: expected only ", NameList(accepted), ", got '", name, "'");
    }
  }
  for (const std::string& name : required) {
    if (!Contains(set, name)) throw InvalidArgument(where, ": attribute ", name, ": expected a value, got none");
  }
}

std::string NameList(const std::vector<std::string>& names) {
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

}  // namespace bitgate
