// What a front door's model handle holds: shared by the handle, by its trainers and by the call under way.
#ifndef BITGATE_API_COMMON_MODEL_CORE_H_
#define BITGATE_API_COMMON_MODEL_CORE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "api/common/autograd.h"
#include "api/common/exclusive.h"
#include "models/jobs/model.h"
#include "models/jobs/training.h"

namespace bitgate::api {

class ModelCore {
 public:
  explicit ModelCore(std::unique_ptr<jobs::Model> model);

  // The parameters, as leaves if they are learned, that share their memory, in the order of Network::parameters(). The
  // same variables until the network's revision changes.
  const std::vector<ParameterVariable>& Parameters();

  struct Forwarded {
    VariablePtr logits, penalty;  // penalty: null if there is none
  };
  // Preprocessed images to logits. In training the gates' noise is keyed by the configuration's seed and `step`, and
  // `session` records, parameters included; evaluation records nothing. Throws InvalidArgument unless the session and
  // the images are on the model's device.
  Forwarded Forward(Session& session, const VariablePtr& images, Mode mode, uint64_t step);

  Exclusive exclusive;
  const std::unique_ptr<jobs::Model> model;

 private:
  int64_t revision_ = -1;  // of the network, that parameters_ belong to
  std::vector<ParameterVariable> parameters_;
};

struct TrainerCore {
  Exclusive exclusive;
  std::shared_ptr<ModelCore> model;
  std::unique_ptr<jobs::Training> training;  // goes before the model
};

}  // namespace bitgate::api

#endif  // BITGATE_API_COMMON_MODEL_CORE_H_
