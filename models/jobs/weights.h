// A network's float weights in files with PyTorch's names and layouts, as torch's safetensors.save_file(state_dict)
// writes them: to begin with a network trained elsewhere, and to hand one on.
//
// The parameter <node>/<suffix> is the tensor <node>.<suffix> (node names may have dots, so "layer1.0.conv1.weight" is
// the weight of node layer1.0.conv1). A convolution's weight is [out, in / groups, height, width] in the file and [out,
// height, width, in / groups] in the network; a linear layer's is [out, in] in both, but where its input is an image
// made flat, the file counts the input's features by channel, row, column, the network by row, column, channel. A
// network whose own input is flat is taken to see its features in the file's order. A batch norm's gamma, beta,
// running_mean and running_variance are weight, bias, running_mean and running_var. Names may all begin with "module.",
// as those of a model trained on several GPUs do.
//
// A checkpoint of Bitgate's own serves as well, if it is not frozen: a run in float that goes on with quantizers. Its
// weights before quantization, biases and batch norms are taken, its gates and ranges are not.
#ifndef BITGATE_MODELS_JOBS_WEIGHTS_H_
#define BITGATE_MODELS_JOBS_WEIGHTS_H_

#include <string>
#include <vector>

#include "models/graph/dims.h"
#include "models/nn/network.h"

namespace bitgate::jobs {

// One parameter and the tensor that it came from.
struct LoadedWeight {
  std::string parameter, tensor;
  Dims shape;           // in the file
  std::string reorder;  // what became of its layout: "OIHW to OHWI", "CHW to HWC"; empty: nothing
};

// To be read: a heading, then a line for each.
std::string FormatTable(const std::vector<LoadedWeight>& loaded);

// Replaces all weights, biases and batch norms, and has the method initialise its weights' ranges; gates and the ranges
// of activations stay, so the network should be a new one. Returns a line for each parameter, in the order of nodes.
// Batch counters (<node>.num_batches_tracked) are passed over; any other tensor must be a parameter's.
//
// All or nothing: throws, with the network as it was, FailedPrecondition listing every tensor that is missing, that no
// parameter wants, or that has another shape or dtype than F32; DataLoss listing those with values that are not finite,
// and variances below 0; FailedPrecondition for a frozen network and for a frozen checkpoint; what
// SafetensorsFile::Open and, for a checkpoint, Model::Open throw; and InvalidArgument for a graph that adds an image
// made flat to something else, or pads it with channels, so that the order of its features is nobody's.
std::vector<LoadedWeight> LoadFloatWeights(Network& network, const std::string& path);

// Writes the file that LoadFloatWeights reads back to the same bits: weights before quantization, also of a frozen
// network, whose batch norms are part of weights and biases where freezing has folded them. (A method that keeps
// weights in a form of its own, bit planes, has rounded what it was given.) Throws InvalidArgument as above, and what
// WriteSafetensors throws.
void WriteFloatWeights(Network& network, const std::string& path);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_WEIGHTS_H_
