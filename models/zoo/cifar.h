// What the networks for CIFAR share.
#ifndef BITGATE_MODELS_ZOO_CIFAR_H_
#define BITGATE_MODELS_ZOO_CIFAR_H_

#include <string>

#include "models/graph/builder.h"

namespace bitgate::zoo {

// 32x32x3, bytes scaled to [0, 1] and normalised by the usual means and deviations of CIFAR-10.
inline std::string CifarInput(GraphBuilder* b) {
  return b->Input({32, 32, 3}, Normalized(1.0 / 255, {0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}));
}

}  // namespace bitgate::zoo

#endif  // BITGATE_MODELS_ZOO_CIFAR_H_
