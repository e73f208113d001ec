"""BSQ from data to export, and in loops of one's own."""

import unittest
import warnings

import numpy
import support

import bitgate as bg

TENSORS = ["conv1/weight", "fc1/weight", "fc1/bias", "fc2/weight", "fc2/bias"]


def tiny_graph():
    g = bg.GraphBuilder("tiny_bsq")
    x = g.input([support.SIZE, support.SIZE, 1], scale=1 / 255, mean=0.25, std=0.5)
    x = g.node("batch_norm", g.conv2d(x, 6, kernel=3, bias=False))
    x = g.max_pool(g.relu(x), 2)
    g.linear(g.relu(g.linear(g.flatten(x), 12)), support.CLASSES)
    return g.build()


def tiny_model(alpha=0.05):
    model = bg.Model(tiny_graph(), bg.BSQ(alpha=alpha, initial_bits=5), seed=7)
    config = model.config
    for path, value in {"training.weights.kind": "SGD", "training.weights.learning_rate": 0.5,
                        "training.weights.momentum": 0.9, "training.ranges.learning_rate": 0,
                        "training.batch_size": 32, "fine_tune.weights.learning_rate": 0.001,
                        "fine_tune.ranges.learning_rate": 0, "evaluation.batch_size": 64}.items():
        config.set(path, value)
    model.config = config
    return model


class WholeJobTest(support.Case):

    def test_from_data_to_export(self):
        data, net, seen = support.tiny_data(), tiny_model(), []
        run = bg.Trainer(net, data, epochs=5, requantize_every=2).fit(on_requantize=seen.append)
        self.assertEqual(run.trainer.model.config.get("training.requantize_every"), 2)
        self.assertEqual(len(seen), 3)  # after epochs 2 and 4, and after the last
        self.assertTrue(all([tensor.name for tensor in report.tensors] == TENSORS for report in seen))
        changed = [tensor for report in seen for tensor in report.tensors if tensor.bits < tensor.bits_before]
        self.assertTrue(changed)
        last = {tensor.name: tensor.bits for tensor in seen[-1].tensors}
        self.assertEqual(last["conv1/weight"], run.history[-1]["bits"]["conv1/weight"])
        self.assertIn("conv1/weight: ", str(seen[0]))
        self.assertIn("<table>", seen[0]._repr_html_())
        self.assertEqual(seen[0].to_dicts()[0]["bits_before"], 5)
        self.assertGreater(run.accuracy, 0.7)
        net.freeze()
        tuned = run.fine_tune(epochs=2)
        self.assertGreater(tuned.accuracy, 0.7)
        path = self.folder / "m.onnx"
        net.export_onnx(path)
        self.assertGreaterEqual((support.onnx_classes(path, data.test.images) == net.predict(data.test.images)).mean(),
                                0.99)

    def test_freezing_within_a_run(self):
        froze = []
        run = bg.Trainer(tiny_model(), support.tiny_data(), epochs=1, requantize_every=1,
                         settings={"fine_tune.epochs": 1}).fit(on_freeze=froze.append)
        self.assertEqual(([epoch["phase"] for epoch in run.history], len(froze)), (["gates", "fine_tune"], 1))

    def test_no_bits_left(self):
        """A warning by name, and the training goes on."""
        seen = []
        with self.assertWarnsRegex(RuntimeWarning, "all layers have 0 bits.*conv1/weight.*fc2/weight") as caught:
            run = bg.Trainer(tiny_model(alpha=100), support.tiny_data(), epochs=6, requantize_every=2).fit(
                on_requantize=seen.append)
        self.assertEqual(caught.filename, __file__)
        self.assertEqual((run.epochs, len(seen)), (6, 3))
        self.assertIn("all layers", str(seen[-1]))

    def test_a_callback_stops(self):
        data, output = support.tiny_data(192, 64), self.folder / "run.safetensors"
        whole = bg.Trainer(tiny_model(), data, 4, requantize_every=2, output=self.folder / "whole.safetensors")
        whole.fit()
        trainer = bg.Trainer(tiny_model(), data, 4, requantize_every=2, output=output)
        run = trainer.fit(on_requantize=lambda report: False)
        self.assertEqual((run.stopped, run.epochs), (True, 1))

        def fails(report):
            raise KeyError("mine")

        self.check(KeyError, "mine", call=lambda: trainer.fit(on_requantize=fails))
        del trainer, run
        resumed = bg.Trainer(tiny_model(), data, 4, requantize_every=2, output=output, existing="resume").fit()
        self.assertEqual(resumed.epochs, 3)
        self.assertEqual(output.read_bytes(), (self.folder / "whole.safetensors").read_bytes())

    def test_wrong_values(self):
        data = support.tiny_data(96, 32)
        for options, text in (({"alpha": -1}, "alpha"), ({"initial_bits": 9}, "initial_bits"),
                              ({"activation_bits": 17}, "activation_bits")):
            self.check(ValueError, text, call=lambda options=options: bg.Model(tiny_graph(), bg.BSQ(**options)))
        self.check(ValueError, "training.requantize_every", call=lambda: bg.Trainer(tiny_model(), data, 2))
        self.check(ValueError, "training.requantize_every",
                   call=lambda: bg.Trainer(tiny_model(), data, 2, requantize_every=-1))
        self.check(TypeError, "on_requantize", call=lambda: bg.Trainer(tiny_model(), data, 2, requantize_every=1).fit(
            on_requantize=1))


class OwnLoopTest(support.Case):

    def setUp(self):
        super().setUp()
        self.images, self.labels = support.images_and_labels(64, 1)

    def test_steps(self):
        net, losses = tiny_model(), []
        trainer = bg.Trainer(net)
        for step in range(40):
            losses.append(trainer.step(self.images, self.labels).loss)
            if step % 20 == 19:
                report = net.requantize()
        self.assertIsInstance(report, bg.RequantizeReport)
        self.assertEqual([tensor.name for tensor in report.tensors], TENSORS)
        self.assertLess(losses[-1], losses[0])
        self.check(RuntimeError, "calibrate", call=net.freeze)
        seen = []
        net.calibrate(self.images, callback=seen.append)
        self.assertEqual(seen, [64])
        before = net.logits(self.images)
        net.freeze()
        numpy.testing.assert_allclose(net.logits(self.images), before, atol=1e-3)
        self.check(RuntimeError, "frozen", call=net.requantize)
        self.check(RuntimeError, "frozen", call=lambda: net.calibrate(self.images))
        self.assertEqual(trainer.step(self.images, self.labels).penalty, 0)

    def test_forward_and_backward_make_the_steps_of_a_trainer(self):
        net, twin = tiny_model(), tiny_model()
        trainer = bg.Trainer(twin, settings={"training.weights.learning_rate": 0.1, "training.weights.momentum": 0})
        before = net.parameters()["fc1/weight/planes"].numpy().copy()
        for step in range(3):
            logits, penalty = net(net.preprocess(self.images), train=True, step=step)
            loss = bg.ops.softmax_cross_entropy(logits, bg.tensor(self.labels, dtype="int32"))
            (loss + penalty).backward()
            for name, p in net.parameters().items():
                if p.grad is None:
                    self.assertTrue("running" in name or name == "scales", name)
                    continue
                self.assertEqual(p.grad.shape, p.shape)
                low, high = net.bounds(name)
                rate = 0 if name == "scales" else 0.1
                bg.ops.sgd_step(p, p.grad, learning_rate=rate, low=low, high=high)
                p.grad = None
            result = trainer.step(self.images, self.labels)
            self.assertEqual((loss.item(), penalty.item()), (result.loss, result.penalty))
            for name, p in twin.parameters().items():
                numpy.testing.assert_allclose(net.parameters()[name].numpy(), p.numpy(), atol=2e-5, err_msg=name)
        self.assertGreater(abs(net.parameters()["fc1/weight/planes"].numpy() - before).max(), 1e-3)

    def test_a_penalty_and_a_parameter_in_a_loss_of_ones_own(self):
        net = tiny_model()
        planes = net.parameters()["fc1/weight/planes"]
        _, penalty = net(net.preprocess(self.images), train=True, step=0)
        (penalty * 2 + planes.sum()).backward()
        twice = planes.grad.numpy().copy()
        planes.grad = None
        net(net.preprocess(self.images), train=True, step=0)[1].backward()
        numpy.testing.assert_allclose(twice, 2 * planes.grad.numpy() + 1, rtol=1e-6)
        value, once = planes.numpy().copy(), planes.grad.numpy()
        self.assertTrue((once[10:] == 0).all())  # 5 bits are 10 planes
        for plane in range(5):
            step, both = numpy.zeros_like(value), [plane, plane + 5]  # positive and negative
            step[both] = 0.1 * value[both]  # their norm is straight in this direction
            around = []
            for sign in (-1, 1):
                planes.numpy()[:] = value + sign * step
                around.append(net(net.preprocess(self.images), train=True, step=0)[1].item())
            self.assertAlmostEqual((around[1] - around[0]) / 2, (once * step).sum(), delta=1e-4)

    def test_parameters_stay_the_same_tensors(self):
        net = tiny_model()
        before = net.parameters()
        self.assertIn("conv1/weight/planes", before)
        net.requantize()
        after = net.parameters()
        for name, tensor in before.items():
            numpy.testing.assert_array_equal(tensor.numpy(), after[name].numpy())

    def test_requantizing_warns(self):
        net = tiny_model()
        for name, tensor in net.parameters().items():
            if name.endswith("/planes"):
                tensor.numpy()[:] = 0
        with self.assertWarnsRegex(RuntimeWarning, "all layers") as caught:
            report = net.requantize()
        self.assertEqual(caught.filename, __file__)
        self.assertEqual({tensor.bits for tensor in report.tensors}, {0})

    def test_calibration_that_fails_leaves_nothing(self):
        net = tiny_model()
        net.calibrate(self.images)
        floats = numpy.zeros((128, 8, 8), numpy.float32)
        floats[100] = numpy.nan
        self.check(ValueError, "finite", call=lambda: net.calibrate(floats))
        self.check(RuntimeError, "calibrate", call=net.freeze)
        self.check(bg.Cancelled, "calibrate", call=lambda: net.calibrate(self.images, callback=lambda images: False))
        self.check(RuntimeError, "calibrate", call=net.freeze)
        self.check(ValueError, "at least one image", call=lambda: net.calibrate(self.images[:0]))
        self.check(ValueError, "[8, 8, 1]", call=lambda: net.calibrate(self.images[:, :7]))

    def test_the_loop_serves_other_methods(self):
        for method in (bg.BayesianBits(batch_norm_statistics="quantized"), bg.BayesianBits(), bg.Float()):
            net = bg.Model(tiny_graph(), method)
            bg.Trainer(net).step(self.images, self.labels)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.assertEqual(net.requantize(), bg.RequantizeReport([], []))
            net.calibrate(self.images)
            net.freeze()

    def test_running_statistics_are_no_leaves(self):
        for method in (bg.Float(), bg.BayesianBits()):
            net = bg.Model(tiny_graph(), method)
            logits, penalty = net(net.preprocess(self.images), train=True)
            loss = bg.ops.softmax_cross_entropy(logits, bg.tensor(self.labels, dtype="int32"))
            (loss if penalty is None else loss + penalty).backward()
            for name, p in net.parameters().items():
                self.assertEqual(p.requires_grad, "running" not in name, name)
            self.assertIsNotNone(net.parameters()["batch_norm1/gamma"].grad)
            self.assertIsNone(net.parameters()["batch_norm1/running_mean"].grad)
            self.assertTrue(net.parameters()["batch_norm1/running_mean"].numpy().any())

    def test_graph_of_a_frozen_model(self):
        """What runs: without the batch norms that freezing has folded, and so is a configuration of it."""
        net = bg.Model(tiny_graph(), bg.BayesianBits())
        self.assertEqual(bg.Model(bg.Config.from_graph(net.graph)).graph, tiny_graph())
        bg.Trainer(net).step(self.images, self.labels)
        net.freeze()
        self.assertNotIn("batch_norm", net.graph.text)
        self.assertEqual(bg.Model(bg.Config.from_graph(net.graph)).graph, net.graph)
        self.assertIn("batch_norm", net.config.text)

    def test_batch_norm_statistics(self):
        net = bg.Model(tiny_graph(), bg.BayesianBits(batch_norm_statistics="detached"))
        self.assertIn("batch_norm_statistics: DETACHED", net.config.text)
        self.check(ValueError, "batch_norm_statistics", "FLOAT, DETACHED, QUANTIZED",
                   call=lambda: bg.Model(tiny_graph(), bg.BayesianBits(batch_norm_statistics="none")))


if __name__ == "__main__":
    unittest.main()
