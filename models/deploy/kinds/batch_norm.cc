// Batch norm: none is left in a network that is deployed (models/deploy/fold_batch_norm.h).
#include "models/deploy/kinds/kinds.h"
#include "runtime/base/error.h"

namespace bitgate::deploy_kinds {
namespace {

class BatchNormKind : public DeployKind {
 public:
  BatchNormKind() : DeployKind("batch_norm") {}

  Constants OutputConstants(const DeployNode& node, const std::vector<Constants>&) const override {
    throw NotFolded(node);
  }
  OnnxValue Emit(OnnxGraph&, const DeployNode& node, const std::vector<OnnxValue>&) const override {
    throw NotFolded(node);
  }

 private:
  static Error NotFolded(const DeployNode& node) {
    return Internal("deploy: node '", node.node.name, "': expected batch norms to be folded before, got one");
  }
};

}  // namespace

const DeployKind& BatchNorm() {
  static const auto* const kind = new BatchNormKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
