// One function per layer kind, each defined in the file of its kind.
#ifndef BITGATE_MODELS_DEPLOY_KINDS_KINDS_H_
#define BITGATE_MODELS_DEPLOY_KINDS_KINDS_H_

#include "models/deploy/deploy_kind.h"

namespace bitgate::deploy_kinds {

#define BITGATE_DEPLOY_KIND(Kind) const DeployKind& Kind();
#include "models/deploy/kinds/kind_list.inc"
#undef BITGATE_DEPLOY_KIND

}  // namespace bitgate::deploy_kinds

#endif  // BITGATE_MODELS_DEPLOY_KINDS_KINDS_H_
