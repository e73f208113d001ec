// What an exported file says about itself.
#ifndef BITGATE_MODELS_DEPLOY_ONNX_METADATA_H_
#define BITGATE_MODELS_DEPLOY_ONNX_METADATA_H_

#include "models/deploy/frozen_network.h"
#include "models/deploy/onnx_writer.h"
#include "onnx/onnx.pb.h"

namespace bitgate {

// The metadata that models/deploy/onnx_writer.h lists. Throws InvalidArgument for a key that is taken.
void AddMetadata(const FrozenNetwork& network, const OnnxMetadata& metadata, onnx::ModelProto* model);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_ONNX_METADATA_H_
