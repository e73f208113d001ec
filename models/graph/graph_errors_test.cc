// Every way in which a graph can be wrong, with the message that its author sees.
#include <gtest/gtest.h>

#include <string>

#include "models/graph/builder.h"
#include "models/graph/graph.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::string MessageOf(const std::string& text) {
  try {
    Graph::FromText(text, "file");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

// A graph 'g' with input [6, 6, 4] and these nodes.
std::string MessageOfNodes(const std::string& nodes) {
  return MessageOf("name: 'g' input { shape: [6, 6, 4] } " + nodes);
}

// One node 'n' of this kind on the input.
std::string MessageOfNode(const std::string& kind, const std::string& rest) {
  return MessageOfNodes("node { name: 'n' kind: '" + kind + "' input: 'input' " + rest + " }");
}

std::string MessageOfInput(const std::string& input) {
  return MessageOf("name: 'g' input { " + input + " } node { name: 'n' kind: 'relu' input: 'input' }");
}

TEST(GraphErrors, Syntax) {
  EXPECT_EQ(MessageOf("name: 'g'\n  knode { }"),
            "file:2:9: Message type \"bitgate.GraphProto\" has no field named \"knode\". (expected a graph in protobuf "
            "text format)");
  EXPECT_EQ(MessageOf("name: 'g' input { shape: [1, 'x'] }").substr(0, 10), "file:1:30:");
  EXPECT_EQ(MessageOf("name: 'g").substr(0, 5), "file:");
  EXPECT_EQ(MessageOf(std::string("\0\xff\x7f", 3)).substr(0, 5), "file:");
  EXPECT_EQ(MessageOfNode("conv2d", "attributes { kernel: 99999999999 }").substr(0, 7), "file:1:");
}

TEST(GraphErrors, Names) {
  EXPECT_EQ(MessageOf(""), "file: graph: name: expected letters, digits, '_', '-' and '.', got ''");
  EXPECT_EQ(MessageOf("name: 'a/b'"), "file: graph: name: expected letters, digits, '_', '-' and '.', got 'a/b'");
  EXPECT_EQ(MessageOf("name: 'g'"), "file: graph 'g': node: expected at least one, got none");
  EXPECT_EQ(MessageOfNodes("node { name: 'a' kind: 'relu' input: 'input' } node { kind: 'relu' input: 'a' }"),
            "file: graph 'g': node 2 of 2: name: expected letters, digits, '_', '-' and '.', got ''");
  EXPECT_EQ(MessageOfNodes("node { name: 'a' kind: 'relu' input: 'input' } node { name: 'a' kind: 'relu' input: 'a' }"),
            "file: graph 'g': node 'a': name: expected a name of its own, got one that is used already");
  EXPECT_EQ(MessageOfNodes("node { name: 'input' kind: 'relu' input: 'input' }"),
            "file: graph 'g': node 'input': name: expected a name of its own, got one that is used already");
}

TEST(GraphErrors, Input) {
  EXPECT_EQ(MessageOfInput("name: 'a b'"),
            "file: graph 'g': input: name: expected letters, digits, '_', '-' and '.', got 'a b'");
  EXPECT_EQ(MessageOfInput("shape: [2, 2]"),
            "file: graph 'g': input: shape: expected [height, width, channels] or [features], got [2, 2]");
  EXPECT_EQ(MessageOfInput(""),
            "file: graph 'g': input: shape: expected [height, width, channels] or [features], got []");
  EXPECT_EQ(MessageOfInput("shape: [2, 0, 1]"),
            "file: graph 'g': input: shape: expected positive sizes, got [2, 0, 1]");
  EXPECT_EQ(MessageOfInput("shape: -3"), "file: graph 'g': input: shape: expected positive sizes, got [-3]");
  EXPECT_EQ(MessageOfInput("shape: [3037000500, 3037000500, 2]"),
            "file: graph 'g': input: shape: expected at most 2147483647 elements, got [3037000500, 3037000500, 2]");
}

TEST(GraphErrors, Preprocessing) {
  EXPECT_EQ(MessageOfInput("shape: 3 preprocessing { mean: [1, 2] }"),
            "file: graph 'g': input: preprocessing: mean: expected one value, or one for each of 3 features, got 2");
  EXPECT_EQ(MessageOfInput("shape: [4, 4, 3] preprocessing { std: [1, 2] }"),
            "file: graph 'g': input: preprocessing: std: expected one value, or one for each of 3 channels, got 2");
  EXPECT_EQ(MessageOfInput("shape: 2 preprocessing { std: [1, 0] }"),
            "file: graph 'g': input: preprocessing: std: expected positive values, got 0");
  EXPECT_EQ(MessageOfInput("shape: 2 preprocessing { mean: [1, nan] }"),
            "file: graph 'g': input: preprocessing: mean: expected finite float32 values, got nan");
  EXPECT_EQ(MessageOfInput("shape: 2 preprocessing { scale: 0 }"),
            "file: graph 'g': input: preprocessing: scale: expected a finite value other than 0, got 0");
}

TEST(GraphErrors, KindsAndInputs) {
  EXPECT_EQ(MessageOfNode("conv", ""),
            "file: graph 'g': node 'n': kind: expected one of add, average_pool, batch_norm, conv2d, flatten, linear, "
            "max_pool, pad_channels, relu, got 'conv'");
  EXPECT_EQ(MessageOfNode("add", ""), "file: graph 'g': node 'n': input: expected 2 for kind add, got 1");
  EXPECT_EQ(MessageOfNode("relu", "input: 'input'"),
            "file: graph 'g': node 'n': input: expected 1 for kind relu, got 2");
  EXPECT_EQ(MessageOfNodes("node { name: 'n' kind: 'relu' }"),
            "file: graph 'g': node 'n': input: expected 1 for kind relu, got 0");
  EXPECT_EQ(MessageOfNodes("node { name: 'n' kind: 'relu' input: 'm' }"),
            "file: graph 'g': node 'n': input: expected the name of a node or of the network's input, got 'm'");
}

TEST(GraphErrors, Structure) {
  EXPECT_EQ(MessageOfNodes(
                "node { name: 'a' kind: 'relu' input: 'c' } node { name: 'b' kind: 'relu' input: 'a' }"
                "node { name: 'c' kind: 'add' input: 'input' input: 'b' } node { name: 'd' kind: 'relu' input: 'c' }"),
            "file: graph 'g': node: expected no cycle, got a -> b -> c -> a");
  EXPECT_EQ(MessageOfNodes("node { name: 'after' kind: 'relu' input: 'self' }"
                           "node { name: 'self' kind: 'relu' input: 'self' }"),
            "file: graph 'g': node: expected no cycle, got self -> self");
  EXPECT_EQ(
      MessageOfNodes("node { name: 'a' kind: 'relu' input: 'input' } node { name: 'b' kind: 'relu' input: 'input' }"),
      "file: graph 'g': node 'a': expected a way to the output 'b', got none");
  EXPECT_EQ(
      MessageOfNodes(
          "node { name: 'a' kind: 'relu' input: 'input' } node { name: 'b' kind: 'relu' input: 'a' } output: 'a'"),
      "file: graph 'g': node 'b': expected a way to the output 'a', got none");
  EXPECT_EQ(MessageOfNodes("node { name: 'a' kind: 'relu' input: 'input' } output: 'z'"),
            "file: graph 'g': output: expected the name of a node, got 'z'");
  EXPECT_EQ(MessageOfNodes("node { name: 'a' kind: 'relu' input: 'input' } output: 'input'"),
            "file: graph 'g': output: expected the name of a node, got 'input'");
}

TEST(GraphErrors, TooManyNodes) {
  std::string nodes;
  for (int i = 0; i <= 10000; ++i) nodes += "node { } ";
  EXPECT_EQ(MessageOfNodes(nodes), "file: graph 'g': node: expected at most 10000, got 10001");
}

TEST(GraphErrors, AttributeNames) {
  EXPECT_EQ(MessageOfNode("relu", "attributes { kernel: 2 }"),
            "file: graph 'g': node 'n': attributes: expected only none, got 'kernel'");
  EXPECT_EQ(MessageOfNode("max_pool", "attributes { kernel: 2 bias: true }"),
            "file: graph 'g': node 'n': attributes: expected only kernel, stride, padding, got 'bias'");
  EXPECT_EQ(MessageOfNode("conv2d", "attributes { channels: 2 }"),
            "file: graph 'g': node 'n': attribute kernel: expected a value, got none");
  EXPECT_EQ(MessageOfNode("max_pool", ""), "file: graph 'g': node 'n': attribute kernel: expected a value, got none");
}

TEST(GraphErrors, ConvolutionAttributes) {
  const auto message = [](const std::string& attributes) {
    return MessageOfNode("conv2d", "attributes { " + attributes + " }");
  };
  EXPECT_EQ(message("channels: 0 kernel: 3"),
            "file: graph 'g': node 'n': attribute channels: expected positive sizes, got [0]");
  EXPECT_EQ(
      message("channels: 9000000000000000000 kernel: 3"),
      "file: graph 'g': node 'n': attribute channels: expected at most 2147483647 elements, got [9000000000000000000]");
  EXPECT_EQ(message("channels: 1000000000 kernel: 3"),
            "file: graph 'g': node 'n': output: expected at most 2147483647 elements, got [4, 4, 1000000000]");
  EXPECT_EQ(message("channels: 2147483647 kernel: 6"),
            "file: graph 'g': node 'n': weight: expected at most 2147483647 elements, got [2147483647, 6, 6, 4]");
  EXPECT_EQ(message("channels: 2 kernel: [1, 2, 3]"),
            "file: graph 'g': node 'n': attribute kernel: expected one or two values, got 3");
  EXPECT_EQ(message("channels: 2 kernel: [3, 0]"),
            "file: graph 'g': node 'n': attribute kernel: expected at least 1, got 0");
  EXPECT_EQ(message("channels: 2 kernel: 3 stride: 0"),
            "file: graph 'g': node 'n': attribute stride: expected at least 1, got 0");
  EXPECT_EQ(message("channels: 2 kernel: 3 padding: -1"),
            "file: graph 'g': node 'n': attribute padding: expected at least 0, got -1");
  EXPECT_EQ(message("channels: 2 kernel: [3, 9] padding: 1"),
            "file: graph 'g': node 'n': attribute kernel: expected at most the padded input [8, 8], got [3, 9]");
  EXPECT_EQ(
      message("channels: 2 kernel: 3 padding: 2147483647"),
      "file: graph 'g': node 'n': padded input: expected at most 2147483647 elements, got [4294967300, 4294967300, 4]");
  for (const char* groups : {"3", "0", "-2", "4"}) {
    EXPECT_EQ(message(std::string("channels: 6 kernel: 3 groups: ") + groups),
              std::string("file: graph 'g': node 'n': attribute groups: expected a divisor of the 4 input and 6 output "
                          "channels, got ") +
                  groups);
  }
}

TEST(GraphErrors, BatchNormAttributes) {
  const auto message = [](const std::string& attributes) {
    return MessageOfNode("batch_norm", "attributes { " + attributes + " }");
  };
  const std::string epsilon = "file: graph 'g': node 'n': attribute epsilon: expected a number above 0, got ";
  EXPECT_EQ(message("epsilon: 0"), epsilon + "0");
  EXPECT_EQ(message("epsilon: -1e-5"), epsilon + "-1e-05");
  EXPECT_EQ(message("epsilon: nan"), epsilon + "nan");
  EXPECT_EQ(message("epsilon: inf"), epsilon + "inf");
  EXPECT_EQ(message("epsilon: 1e-60"), epsilon + "1e-60");  // 0 as a float32
  const std::string momentum = "file: graph 'g': node 'n': attribute momentum: expected a number in [0, 1], got ";
  EXPECT_EQ(message("momentum: -0.1"), momentum + "-0.1");
  EXPECT_EQ(message("momentum: 1.5"), momentum + "1.5");
  EXPECT_EQ(message("momentum: nan"), momentum + "nan");
  EXPECT_EQ(message("channels: 4"),
            "file: graph 'g': node 'n': attributes: expected only epsilon, momentum, got 'channels'");
}

TEST(GraphErrors, PlaceOfABatchNorm) {
  const std::string conv =
      "node { name: 'conv' kind: 'conv2d' input: 'input' attributes { channels: 2 kernel: 3 bias: false } }";
  const std::string norm = "node { name: 'bn' kind: 'batch_norm' input: 'conv' }";
  const std::string where = "file: graph 'g': node 'bn': input: expected ";
  EXPECT_EQ(MessageOfNodes(conv + norm), "no error");
  EXPECT_EQ(MessageOfNodes("node { name: 'bn' kind: 'batch_norm' input: 'input' }"),
            where + "a conv2d or linear, got the network's input");
  EXPECT_EQ(MessageOfNodes(conv + "node { name: 'relu' kind: 'relu' input: 'conv' }"
                                  "node { name: 'bn' kind: 'batch_norm' input: 'relu' }"),
            where + "a conv2d or linear, got 'relu' of kind relu");
  EXPECT_EQ(MessageOfNodes(conv + norm + "node { name: 'again' kind: 'batch_norm' input: 'bn' }"),
            "file: graph 'g': node 'again': input: expected a conv2d or linear, got 'bn' of kind batch_norm");
  EXPECT_EQ(MessageOfNodes(conv + norm + "node { name: 'sum' kind: 'add' input: 'conv' input: 'bn' }"),
            where + "a layer whose output nothing else takes, got 'conv'");
  EXPECT_EQ(MessageOfNodes("output: 'conv'" + conv + norm),
            where + "a layer whose output nothing else takes, got 'conv'");
  EXPECT_EQ(
      MessageOfNodes("node { name: 'conv' kind: 'conv2d' input: 'input' attributes { channels: 2 kernel: 3 } }" + norm),
      where + "a layer with attributes { bias: false } (the shift beta is one), got 'conv'");
}

TEST(GraphErrors, PadChannels) {
  EXPECT_EQ(MessageOfNode("pad_channels", ""),
            "file: graph 'g': node 'n': attribute channels: expected a value, got none");
  EXPECT_EQ(MessageOfNode("pad_channels", "attributes { channels: 3 }"),
            "file: graph 'g': node 'n': attribute channels: expected at least the input's 4, got 3");
  EXPECT_EQ(MessageOfNode("pad_channels", "attributes { channels: 1000000000 }"),
            "file: graph 'g': node 'n': attribute channels: expected at most 2147483647 elements, got [6, 6, "
            "1000000000]");
}

TEST(GraphErrors, Shapes) {
  EXPECT_EQ(MessageOfNode("linear", "attributes { channels: 2 }"),
            "file: graph 'g': node 'n': input: expected [features] (put a flatten node before), got [6, 6, 4]");
  EXPECT_EQ(MessageOf("name: 'g' input { shape: 1000000 } node { name: 'n' kind: 'linear' input: 'input' attributes { "
                      "channels: 1000000 } }"),
            "file: graph 'g': node 'n': weight: expected at most 2147483647 elements, got [1000000, 1000000]");
  EXPECT_EQ(
      MessageOf(
          "name: 'g' input { shape: 9 } node { name: 'n' kind: 'max_pool' input: 'input' attributes { kernel: 2 } }"),
      "file: graph 'g': node 'n': input: expected [height, width, channels], got [9]");
  EXPECT_EQ(MessageOfNodes("node { name: 'p' kind: 'max_pool' input: 'input' attributes { kernel: 2 } }"
                           "node { name: 's' kind: 'add' input: 'input' input: 'p' }"),
            "file: graph 'g': node 's': inputs: expected equal shapes, got [6, 6, 4] and [3, 3, 4]");
  EXPECT_EQ(MessageOfNode("max_pool", "attributes { kernel: 7 }"),
            "file: graph 'g': node 'n': attribute kernel: expected at most the padded input [6, 6], got [7, 7]");
  EXPECT_EQ(MessageOfNode("average_pool", "attributes { kernel: 2 padding: 2 }"),
            "file: graph 'g': node 'n': attribute padding: expected less than the kernel [2, 2], got [2, 2]");
  EXPECT_EQ(MessageOfNode("average_pool", "attributes { stride: 2 }"),
            "file: graph 'g': node 'n': attribute kernel: expected a value beside stride or padding, got none");
  EXPECT_EQ(
      MessageOfNode("max_pool", "attributes { kernel: 2000000007 stride: 1 padding: 1000000001 }"),
      "file: graph 'g': node 'n': padded input: expected at most 2147483647 elements, got [2000000008, 2000000008, 4]");
}

TEST(GraphErrors, Precision) {
  const std::string conv = "attributes { channels: 2 kernel: 3 } ";
  EXPECT_EQ(MessageOfNode("conv2d", conv + "weight { allowed_bits: [4, 3] }"),
            "file: graph 'g': node 'n': weight: allowed_bits: expected a subset of 0, 2, 4, 8, 16, 32, got 3");
  EXPECT_EQ(MessageOfNode("conv2d", conv + "output { allowed_bits: [0, 4] }"),
            "file: graph 'g': node 'n': output: allowed_bits: expected a subset of 2, 4, 8, 16, 32, got 0");
  EXPECT_EQ(MessageOfNode("conv2d", conv + "weight { allowed_bits: 0 }"),
            "file: graph 'g': node 'n': weight: allowed_bits: expected a bit width besides 0, got only 0");
  EXPECT_EQ(MessageOfNode("conv2d", conv + "weight { allowed_bits: 4 leave_float: true }"),
            "file: graph 'g': node 'n': weight: expected either allowed_bits or leave_float, got both");
  EXPECT_EQ(MessageOfNode("relu", "weight { allowed_bits: 4 }"),
            "file: graph 'g': node 'n': weight: expected none for kind relu, got one");
  EXPECT_EQ(MessageOfNode("flatten", "output { allowed_bits: 4 }"),
            "file: graph 'g': node 'n': output: expected none for kind flatten, got one");
  EXPECT_EQ(MessageOfNode("relu", "} default_weight { allowed_bits: 5"),
            "file: graph 'g': default_weight: allowed_bits: expected a subset of 0, 2, 4, 8, 16, 32, got 5");
  EXPECT_EQ(MessageOfNode("relu", "} default_output { allowed_bits: 0"),
            "file: graph 'g': default_output: allowed_bits: expected a subset of 2, 4, 8, 16, 32, got 0");
}

TEST(GraphErrors, Builder) {
  const auto message = [](const AttributeValues& attributes) -> std::string {
    GraphBuilder b("g");
    try {
      b.Node("n", "conv2d", {"input"}, attributes);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(
      message({{"kernels", 3}}),
      "graph 'g': node 'n': attributes: expected one of channels, kernel, stride, padding, groups, bias, epsilon, "
      "momentum, got 'kernels'");
  EXPECT_EQ(
      message({{"momentum", 1}}),
      "graph 'g': node 'n': attribute momentum: expected an attribute of integers, got one of type double: set it "
      "in the text format of graphs");
  EXPECT_EQ(message({{"kernel", 3}, {"kernel", 5}}), "graph 'g': node 'n': attribute kernel: expected once, got twice");
  EXPECT_EQ(message({{"channels", {3, 5}}}), "graph 'g': node 'n': attribute channels: expected one value, got 2");
  EXPECT_EQ(message({{"bias", 2}}), "graph 'g': node 'n': attribute bias: expected a value between 0 and 1, got 2");
  EXPECT_EQ(
      message({{"kernel", int64_t{1} << 31}}),
      "graph 'g': node 'n': attribute kernel: expected a value between -2147483648 and 2147483647, got 2147483648");
}

}  // namespace
}  // namespace bitgate
