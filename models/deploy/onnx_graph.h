// A small builder of ONNX graphs. Every value has one name, every node one output.
#ifndef BITGATE_MODELS_DEPLOY_ONNX_GRAPH_H_
#define BITGATE_MODELS_DEPLOY_ONNX_GRAPH_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/graph/dims.h"
#include "onnx/onnx.pb.h"

namespace bitgate {

class OnnxGraph {
 public:
  // Writes into `graph`; `batch_source` is a value whose first dimension is the batch.
  OnnxGraph(onnx::GraphProto* graph, std::string batch_source)
      : graph_(graph), batch_source_(std::move(batch_source)) {}

  // Initializers. Each returns its name. The number of elements is that of dims; no dims: a scalar.
  std::string Floats(const std::string& name, const Dims& dims, const std::vector<float>& values);
  std::string Float(const std::string& name, float value) { return Floats(name, {}, {value}); }
  std::string Int64s(const std::string& name, const std::vector<int64_t>& values);
  // The elements' bytes, little-endian.
  std::string Bytes(const std::string& name, onnx::TensorProto::DataType data_type, const Dims& dims,
                    const std::string& bytes);

  // A node that opset 13 has. Returns the name of its output.
  std::string Node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                   const std::vector<std::pair<std::string, std::vector<int64_t>>>& lists = {},
                   const std::vector<std::pair<std::string, int64_t>>& integers = {});

  // The same values for every image of the batch: [batch, dims...] from values of shape value_dims, which are
  // broadcast to dims.
  std::string ForWholeBatch(const std::string& name, const Dims& dims, const Dims& value_dims,
                            const std::vector<float>& values);

  // Renames a node's output that nothing reads.
  void RenameOutput(const std::string& from, const std::string& to);

 private:
  onnx::TensorProto* AddInitializer(const std::string& name, onnx::TensorProto::DataType data_type, const Dims& dims);
  std::string Batch();

  onnx::GraphProto* graph_;
  std::string batch_source_;
  std::string batch_;  // a value: the batch size, [1]; empty until somebody asks
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_ONNX_GRAPH_H_
