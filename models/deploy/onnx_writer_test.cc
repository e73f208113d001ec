#include "models/deploy/onnx_writer.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/deploy/prune.h"
#include "models/deploy/test_networks.h"
#include "models/graph/test_graphs.h"
#include "onnx/onnx.pb.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string TestPath(const std::string& name) { return testing::TempDir() + "/" + name; }

onnx::ModelProto Written(const FrozenNetwork& network, const OnnxMetadata& metadata = {}) {
  WriteOnnx(network, metadata, TestPath("written.onnx"), nullptr);
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(ReadFile(TestPath("written.onnx"))));
  return model;
}

const onnx::TensorProto& Initializer(const onnx::ModelProto& model, const std::string& name) {
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    if (tensor.name() == name) return tensor;
  }
  throw NotFound("no initializer ", name);
}

std::vector<std::string> Ops(const onnx::ModelProto& model) {
  std::vector<std::string> ops;
  for (const onnx::NodeProto& node : model.graph().node()) ops.push_back(node.op_type());
  return ops;
}

std::vector<int> Codes(const onnx::TensorProto& tensor) {
  std::vector<int> codes;
  for (const char byte : tensor.raw_data()) codes.push_back(static_cast<signed char>(byte));
  return codes;
}

// 2 x 2 images of 2 channels; conv (2 x 1 window, 2 channels) flatten fc (1): codes count up from -8.
FrozenNetwork CountingNetwork() {
  GraphBuilder b("counting");
  std::string x = b.Input({2, 2, 2});
  x = b.Node("conv", "conv2d", {x}, {{"channels", 2}, {"kernel", {1, 2}}, {"bias", false}});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 1}});
  FrozenNetwork network{b.Build(), {}, {}};
  for (const int index : {0, 2}) {
    FrozenLayer& layer = network.layers[index];
    layer.shape = network.graph.node(index).spec.parameters[0].shape;
    layer.weight = MakeTestFixed(8, true, 127, true);
    for (int i = 0; i < (index == 0 ? 8 : 4); ++i) {
      layer.codes.push_back(i - 4);
      layer.values.push_back(static_cast<float>(i - 4) * layer.weight.scale);
    }
  }
  network.layers[2].bias = {0.5f};
  return network;
}

TEST(WriteOnnx, ModelSaysWhatItIs) {
  const onnx::ModelProto model = Written(CountingNetwork(), {"9.8.7", "epochs: 3", {{"note", "x"}}});
  EXPECT_EQ(model.producer_name(), "bitgate");
  EXPECT_EQ(model.producer_version(), "9.8.7");
  EXPECT_EQ(model.opset_import(0).version(), 13);
  EXPECT_EQ(model.graph().input(0).name(), "input");
  EXPECT_EQ(model.graph().input(0).type().tensor_type().shape().dim(0).dim_param(), "batch");
  EXPECT_EQ(model.graph().output(0).name(), "logits");
  std::vector<std::string> keys;
  for (const auto& entry : model.metadata_props()) keys.push_back(entry.key());
  EXPECT_THAT(keys, ElementsAre("bitgate.bits", "bitgate.preprocessing", "bitgate.recipe", "bitgate.version", "note"));
  const auto bits = nlohmann::json::parse(model.metadata_props(0).value());
  EXPECT_EQ(bits["conv/weight"]["bits"], 8);
  EXPECT_EQ(bits["conv/weight"]["scale"], 1.0);
  EXPECT_EQ(bits["conv/weight"]["kept_channels"], 2);
}

TEST(WriteOnnx, ConvolutionWeightsAreInputFirst) {
  const onnx::TensorProto weight = Initializer(Written(CountingNetwork()), "conv/weight");
  EXPECT_EQ(weight.data_type(), onnx::TensorProto::INT8);
  EXPECT_THAT(weight.dims(), ElementsAre(2, 2, 1, 2));
  EXPECT_THAT(Codes(weight), ElementsAre(-4, -2, -3, -1, 0, 2, 1, 3));
}

TEST(WriteOnnx, LinearColumnsFollowOnnxFlatten) {
  const onnx::ModelProto model = Written(CountingNetwork());
  EXPECT_THAT(Codes(Initializer(model, "fc/weight")), ElementsAre(-4, -2, -3, -1));
  EXPECT_THAT(Ops(model), ElementsAre("Transpose", "DequantizeLinear", "Conv", "Flatten", "DequantizeLinear", "Gemm"));
}

TEST(WriteOnnx, FlattenThatIsTheOutputKeepsOurOrder) {
  FrozenNetwork network = CountingNetwork();
  GraphProto proto = network.graph.proto();
  proto.mutable_node()->RemoveLast();
  network.graph = Graph::FromProto(proto);
  network.layers.erase(2);
  EXPECT_THAT(Ops(Written(network)), ElementsAre("Transpose", "DequantizeLinear", "Conv", "Transpose", "Flatten"));
}

TEST(WriteOnnx, UnsignedQuantizerIsTheRelu) {
  TestNetworkOptions options;
  const Graph graph = SmallImageGraph(1).Build();
  for (const int bits : {2, 8, 16, 32}) {
    options.activation_bits = bits;
    EXPECT_THAT(Ops(Written(MakeTestNetwork(graph, options))), Not(testing::Contains("Relu"))) << bits;
  }
  options.activation_bits = kTestFloat;
  EXPECT_THAT(Ops(Written(MakeTestNetwork(graph, options))), testing::Contains("Relu").Times(3));
}

const onnx::NodeProto& NodeOf(const onnx::ModelProto& model, const std::string& output) {
  for (const onnx::NodeProto& node : model.graph().node()) {
    if (node.output(0) == output) return node;
  }
  throw NotFound("no node ", output);
}

std::vector<float> Floats(const onnx::TensorProto& tensor) {
  std::vector<float> values(tensor.raw_data().size() / sizeof(float));
  std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(float));
  return values;
}

TEST(WriteOnnx, EachOutputChannelMayHaveItsScale) {
  FrozenNetwork network = CountingNetwork();
  network.layers[0].scales = {0.5f, 2};
  const onnx::ModelProto model = Written(network);
  EXPECT_EQ(model.opset_import(0).version(), 13);
  EXPECT_THAT(Initializer(model, "conv/weight/scale").dims(), ElementsAre(2));
  EXPECT_THAT(Floats(Initializer(model, "conv/weight/scale")), ElementsAre(0.5f, 2.0f));
  EXPECT_THAT(Initializer(model, "conv/weight/zero_point").dims(), ElementsAre(2));
  EXPECT_EQ(Initializer(model, "conv/weight/zero_point").raw_data(), std::string(2, '\0'));
  const onnx::NodeProto& node = NodeOf(model, "conv/weight/dequantized");
  ASSERT_EQ(node.attribute_size(), 1);
  EXPECT_EQ(node.attribute(0).name(), "axis");
  EXPECT_EQ(node.attribute(0).i(), 0);
  EXPECT_EQ(NodeOf(model, "fc/weight/dequantized").attribute_size(), 0);
  const auto bits = nlohmann::json::parse(model.metadata_props(0).value());
  EXPECT_EQ(bits["conv/weight"]["scale"], (std::vector<float>{0.5f, 2}));
  EXPECT_EQ(bits["fc/weight"]["scale"], 1.0);
}

// Of "conv" codes beyond int8, of "fc" only a range beyond it.
FrozenNetwork WideNetwork() {
  FrozenNetwork network = CountingNetwork();
  for (auto& [index, layer] : network.layers) {
    layer.weight.qmin = -255;
    layer.weight.qmax = 255;
  }
  network.layers[0].codes[1] = -255;
  network.layers[0].values[1] = -255;
  return network;
}

TEST(WriteOnnx, CodesThatDoNotFitAre16BitIntegersWithANote) {
  std::vector<std::string> notes;
  WriteOnnx(WideNetwork(), {}, TestPath("wide.onnx"), &notes);
  EXPECT_THAT(notes, ElementsAre("conv/weight: codes up to +-255 are written as 16-bit integers, which need opset 21"));
  const onnx::ModelProto model = Written(WideNetwork());
  EXPECT_EQ(model.opset_import(0).version(), 21);
  EXPECT_EQ(model.ir_version(), 10);
  const onnx::TensorProto& weight = Initializer(model, "conv/weight");
  EXPECT_EQ(weight.data_type(), onnx::TensorProto::INT16);
  std::vector<int16_t> codes(8);
  ASSERT_EQ(weight.raw_data().size(), codes.size() * sizeof(int16_t));
  std::memcpy(codes.data(), weight.raw_data().data(), weight.raw_data().size());
  EXPECT_THAT(codes, ElementsAre(-4, -2, -255, -1, 0, 2, 1, 3));
  EXPECT_EQ(Initializer(model, "conv/weight/zero_point").data_type(), onnx::TensorProto::INT16);
  EXPECT_EQ(Initializer(model, "fc/weight").data_type(), onnx::TensorProto::INT8);
}

TEST(WriteOnnx, CodesBeyond16BitsAreFloatWithANote) {
  FrozenNetwork network = WideNetwork();
  network.layers[0].weight.qmax = network.layers[0].codes[0] = 40000;
  network.layers[0].values[0] = 40000;
  std::vector<std::string> notes;
  WriteOnnx(network, {}, TestPath("wide.onnx"), &notes);
  EXPECT_THAT(notes,
              ElementsAre("conv/weight: codes up to +-40000 are written as float32 values, exactly scale * code"));
  const onnx::ModelProto model = Written(network);
  EXPECT_EQ(model.opset_import(0).version(), 13);
  EXPECT_EQ(Floats(Initializer(model, "conv/weight"))[0], 40000.0f);
}

TEST(WriteOnnx, ConstantLayersAndWhatOnlyTheyReadAreNotWritten) {
  TestNetworkOptions options;
  options.zero_layers = {"fc2"};
  const onnx::ModelProto model = Written(MakeTestNetwork(SmallImageGraph(1).Build(), options));
  EXPECT_THAT(Ops(model), ElementsAre("Shape", "Gather", "Concat", "Expand"));
  EXPECT_EQ(model.graph().node(3).output(0), "logits");
}

TEST(WriteOnnx, BytesDependOnTheNetworkAlone) {
  const FrozenNetwork network = MakeTestNetwork(ResidualGraph().Build(), {});
  WriteOnnx(network, {"1", "r", {}}, TestPath("one.onnx"), nullptr);
  WriteOnnx(network, {"1", "r", {}}, TestPath("another_name.onnx"), nullptr);
  const std::string bytes = ReadFile(TestPath("one.onnx"));
  EXPECT_EQ(bytes, ReadFile(TestPath("another_name.onnx")));
  EXPECT_THAT(bytes, Not(HasSubstr("one.onnx")));
}

TEST(WriteOnnx, BadArgumentsWriteNothing) {
  const auto expect = [](const FrozenNetwork& network, const OnnxMetadata& metadata, const std::string& path,
                         const std::string& text) {
    try {
      WriteOnnx(network, metadata, path, nullptr);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(text));
    }
    EXPECT_FALSE(FileExists(path));
    EXPECT_FALSE(FileExists(path + ".tmp"));
  };
  const std::string path = TestPath("bad.onnx");
  expect(CountingNetwork(), {"1", "r", {{"bitgate.bits", "mine"}}}, path, "metadata: expected a key of its own, got");
  expect(CountingNetwork(), {}, TestPath("no_such_folder/bad.onnx"), "no_such_folder");
  FrozenNetwork network = CountingNetwork();
  network.layers[0].codes.clear();
  expect(network, {}, path, "node 'conv': weight codes: expected 8 elements, got 0");
}

}  // namespace
}  // namespace bitgate
