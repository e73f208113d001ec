// What deploying knows of a kind of layer: how channels pass through it, and how it is written as ONNX.
//
// A kind is one file, kinds/<kind>.cc, and one line in kinds/kind_list.inc.
#ifndef BITGATE_MODELS_DEPLOY_DEPLOY_KIND_H_
#define BITGATE_MODELS_DEPLOY_DEPLOY_KIND_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/deploy/frozen_network.h"
#include "models/deploy/onnx_graph.h"

namespace bitgate {

// A flag for each element of a tensor's last dimension: channels of an image, features after flatten.
using Channels = std::vector<bool>;
// For each element of the last dimension its value, if that is the same for every image and at every position.
using Constants = std::vector<std::optional<float>>;

// A node of a frozen network with what belongs to it. Refers to the network.
struct DeployNode {
  const Graph& graph;
  const Node& node;
  const FrozenLayer* layer;  // null unless the kind has a weight
  const Fixed* output;       // the output's quantizer; null if it has none
};

DeployNode MakeDeployNode(const FrozenNetwork& network, int index);

// A tensor in the ONNX graph: an image is [batch, channels, height, width] there.
struct OnnxValue {
  std::string name;
  // Features in the order in which ONNX flattens an image; ours is [height, width, channels] of these sizes. Empty: in
  // our order.
  Dims flattened;
};

// The defaults are those of a kind that hands channels on unchanged.
class DeployKind {
 public:
  virtual ~DeployKind() = default;
  DeployKind(const DeployKind&) = delete;
  DeployKind& operator=(const DeployKind&) = delete;

  const std::string& name() const { return name_; }

  // The output's constants before its quantizer, from those of the inputs.
  virtual Constants OutputConstants(const DeployNode& node, const std::vector<Constants>& inputs) const;
  // Which channels of each input the node must be given so that those `needed` of its output (at least one) are right.
  // It does without a constant that it can move into its bias.
  virtual std::vector<Channels> NeededInputs(const DeployNode& node, const std::vector<Constants>& inputs,
                                             const Channels& needed) const;
  // Which channels the output has, at least the needed ones, if the inputs have those of `kept_inputs`.
  virtual Channels KeptOutput(const DeployNode& node, const std::vector<Channels>& kept_inputs,
                              const Channels& needed) const;
  // Takes the removed channels out of a layer with a weight and its attributes; constants of removed inputs go into the
  // bias.
  virtual void RemoveChannels(const DeployNode& node, const Channels& kept_input, const Constants& input,
                              const Channels& kept_output, Attributes* attributes, FrozenLayer* layer) const;

  // Writes the node without its output's quantizer and returns its output.
  virtual OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const = 0;

 protected:
  explicit DeployKind(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

// Throws InvalidArgument if there is no such kind. The kinds live as long as the program.
const DeployKind& FindDeployKind(const std::string& name);

// Sorted.
std::vector<std::string> DeployKindNames();

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_DEPLOY_KIND_H_
