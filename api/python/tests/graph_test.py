"""Graphs, configurations and quantizer options."""

import copy
import pickle
import unittest

import support

import bitgate as bg


class GraphTest(support.Case):

    def test_reads_like_the_network(self):
        g = bg.GraphBuilder("two_ways")
        x = g.input([28, 28, 1], scale=1 / 255, mean=0.5, std=[0.25])
        x = g.conv2d(x, 8, kernel=(5, 3), padding=2, stride=1, weight_bits=[4, 8])
        x = g.relu(x, output_bits=[8])
        a = g.conv2d(x, 8, kernel=3, padding=1, bias=False, groups=2)
        b = g.conv2d(x, 8, kernel=1, name="short")
        x = g.add(a, b)
        x = g.relu(x)
        x = g.max_pool(x, 2)
        x = g.average_pool(x, kernel=2, stride=2)
        x = g.flatten(x)
        x = g.linear(x, 10, weight_bits="float")
        graph = g.build()
        self.assertEqual([node["name"] for node in graph.nodes],
                         ["conv1", "relu1", "conv2", "short", "add1", "relu2", "pool1", "pool2", "flatten1", "fc1"])
        self.assertEqual((graph.name, graph.input_shape, graph.output_shape), ("two_ways", (28, 28, 1), (10,)))
        self.assertEqual(graph.nodes[0]["inputs"], ["input"])
        self.assertEqual(graph.nodes[0]["shape"], (28, 30, 8))
        self.assertIn("allowed_bits: [4, 8]", str(graph).replace("allowed_bits: 4\n    allowed_bits: 8",
                                                                "allowed_bits: [4, 8]"))
        self.assertIn("leave_float: true", graph.text)
        self.assertEqual(bg.Graph.from_text(str(graph)), graph)
        self.assertEqual(pickle.loads(pickle.dumps(graph)), graph)
        self.assertEqual(hash(copy.deepcopy(graph)), hash(graph))
        path = self.folder / "graph.textproto"
        path.write_text(graph.text, encoding="utf-8")
        self.assertEqual(bg.Graph.from_file(path), graph)

    def test_equals_its_text(self):
        text = """
            name: "tiny"
            input { shape: [8, 8, 1]  preprocessing { scale: 0.00392156862745098 mean: 0.25 std: 0.5 } }
            node { name: "conv1"  kind: "conv2d"  input: "input"  attributes { channels: 6  kernel: 3 } }
            node { name: "relu1"  kind: "relu"  input: "conv1" }
            node { name: "pool1"  kind: "max_pool"  input: "relu1"  attributes { kernel: 2 } }
            node { name: "flatten1"  kind: "flatten"  input: "pool1" }
            node { name: "fc1"  kind: "linear"  input: "flatten1"  attributes { channels: 12 } }
            node { name: "relu2"  kind: "relu"  input: "fc1" }
            node { name: "fc2"  kind: "linear"  input: "relu2"  attributes { channels: 4 } }"""
        built, read = support.tiny_graph(), bg.Graph.from_text(text)
        self.assertEqual(built.nodes, read.nodes)

    def test_refusals(self):
        g = bg.GraphBuilder("tiny")
        x = g.input([4, 4, 1])
        g.conv2d(x, 2, kernel=9)
        self.check(ValueError, "node 'conv1'", "kernel", call=g.build)
        self.check(ValueError, "attribute", call=lambda: g.node("conv2d", x, kernels=3))
        self.check(ValueError, "'float'", call=lambda: g.conv2d(x, 2, kernel=1, weight_bits="none"))
        self.check(ValueError, "got none", call=lambda: g.conv2d(x, 2, kernel=1, weight_bits=[]))
        self.check(RuntimeError, "got none yet", call=lambda: bg.GraphBuilder("a")._core.weight_bits([4]))
        self.check(ValueError, "lenet5", call=lambda: bg.Graph.zoo("alexnet"))
        self.check(ValueError, "my graph:1:7", call=lambda: bg.Graph.from_text("name: 5", "my graph"))
        self.check(FileNotFoundError, "missing", call=lambda: bg.Graph.from_file(self.folder / "missing"))


class ConfigTest(support.Case):

    def test_settings(self):
        config = bg.Config.from_recipe("lenet5_fashion_quickstart")
        self.assertIn("lenet5_fashion_quickstart", bg.recipes())
        self.assertEqual(config.get("training.epochs"), 5)
        self.assertEqual(config.get("quantizer.initially_closed_bits"), [16, 32])
        self.assertEqual(config.get("training.weights.kind"), "ADAM")
        for path, value in (("training.epochs", 7), ("quantizer.mu", 0.25), ("quantizer.stochastic_gates", False),
                            ("training.weights.schedule.step_epochs", [3, 5]), ("training.weights.kind", "SGD"),
                            ("quantizer.method", "float"), ("quantizer.initially_closed_bits", [])):
            config.set(path, value)
            self.assertEqual(config.get(path), value)
            self.assertIn(path, bg.Config.settings())
        self.assertEqual(bg.Config.from_text(config.text), config)
        self.assertEqual(pickle.loads(pickle.dumps(config)), config)
        other = copy.deepcopy(config)
        other.set("training.epochs", 8)
        self.assertNotEqual(other, config)
        self.assertIn("training.epochs", config.difference(other))

    def test_refusals(self):
        config = bg.Config.from_zoo("lenet5")
        text = config.text
        self.check(ValueError, "did you mean training.epochs?", call=lambda: config.set("training.epoch", 1))
        self.check(ValueError, "did you mean training.epochs?", call=lambda: config.get("training.epoch"))
        self.check(ValueError, "whole number", call=lambda: config.set("training.epochs", 1.5))
        self.check(ValueError, "network", call=lambda: config.set("network.zoo", "lenet5"))
        self.check(ValueError, "whole number", call=lambda: config.set("quantizer.initially_closed_bits", [4, "x"]))
        self.assertEqual(config.text, text)
        self.check(ValueError, "lenet5", call=lambda: bg.Config.from_zoo("alexnet"))
        self.check(FileNotFoundError, "lenet5_float", call=lambda: bg.Config.from_recipe("no_such_recipe"))
        config.set("training.batch_size", 0)
        self.check(ValueError, "training.batch_size", call=config.check)

    def test_a_recipe_of_ones_own(self):
        config = bg.Config.from_recipe(self.write_recipe())
        self.assertEqual(config.graph, support.tiny_graph())


class QuantizerTest(support.Case):

    def test_only_what_is_given_is_set(self):
        for options, text in (
            ({}, ""),
            ({"mu": 0.1}, "mu: 0.1"),
            ({"mu": 1, "stochastic_gates": False}, "mu: 1 stochastic_gates: false"),
            ({"cost_weighting": "constant", "initial_gate": 2.5}, "cost_weighting: CONSTANT initial_gate: 2.5"),
            ({"initially_closed_bits": (16, 32)}, "initially_closed_bits: [16, 32]"),
        ):
            config = bg.Config.from_zoo("lenet5")
            bg.BayesianBits(**options).apply(config)
            expected = 'network { zoo: "lenet5" }' + (f" quantizer {{ {text} }}" if text else "")
            self.assertEqual(config.text, bg.Config.from_text(expected).text)
        config = bg.Config.from_recipe("lenet5_float")
        bg.BayesianBits().apply(config)
        self.assertEqual(config.get("quantizer.method"), "bayesian_bits")
        bg.Float().apply(config)
        self.assertEqual(config.get("quantizer.method"), "float")
        self.check(ValueError, "BOPS", call=lambda: bg.BayesianBits(cost_weighting="none").apply(config))


if __name__ == "__main__":
    unittest.main()
