// A graph made executable: parameters, forward pass, freezing.
#ifndef BITGATE_MODELS_NN_NETWORK_H_
#define BITGATE_MODELS_NN_NETWORK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/quantized/method.h"
#include "models/quantized/parameter.h"
#include "ops/operand_steps.h"
#include "runtime/autograd/tape.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

struct LayerCall;  // models/nn/layer_call.h
struct LayerForward;

struct ForwardResult {
  Tensor logits;   // [n, classes]
  Tensor penalty;  // the method's regularizer, a scalar; undefined in evaluation or when there is none
};

// What freezing did to one site.
struct FrozenSite {
  std::string name;
  int bits = 0;
  int64_t kept_channels = 0, channels = 0;  // weights
  int64_t changed_codes = 0, codes = 0;  // weights: codes that the one-rounding formula gives differently, of how many
};

struct FreezeReport {
  std::vector<FrozenSite> sites;
  std::vector<std::string> notes;  // layers pruned whole; constants set to zero because a consumer pads
};

class Network {
 public:
  // Allocates and initialises: weights and biases uniform in +-1/sqrt(fan_in), drawn from `seed`.
  // `context` must outlive the network.
  Network(Context& context, const Graph& graph, const QuantizerConfig& quantizer, uint64_t seed);
  // The same with a method of one's own, made for QuantizationSites(graph).
  Network(Context& context, const Graph& graph, std::unique_ptr<Method> method, uint64_t seed);
  ~Network();

  // What runs: once a method that folds batch norms is frozen, without them.
  const Graph& graph() const { return graph_; }
  // What the network was made for.
  const Graph& source() const { return source_; }
  Method& method() { return *method_; }
  Context& context() { return context_; }
  bool frozen() const { return frozen_; }
  // Changes whenever parameters are replaced, loaded or given another meaning (Freeze, Load, Adjust, SetFloat): who
  // keeps pointers to them, moments of an optimizer, or work captured with what the method knew then, compares it.
  int64_t revision() const { return revision_; }

  // All parameters, in a fixed order; pointers stay valid until Freeze, or a Load that freezes.
  const std::vector<Parameter*>& parameters() const { return parameter_list_; }
  // Throws NotFound.
  Parameter& parameter(const std::string& name);

  // What a layer begins with and what it has learned, before quantization and without the batch norm behind it,
  // whatever the method makes of it: of the node's parameter `suffix` ("weight", "bias", ...). A weight is initialised
  // with the batch norm behind it as it is then, ranges included. Throws NotFound.
  void SetFloat(int node, const std::string& suffix, const Tensor& value);
  Tensor Float(int node, const std::string& suffix);

  // Makes every parameter that is learned a leaf of the tape.
  void Watch(Tape& tape);

  // images: [n, ...input_shape], preprocessed. Records where a tape is recording, in either mode.
  // `key` keys the gates' noise (its stream is the method's); a defined `noise` replaces it.
  ForwardResult Forward(const Tensor& images, Mode mode, const StepKey& key = {}, const Tensor& noise = {});

  // What evaluation decides now, by site, for costs and reports. With a float method all sites count 32 bits.
  SiteStates States();

  // Method::Adjust, of a network that is not frozen.
  RequantizeReport Requantize();

  // Replaces the method by fixed quantizers with its decision; parameters are then weights, biases and ranges. Where
  // the method folds batch norms they become part of weights and biases for good; others stay and go on learning.
  // Throws FailedPrecondition when frozen already, or when an activation has seen no data.
  FreezeReport Freeze();

  // For files. Tensors: every parameter part by name, sharing storage. State: what else is needed, as text.
  std::map<std::string, Tensor> StateTensors();
  std::string SaveState() const;
  // Whether SaveState gave it of a frozen network. Load needs none but the float method then: it replaces the method.
  static bool IsFrozenState(const std::string& state);
  // Restores what StateTensors and SaveState gave, also of a frozen network; tensors may be in host memory or on the
  // network's device. Throws FailedPrecondition naming the first
  // tensor that is missing, superfluous or of another shape, DataLoss for a malformed state or a value that is not
  // finite or out of its parameter's bounds. A network that failed to load is to be thrown away.
  void Load(const std::map<std::string, Tensor>& tensors, const std::string& state);

 private:
  // The batch norm behind a layer, which runs with it.
  struct Norm {
    Parameter *gamma, *beta, *running_mean, *running_variance;
    float epsilon, momentum;
    bool folds;  // into the layer's quantized weight
  };
  // What the forward pass does at a node, decided once.
  struct Step {
    const LayerForward* forward = nullptr;
    int weight_site = -1;         // quantized weight, or -1
    int output_site = -1;         // quantized output, or -1
    int input_site = -1;          // of a layer: the site whose values its input holds, or -1
    int64_t terms = 0;            // of a layer with a weight: products in one sum
    Parameter* weight = nullptr;  // of a layer left in float
    Parameter* bias = nullptr;    // unless the method owns it
    bool bias_of_method = false;
    std::optional<Norm> norm;
    Tensor bias_mask;            // 0 for pruned channels whose constant would meet padding; undefined: none
    bool fuse_relu = false;      // the relu behind runs inside this layer
    bool skip = false;           // a relu or batch norm that the layer before it, or the quantizer, has absorbed
    std::vector<int> last_uses;  // nodes whose value nobody needs after this one
  };

  void AllocateParameters();
  void Initialise(uint64_t seed);
  void PlanSteps();
  void PlanNorm(int layer);
  void PlanRelu(int relu);
  // The activation site of whose values, and of zeros, `tensor` consists; -1: of none.
  int SiteOfValues(int tensor) const;
  // What makes the layer's sums exact in bfloat16; none where it computes in another type, or they would not be exact.
  OperandSteps StepsOf(const Step& step);
  // Goes on with fixed quantizers and, if `fold`, without batch norms, from the float values of now.
  void ReplaceMethod(bool fold, const std::function<std::unique_ptr<Method>(std::vector<Site>)>& make);
  // By "<node>/<suffix>"; if `fold`, those of the folded network.
  std::map<std::string, Tensor> Floats(bool fold);
  // The method's site of the node's weight, -1 if it has none.
  int WeightSite(int node) const;
  // Whether the method owns the parameter, under whatever names it has for it.
  bool OwnsParameter(int node, const std::string& suffix) const;
  // gamma / sigma; of a layer, of the batch norm that folds into it, undefined if there is none.
  Tensor GainOf(const Norm& norm);
  Tensor GainOf(const Step& step);
  Tensor ShiftOf(const Norm& norm);
  void CheckTensors(const std::map<std::string, Tensor>& given, const std::map<std::string, Tensor>& mine) const;
  void CheckValues(const std::map<std::string, Tensor>& given) const;
  void MaskPaddedConstants(std::vector<std::string>* notes);
  Tensor RunStep(int index, Mode mode, const Prepared& prepared, std::vector<Tensor>& values);
  Tensor RunNormalised(const Step& step, Mode mode, LayerCall call);
  Tensor RunFolded(const Step& step, Mode mode, const Prepared& prepared, LayerCall call);
  Parameter* FindParameter(const std::string& name);

  Context& context_;
  Graph source_, graph_;
  std::unique_ptr<Method> method_;
  bool frozen_ = false;
  int64_t revision_ = 0;
  std::vector<std::unique_ptr<Parameter>> owned_;
  std::vector<Parameter*> parameter_list_;
  std::vector<Step> steps_;  // by node
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_NN_NETWORK_H_
