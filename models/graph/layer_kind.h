// What the graph knows of a kind of layer: the attributes it takes, the shape it gives, what it costs, and how it
// treats channels.
//
// A kind is one file, kinds/<kind>.cc, and one line in kinds/kind_list.inc.
#ifndef BITGATE_MODELS_GRAPH_LAYER_KIND_H_
#define BITGATE_MODELS_GRAPH_LAYER_KIND_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/graph/dims.h"
#include "models/graph/graph.pb.h"
#include "models/graph/window.h"

namespace bitgate {

// A parameter of a layer, called <node>/<suffix>.
struct ParameterSpec {
  std::string suffix;  // "weight", "bias", ...
  Dims shape;          // convolution OHWI [out, kernel height, kernel width, in / groups]; linear [out, in]; bias [out]
  int64_t fan_in;      // inputs that one output sums over
  std::optional<float> initial = {};                    // absent: drawn at random, by fan_in
  bool learned = true;                                  // false: state that training keeps, running statistics
  float low = -std::numeric_limits<float>::infinity();  // the least value it may have
};

// What a kind sees of its node.
struct LayerInputs {
  std::string where;  // begins every message: "graph 'lenet5': node 'conv1'"
  Attributes attributes;
  std::vector<Dims> shapes;  // of the inputs, as many as LayerTraits::inputs
};

// What a kind says about its node.
struct LayerSpec {
  Dims shape;        // of the output
  int64_t macs = 0;  // multiply-accumulates per image; biases, pools and sums count as none
  std::vector<ParameterSpec> parameters;
  Window window;  // kernel, stride and padding with defaults filled in; of kinds that have one
};

struct LayerTraits {
  int inputs = 1;
  std::vector<std::string> accepted_attributes;
  std::vector<std::string> required_attributes;
  bool has_weight = false;       // parameter "weight", whose first dimension is the output channels
  bool is_nonlinearity = false;  // absorbed by the layer it directly follows: the activation is quantized after it
  bool is_nonnegative = false;   // the output has no negative values whatever the input
  // One gain and one shift a channel, right behind a layer with a weight that nothing else reads and that has no bias.
  bool is_normalization = false;
  // One input; output channel c (after flatten: c modulo channels) comes from input channel c.
  bool keeps_channels = false;
};

class LayerKind {
 public:
  virtual ~LayerKind() = default;
  LayerKind(const LayerKind&) = delete;
  LayerKind& operator=(const LayerKind&) = delete;

  const std::string& name() const { return name_; }
  const LayerTraits& traits() const { return traits_; }

  // Infers the node's output, cost and parameters. Number of inputs and names of attributes are already checked.
  // Throws InvalidArgument naming the attribute or input that does not fit.
  virtual LayerSpec CheckAndInfer(const LayerInputs& layer) const = 0;

 protected:
  LayerKind(std::string name, LayerTraits traits) : name_(std::move(name)), traits_(std::move(traits)) {}

 private:
  std::string name_;
  LayerTraits traits_;
};

// Null if there is no such kind. The kinds live as long as the program.
const LayerKind* FindLayerKind(const std::string& name);

// Every kind there is, sorted: rooms that have one file per kind test themselves against this list.
std::vector<std::string> LayerKindNames();

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_LAYER_KIND_H_
