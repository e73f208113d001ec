"""Models from data to export, and loops of one's own."""

import copy
import json
import pickle
import unittest

import numpy
import onnxruntime
import support

import bitgate as bg


def onnx_classes(path, images):
    session = onnxruntime.InferenceSession(path)
    preprocessing = json.loads(session.get_modelmeta().custom_metadata_map["bitgate.preprocessing"])
    x = images.reshape([-1, *preprocessing["shape"]]).astype("float32") * numpy.float32(preprocessing["scale"])
    x = (x - numpy.array(preprocessing["mean"], "float32")) / numpy.array(preprocessing["std"], "float32")
    return session.run(None, {"input": x})[0].argmax(1)


class WholeJobTest(support.Case):

    def test_from_data_to_export(self):
        data = support.tiny_data()
        net = support.tiny_model()
        run = bg.Trainer(net, data, epochs=3).fit()
        self.assertGreater(run.accuracy, 0.7)
        self.assertEqual((run.epochs, len(run.history), run.stopped, run.frozen), (3, 3, False, False))
        self.assertEqual(run.history[-1]["test_accuracy"], run.accuracy)
        self.assertGreater(run.seconds, 0)
        self.assertAlmostEqual(net.evaluate(data).accuracy, run.accuracy)
        report = net.freeze()
        self.assertTrue(net.frozen)
        self.assertEqual({site.name: site.bits for site in report.sites}, run.history[-1]["bits"])
        self.assertEqual(net.bits().totals["relative_bops"], run.history[-1]["relative_bops"])
        tuned = run.fine_tune(epochs=2)
        self.assertEqual((tuned.epochs, tuned.history[0]["phase"], tuned.frozen), (2, "fine_tune", True))
        path = self.folder / "m.onnx"
        self.assertIsInstance(net.export_onnx(path), list)
        classes = net.predict(data.test.images)
        self.assertEqual(classes.dtype, numpy.int32)
        self.assertEqual((classes == data.test.labels).mean(), tuned.accuracy)
        self.assertGreaterEqual((onnx_classes(path, data.test.images) == classes).mean(), 0.99)
        self.assertEqual(net.fine_tune(data, epochs=1).epochs, 1)

    def test_freezing_within_a_run(self):
        net, seen = support.tiny_model(1), []
        run = bg.Trainer(net, support.tiny_data(), settings={"fine_tune.epochs": 1}).fit(on_freeze=seen.append)
        self.assertEqual([epoch["phase"] for epoch in run.history], ["gates", "fine_tune"])
        self.assertIsInstance(seen[0], bg.FreezeReport)
        self.assertIn("bits", str(seen[0]))

    def test_float_and_zoo(self):
        self.assertEqual(bg.models.names(), ["lenet5"])
        net = bg.models.lenet5(bg.Float(), seed=3)
        self.assertEqual(net.config.get("training.seed"), 3)
        self.assertEqual(net.bits()[0]["weight_bits"], 32)
        self.check(ValueError, "lenet5", call=lambda: bg.models.zoo("alexnet"))
        recipe = bg.Model.from_recipe("lenet5_float", {"training.epochs": 2})
        self.assertEqual(recipe.config.get("training.epochs"), 2)


class ReportTest(support.Case):

    def test_bits(self):
        bits = support.tiny_model().bits()
        self.assertEqual([row["layer"] for row in bits.rows], ["conv1", "fc1", "fc2"])
        self.assertEqual(bits.to_dicts(), bits.rows)
        self.assertEqual(json.loads(bits.json())["totals"], bits.totals)
        self.assertTrue(str(bits).startswith("layer"))
        html = bits._repr_html_()
        self.assertTrue(html.startswith("<table>") and html.count("<tr>") == 5)
        self.assertIn("3 layers", repr(bits))
        self.assertEqual(len(bits), 3)

    def test_texts(self):
        net = support.tiny_model(1)
        self.assertEqual(repr(net), "Model(tiny, not frozen, on cpu)")
        self.assertIn("<table>", net._repr_html_())
        run = bg.Trainer(net, support.tiny_data(64, 32)).fit()
        self.assertIn("test accuracy", str(run))
        self.assertIn("<table>", run._repr_html_())
        self.assertIn("Trainer(Model(tiny", repr(run.trainer))
        self.assertIn("32 images of 8x8x1, 4 classes", repr(run.trainer.data))
        self.assertIn("<table>", net.freeze()._repr_html_())


class CopyTest(support.Case):

    def setUp(self):
        super().setUp()
        self.data = support.tiny_data(128, 64)
        self.net = bg.Trainer(support.tiny_model(1), self.data).fit().model

    def check_twin(self, twin):
        images = self.data.test.images
        numpy.testing.assert_array_equal(twin.logits(images), self.net.logits(images))
        self.assertEqual((twin.config.text, twin.graph, twin.frozen),
                         (self.net.config.text, self.net.graph, self.net.frozen))
        before = self.net.logits(images)
        bg.Trainer(twin, self.data, epochs=1).fit()
        self.assertFalse(numpy.array_equal(twin.logits(images), before))
        numpy.testing.assert_array_equal(self.net.logits(images), before)

    def test_twins(self):
        for frozen in (False, True):
            with self.subTest(frozen=frozen):
                if frozen:
                    self.net.freeze()
                path = self.folder / "m.safetensors"
                self.net.save(path)
                self.check_twin(bg.load(path))
                self.check_twin(bg.Model.load(str(path)))
                self.check_twin(copy.deepcopy(self.net))
                self.check_twin(pickle.loads(pickle.dumps(self.net)))

    def test_data_sets_pickle(self):
        twin = pickle.loads(pickle.dumps(self.data.test))
        numpy.testing.assert_array_equal(twin.images, self.data.test.images)
        self.assertEqual(twin.classes, 4)


class OwnLoopTest(support.Case):

    def test_steps(self):
        images, labels = support.images_and_labels(640, 1)
        net = support.tiny_model()
        trainer = bg.Trainer(net)
        losses = []
        for _ in range(3):
            for i in range(0, 640, 32):
                result = trainer.step(images[i:i + 32], labels[i:i + 32], learning_rate_factor=0.5)
                losses.append(result.loss)
        self.assertLess(numpy.mean(losses[-5:]), numpy.mean(losses[:5]))
        self.assertGreater(result.penalty, 0)
        self.assertIsInstance(result.correct, int)
        net.freeze()
        self.assertEqual(trainer.step(images[:8], labels[:8]).penalty, 0)

    def test_forward_and_backward(self):
        images, labels = support.images_and_labels(640, 1)
        net = support.tiny_model()
        moments = {name: (bg.zeros_like(p), bg.zeros_like(p)) for name, p in net.parameters().items()}
        losses = []
        for step in range(60):
            rows = slice(step % 20 * 32, step % 20 * 32 + 32)
            x, y = net.preprocess(images[rows]), bg.tensor(labels[rows], dtype="int32")
            logits, penalty = net(x, train=True, step=step)
            loss = bg.ops.softmax_cross_entropy(logits, y)
            losses.append(loss.item())
            (loss + penalty).backward()
            for name, p in net.parameters().items():
                low, high = net.bounds(name)
                bg.ops.adam_step(p, p.grad, *moments[name], step=step + 1, learning_rate=0.01, low=low, high=high)
                p.grad = None
        self.assertLess(numpy.mean(losses[-5:]), numpy.mean(losses[:5]) / 2)
        logits = net(net.preprocess(images[:10]))
        self.assertFalse(logits.requires_grad)
        numpy.testing.assert_array_equal(logits.numpy(), net.logits(images[:10]))
        before = net.parameters()
        self.assertTrue(all(net.parameters()[name] is p for name, p in before.items()))
        net.freeze()
        self.assertNotEqual(set(before), set(net.parameters()))
        self.assertIsNone(net(net.preprocess(images[:10]), train=True)[1])

    def test_steps_equal_those_of_the_own_loop(self):
        images, labels = support.images_and_labels(32, 1)
        net = support.tiny_model()
        x = net.preprocess(images)
        logits, penalty = net(x, train=True, step=0)
        loss = bg.ops.softmax_cross_entropy(logits, bg.tensor(labels, dtype="int32"))
        result = bg.Trainer(support.tiny_model()).step(images, labels)
        self.assertEqual((loss.item(), penalty.item()), (result.loss, result.penalty))


class DataTest(support.Case):

    def test_folder(self):
        data = bg.data.folder(support.write_data(self.folder / "data"))
        images, labels = support.images_and_labels(640, 1)
        numpy.testing.assert_array_equal(data.train.images[..., 0], images)
        numpy.testing.assert_array_equal(data.train.labels, labels)
        self.assertEqual((len(data.test), data.test.classes, data.test.image_shape), (200, 4, (8, 8, 1)))
        self.assertFalse(data.train.images.flags.writeable)

    def test_arrays(self):
        images, labels = support.images_and_labels(10, 1)
        for given in (images, images[..., None], numpy.asfortranarray(images), images.astype(numpy.float64)):
            dataset = bg.Dataset(given, labels.astype(numpy.int64))
            numpy.testing.assert_array_equal(dataset.images[..., 0], images)
        images[:] = 0
        self.assertTrue(dataset.images.any())

    def test_predictions(self):
        data = support.tiny_data(128, 64)
        net = bg.Trainer(support.tiny_model(1), data).fit().model
        seen = []
        evaluation = net.evaluate(data.test, batch_size=20, predictions=True, callback=seen.append)
        self.assertEqual(seen, [20, 40, 60, 64])
        self.assertEqual(evaluation.correct, (evaluation.predictions == data.test.labels).sum())
        numpy.testing.assert_array_equal(net.predict(data.test.images[..., 0]), evaluation.predictions)
        self.assertEqual(net.logits(data.test.images[:0]).shape, (0, 4))


if __name__ == "__main__":
    unittest.main()
