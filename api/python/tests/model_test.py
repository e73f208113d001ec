"""Models from data to export, and loops of one's own."""

import copy
import json
import pathlib
import pickle
import struct
import unittest

import numpy
import support

import bitgate as bg


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
        self.assertGreaterEqual((support.onnx_classes(path, data.test.images) == classes).mean(), 0.99)
        self.assertEqual(net.fine_tune(data, epochs=1).epochs, 1)

    def test_freezing_within_a_run(self):
        net, seen = support.tiny_model(1), []
        run = bg.Trainer(net, support.tiny_data(), settings={"fine_tune.epochs": 1}).fit(on_freeze=seen.append)
        self.assertEqual([epoch["phase"] for epoch in run.history], ["gates", "fine_tune"])
        self.assertIsInstance(seen[0], bg.FreezeReport)
        self.assertIn("bits", str(seen[0]))

    def test_float_and_zoo(self):
        self.assertLess({"lenet5", "vgg7", "resnet20", "resnet20_identity"}, set(bg.models.names()))
        net = bg.models.lenet5(bg.Float(), seed=3)
        self.assertEqual(net.config.get("training.seed"), 3)
        self.assertEqual(net.bits()[0]["weight_bits"], 32)
        self.check(ValueError, "lenet5", call=lambda: bg.models.zoo("alexnet"))
        self.assertEqual(bg.models.resnet20(bg.BSQ()).graph.name, "resnet20")
        self.assertEqual(bg.models.resnet20(bg.BSQ(), shortcut="identity").graph.name, "resnet20_identity")
        self.check(ValueError, "'identity'", call=lambda: bg.models.resnet20(shortcut="option A"))
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


def read_tensors(path):
    content = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8:8 + length]), content[8 + length:]
    header.pop("__metadata__", None)
    return {name: numpy.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
            for name, entry in header.items()}


def write_tensors(path, tensors):
    header, data = {}, b""
    for name, values in tensors.items():
        content = numpy.asarray(values, "<f4").tobytes()
        shape = list(numpy.shape(values))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class FloatWeightsTest(support.Case):

    def setUp(self):
        super().setUp()
        self.path = self.folder / "weights.safetensors"
        random = numpy.random.default_rng(1)
        self.tensors = {name: random.normal(size=shape).astype("float32") for name, shape in (
            ("conv1.weight", (6, 1, 3, 3)), ("conv1.bias", (6,)), ("fc1.weight", (12, 54)), ("fc1.bias", (12,)),
            ("fc2.weight", (4, 12)), ("fc2.bias", (4,)))}

    def float_model(self):
        return bg.Model(support.tiny_model().graph, bg.Float())

    def test_round_trip(self):
        write_tensors(self.path, self.tensors | {"conv1.num_batches_tracked": 3})
        net = self.float_model()
        report = net.load_float_weights(self.path)
        self.assertEqual(report[2], bg.LoadedWeight("fc1/weight", "fc1.weight", (12, 54), "CHW to HWC"))
        self.assertEqual((len(report), report.to_dicts()[1]["parameter"]), (6, "conv1/bias"))
        self.assertIn("\nfc1/weight    fc1.weight    [12, 54]      CHW to HWC\n", str(report))
        self.assertEqual(report._repr_html_().count("<tr>"), 7)
        again = self.folder / "again.safetensors"
        net.save_float_weights(again)
        self.assertEqual(set(read_tensors(again)), set(self.tensors))
        for name, values in read_tensors(again).items():
            numpy.testing.assert_array_equal(values, self.tensors[name])

    def test_trainers_of_before(self):
        write_tensors(self.path, self.tensors)
        net, data = support.tiny_model(1), support.tiny_data(64, 32)
        trainer = bg.Trainer(net, data)
        net.load_float_weights(self.path)
        self.check(RuntimeError, "train it with a new trainer", call=trainer.fit)
        bg.Trainer(net, data).fit()
        net.freeze()
        self.check(RuntimeError, "not frozen", call=lambda: net.load_float_weights(self.path))

    def test_computes_what_pytorch_computes(self):
        write_tensors(self.path, self.tensors)
        net = self.float_model()
        net.load_float_weights(self.path)
        images = support.images_and_labels(5, 1)[0]
        pixels = net.preprocess(images).numpy()[..., 0].astype("float64")
        windows = numpy.stack([pixels[:, i:i + 6, j:j + 6] for i in range(3) for j in range(3)])  # [9, n, 6, 6]
        x = numpy.einsum("ok,knyx->noyx", self.tensors["conv1.weight"].reshape(6, 9), windows)
        x = numpy.maximum(x + self.tensors["conv1.bias"][:, None, None], 0)
        x = x.reshape(5, 6, 3, 2, 3, 2).max(axis=(3, 5)).reshape(5, 54)  # channels first, as PyTorch flattens
        x = numpy.maximum(x @ self.tensors["fc1.weight"].T + self.tensors["fc1.bias"], 0)
        expected = x @ self.tensors["fc2.weight"].T + self.tensors["fc2.bias"]
        numpy.testing.assert_allclose(net.logits(images), expected, rtol=1e-4, atol=1e-4)

    def test_of_a_checkpoint(self):
        write_tensors(self.path, self.tensors)
        net = self.float_model()
        net.load_float_weights(self.path)
        net.save(self.folder / "float.safetensors")
        quantized = support.tiny_model()
        self.assertEqual(quantized.load_float_weights(self.folder / "float.safetensors")[0].tensor, "conv1/weight")
        quantized.save_float_weights(self.folder / "same.safetensors")
        for name, values in read_tensors(self.folder / "same.safetensors").items():
            numpy.testing.assert_array_equal(values, self.tensors[name])

    def test_what_does_not_fit(self):
        net = self.float_model()
        before = net.logits(support.images_and_labels(3, 1)[0])

        def load():
            net.load_float_weights(self.path)

        self.check(FileNotFoundError, "weights.safetensors", call=load)
        wrong = dict(self.tensors, **{"fc1.weight": numpy.zeros((54, 12)), "bn.weight": numpy.zeros(3)})
        del wrong["fc2.bias"], wrong["conv1.bias"]
        write_tensors(self.path, wrong)
        self.check(RuntimeError, "missing: conv1.bias [6], fc2.bias [4]; of another shape or type: fc1.weight F32 "
                   "[54, 12] instead of F32 [12, 54]; unknown: bn.weight", call=load)
        write_tensors(self.path, self.tensors | {name: numpy.full_like(self.tensors[name], numpy.nan)
                                                 for name in ("conv1.bias", "fc2.weight")})
        self.check(bg.DataError, "not finite: conv1.bias, fc2.weight", call=load)
        self.path.write_bytes(self.path.read_bytes()[:-1])
        self.check(bg.DataError, "weights.safetensors", call=load)
        numpy.testing.assert_array_equal(net.logits(support.images_and_labels(3, 1)[0]), before)
        self.check(FileNotFoundError, "such", call=lambda: net.save_float_weights(self.folder / "no" / "such" / "file"))


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
