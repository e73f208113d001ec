#include "models/zoo/zoo.h"

#include <map>

#include "models/graph/attributes.h"
#include "models/zoo/lenet5.h"
#include "runtime/base/error.h"

namespace bitgate::zoo {
namespace {

using Networks = std::map<std::string, Graph (*)()>;

const Networks& All() {
  static const auto* const networks = new Networks{
      {"lenet5", [] { return LeNet5(); }},
  };
  return *networks;
}

}  // namespace

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& [name, build] : All()) names.push_back(name);
  return names;
}

Graph Build(const std::string& name) {
  const auto found = All().find(name);
  if (found == All().end()) throw NotFound("zoo: expected one of ", NameList(Names()), ", got '", name, "'");
  return found->second();
}

}  // namespace bitgate::zoo
