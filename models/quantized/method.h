// A quantization method: owns, for one network, everything about its quantizers that can be learned.
//
// models/nn allocates the parameters that a method declares, binds them, and asks for quantized weights and activations
// during a forward pass; nobody above knows which method it is. A method has heard of no data, epochs or files.
// Sites (models/graph/site.h) are numbered as given to the method's factory.
#ifndef BITGATE_MODELS_QUANTIZED_METHOD_H_
#define BITGATE_MODELS_QUANTIZED_METHOD_H_

#include <memory>
#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/graph/site.h"
#include "models/quantized/cost.h"
#include "models/quantized/fixed.h"
#include "models/quantized/parameter.h"
#include "models/quantized/quantizer.pb.h"
#include "ops/quant/noise/noise.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

enum class Mode {
  kTrain,      // gates are drawn (or noise-free, as configured); gradients flow
  kEvaluate,   // gates are thresholded: what freezing would keep
  kCalibrate,  // the same, and the method notes what freezing must know of the activations
};

// What a layer's batch norm is to the quantized weight before it (Krishnamoorthi, arXiv 1806.08342): behind it, or its
// gain gamma / sigma part of it, with sigma of the running statistics. If folded, a training batch's statistics come
// from one of three places.
enum class NormFolding {
  kNone,
  kFloatStatistics,      // a second convolution with the float weight, differentiated too
  kDetachedStatistics,   // the same; what it would give back goes straight through the quantized one
  kQuantizedStatistics,  // the quantized convolution itself, the gain undone
};

// What Adjust has done to a weight or bias.
struct RequantizedTensor {
  std::string name;
  int bits_before = 0, bits = 0;  // 0: all its values are zero
};

struct RequantizeReport {
  std::vector<RequantizedTensor> tensors;
  std::vector<std::string> warnings;  // what the user should know, layers that are zero by name
};

// Values that are integers times `step`, exactly as float32 multiplies them, the integers in [-largest, largest].
struct CodeGrid {
  float step = 0;  // 0: values are of no one grid that is known
  int64_t largest = 0;
};

// What all quantizers of a network share in one forward pass (all gate values, computed by one kernel).
class Prepared {
 public:
  virtual ~Prepared() = default;
};

class Method {
 public:
  explicit Method(std::vector<Site> sites) : sites_(std::move(sites)) {}
  virtual ~Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;

  const std::vector<Site>& sites() const { return sites_; }

  // The parameters the method needs, in an order that Bind and nobody else relies on. Names are unique.
  virtual std::vector<ParameterDeclaration> Declare() const = 0;
  // Hands over the parameters, one for each declaration. Not owned; they outlive the method.
  virtual void Bind(Context& context, const std::vector<Parameter*>& parameters) = 0;
  // Initialises a weight site from float weights (a contiguous tensor of the site's shape), ranges included. `gain`:
  // what Weight will be given; undefined for none.
  virtual void FromFloat(Context& context, int site, const Tensor& weight, const Tensor& gain) = 0;
  // The sites' batch norms.
  virtual NormFolding norm_folding() const { return NormFolding::kNone; }

  // Begins a forward pass. `key` keys the noise of kTrain (its words are read on the device, where it has some, so that
  // a captured pass may be replayed); a defined `noise` (uniform, as many as noise_size())
  // replaces it.
  virtual std::unique_ptr<Prepared> Begin(Context& context, Mode mode, const StepKey& key, const Tensor& noise) = 0;
  virtual int64_t noise_size() const { return 0; }
  // The quantized twin of a weight, of the weight times `gain` ([channels]) where that is defined: only if the method
  // folds norms.
  virtual Tensor Weight(Context& context, const Prepared& prepared, int site, const Tensor& gain) = 0;
  // By what Weight multiplies the channels of a weight that is quantized: [channels], recorded; undefined for nothing.
  // Where a method folds norms and the gradient of their statistics goes through the quantized layer, these are not to
  // be undone.
  virtual Tensor ChannelGates(Context&, const Prepared&, int) { return {}; }
  // A method may take over the bias of a weight site's layer as well: its initial value, and its quantized twin.
  // Freezing makes of it a bias in float.
  virtual bool OwnsBias(int) const { return false; }
  virtual void BiasFromFloat(Context&, int, const Tensor&) {}
  virtual Tensor Bias(Context&, const Prepared&, int) { return {}; }
  // The quantized twin of an activation. If AbsorbsRelu(site), x is the value before the relu and the result what
  // quantizing after the relu would give. An activation seen for the first time in kTrain initialises its range; in
  // kEvaluate that is FailedPrecondition.
  virtual Tensor Activation(Context& context, const Prepared& prepared, int site, const Tensor& x) = 0;
  virtual bool AbsorbsRelu(int site) const = 0;
  // The grid on which a site's quantized values lie now; no grid unless it is the same in every mode. May wait for the
  // device.
  virtual CodeGrid Grid(Context&, int) { return {}; }
  // What the method adds to the loss: a scalar, already weighted, a function of the parameters alone; undefined for
  // nothing. Its gradient reaches the parameters by the tape, or by Parameter::decay, which this call renews.
  virtual Tensor Penalty(Context& context) = 0;

  // Whether the parameters' meaning is to be renewed now and then in training, and at its end: BSQ's re-quantization.
  virtual bool requantizes() const { return false; }
  // Does that. What the network computes changes by rounding at most; moments of optimizers mean nothing afterwards.
  virtual RequantizeReport Requantize(Context&) { return {}; }
  // Whether Freeze needs to have seen the training set in Mode::kCalibrate; begins that pass anew.
  virtual bool calibrates() const { return false; }
  virtual void BeginCalibration() {}

  // What evaluation decides for every site now: bits and kept channels.
  virtual std::vector<SiteState> States(Context& context) = 0;
  // The plain fixed quantizer that takes the method's place, with the same decision. Throws FailedPrecondition for an
  // activation that has seen no data.
  virtual Fixed Freeze(Context& context, int site) = 0;
  // A weight site's float values before quantization, without gain, [site shape]. Valid until the next optimizer step.
  // Where a method folds norms it records, if a tape is recording.
  virtual Tensor FloatWeight(Context& context, int site) = 0;

  // What is not in the parameters (which ranges are set, signs), as text for a file. Load throws DataLoss.
  virtual std::string SaveState() const = 0;
  virtual void LoadState(const std::string& state) = 0;

 private:
  std::vector<Site> sites_;
};

// What a frozen network goes on with: fixed quantizers, one for each site, whose ranges may still learn.
std::unique_ptr<Method> MakeFixedMethod(std::vector<Site> sites, std::vector<Fixed> fixed);
// The same from what its SaveState gave; ranges and weights come with the parameters. Throws DataLoss.
std::unique_ptr<Method> MakeFixedMethod(std::vector<Site> sites, const std::string& state);

// The method that `config` names, for all quantization sites of `graph`. Throws InvalidArgument listing the known
// names, or naming the setting that is out of range.
std::unique_ptr<Method> MakeMethod(const Graph& graph, const QuantizerConfig& config);

// That of the method without quantization.
QuantizerConfig FloatQuantizer();

// Whether the method takes notice of QuantizerConfig's field `setting`; an unknown one of all.
bool MethodReads(const std::string& method, const std::string& setting);

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_METHOD_H_
