"""What people who come from NumPy and PyTorch try first: it works, or says what to do instead."""

import numpy

import bitgate as bg
import support


class TensorTest(support.Case):

    def test_tensors_are_no_factors(self):
        """They would drop out of what is recorded, and gradients be wrong without a word."""
        a, b = bg.tensor([4.0, 6.0], requires_grad=True), bg.tensor([2.0], requires_grad=True)
        self.check(TypeError, "divide", call=lambda: a / b)
        self.check(TypeError, "divide", call=lambda: a / a)
        with self.assertRaises(TypeError):
            bg.ops.scale(a, b)
        self.assertEqual((a / numpy.float32(2)).tolist(), [2, 3])
        self.assertEqual((2 * a - 1).tolist(), [7, 11])

    def test_arrays_instead_of_tensors(self):
        array = numpy.zeros((50, 50), numpy.float32)
        error = self.check(TypeError, "linear: ", "(ndarray, Tensor, activation=str)", call=lambda: bg.ops.linear(
            array, bg.tensor(array), activation="relu"))
        self.assertLess(len(str(error)), 200)

    def test_going_through(self):
        self.assertEqual([row.tolist() for row in bg.tensor([[1.0, 2.0], [3.0, 4.0]])], [[1, 2], [3, 4]])
        self.check(TypeError, "scalar", call=lambda: list(bg.tensor(1.0)))

    def test_numbers_that_do_not_fit(self):
        t = bg.tensor([1.0, 2.0])
        with self.assertRaises(TypeError):
            t.reshape(2.0, 6)

    def test_optimizer_settings(self):
        p, g = bg.tensor([1.0]), bg.tensor([1.0])
        for rate in (-1, float("nan"), float("inf")):
            self.check(ValueError, "learning_rate", call=lambda: bg.ops.sgd_step(p, g, learning_rate=rate))
            self.check(ValueError, "learning_rate", call=lambda: bg.ops.adam_step(
                p, g, bg.zeros_like(p), bg.zeros_like(p), step=1, learning_rate=rate))
        self.assertEqual(p.tolist(), [1])


class GraphTest(support.Case):

    def test_numpy_numbers(self):
        g = bg.GraphBuilder("t")
        x = g.input(numpy.array([8, 8, 1]), scale=numpy.float32(0.5), mean=numpy.float32(0.1))
        x = g.conv2d(x, numpy.int64(4), kernel=(numpy.int32(3), 3), bias=numpy.bool_(False))
        g.linear(g.flatten(x), 2)
        self.assertIn("bias: false", g.build().text)

    def test_mistakes_are_explained(self):
        g = bg.GraphBuilder("t")
        x = g.input([8, 8, 1])
        self.check(TypeError, "kernel", "2.5", call=lambda: g.conv2d(x, 4, kernel=2.5))
        self.check(TypeError, "padding", "same", call=lambda: g.conv2d(x, 4, kernel=3, padding="same"))
        self.check(ValueError, "bits", call=lambda: g.conv2d(x, 4, kernel=3, weight_bits=4))
        self.check(ValueError, "second", call=lambda: g.input([8, 8, 1], name="other"))
        self.check(TypeError, "BayesianBits(...)", call=lambda: bg.models.lenet5("bayesian_bits"))
        self.check(TypeError, "BayesianBits(...)", call=lambda: bg.models.lenet5(bg.BayesianBits))


class TrainingTest(support.Case):

    def setUp(self):
        super().setUp()
        self.net = support.tiny_model()
        self.data = support.tiny_data()

    def test_arrays_instead_of_a_tensor(self):
        images = support.images_and_labels(4, 1)[0]
        self.check(TypeError, "preprocess()", "predict()", call=lambda: self.net(images))
        self.check(ValueError, "step", call=lambda: self.net(self.net.preprocess(images), train=True, step=-1))

    def test_no_epochs_anywhere(self):
        net = bg.Model(support.tiny_graph())
        self.check(ValueError, "epochs=", call=lambda: bg.Trainer(net, self.data))

    def test_callbacks(self):
        trainer = bg.Trainer(self.net, self.data)
        self.check(TypeError, "on_epoch", call=lambda: trainer.fit(on_epoch=5))
        self.assertTrue(trainer.fit(on_step=lambda step: numpy.bool_(step.step < 2)).stopped)
        self.assertFalse(trainer.fit(on_step=lambda step: None).stopped)

    def test_a_run_that_has_ended_lets_go_of_its_files(self):
        """As when a cell of a notebook is run again."""
        output = self.folder / "run.safetensors"
        first = bg.Trainer(support.tiny_model(), self.data, output=output)
        run = first.fit()
        second = bg.Trainer(support.tiny_model(), self.data, output=output, existing="overwrite")
        self.check(OSError, "another run",
                   call=lambda: bg.Trainer(support.tiny_model(), self.data, output=output, existing="resume"))
        self.assertEqual(second.fit().epochs, run.epochs)

    def test_flat_images(self):
        g = bg.GraphBuilder("mlp")
        g.linear(g.relu(g.linear(g.input([16]), 8)), 3)
        net = bg.Model(g.build())
        random = numpy.random.default_rng(1)
        images, labels = random.random((60, 16), numpy.float32), numpy.arange(60) % 3
        run = bg.Trainer(net, bg.data.arrays(images, labels, images, labels), epochs=1, batch_size=20).fit()
        self.assertEqual(run.epochs, 1)
        self.assertEqual(net.predict(images[:5]).shape, (5,))

    def test_fine_tuning_with_callbacks(self):
        bg.Trainer(self.net, self.data).fit()
        self.net.freeze()
        seen = []
        self.net.fine_tune(self.data, 1, on_epoch=lambda epoch: seen.append(epoch.phase))
        self.assertEqual(seen, ["fine_tune"])


if __name__ == "__main__":
    support.unittest.main()
