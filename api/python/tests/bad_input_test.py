"""What is wrong is said: data, settings, files, states, callbacks, threads."""

import threading
import traceback
import unittest

import numpy
import support

import bitgate as bg


class DataTest(support.Case):

    def setUp(self):
        super().setUp()
        self.images, self.labels = support.images_and_labels(10, 1)

    def test_labels(self):
        floats = self.labels.astype(numpy.float32)
        self.check(ValueError, "integer dtype, got float32", call=lambda: bg.Dataset(self.images, floats))
        floats[3] = numpy.nan
        self.check(ValueError, "NaN", call=lambda: bg.Dataset(self.images, floats))
        self.check(ValueError, "NaN", call=lambda: bg.Trainer(support.tiny_model()).step(self.images, floats))
        self.check(ValueError, "[10]", "[9]", call=lambda: bg.Dataset(self.images, self.labels[:9]))
        self.check(ValueError, "label", call=lambda: bg.Dataset(self.images, self.labels, classes=2))
        self.check(ValueError, "label", call=lambda: bg.Dataset(self.images, self.labels.astype(int) - 1))
        self.check(ValueError, "2147483647", call=lambda: bg.Dataset(self.images, self.labels.astype(int) + 2**40))

    def test_images(self):
        self.check(ValueError, "uint8 or float32, got int64",
                   call=lambda: bg.Dataset(self.images.astype(int), self.labels))
        self.check(ValueError, "[n, height, width, channels]", call=lambda: bg.Dataset(self.images[0, 0], self.labels))
        self.check(ValueError, call=lambda: bg.Dataset(self.images[:0], self.labels[:0]))
        floats = self.images.astype(numpy.float32)
        floats[0, 0, 0] = numpy.nan
        self.check(ValueError, "finite", call=lambda: bg.Dataset(floats, self.labels))

    def test_images_of_another_network(self):
        net = support.tiny_model()
        wrong = bg.data.arrays(self.images[:, :7], self.labels, self.images[:, :7], self.labels)
        self.check(ValueError, "[8, 8, 1]", call=lambda: bg.Trainer(net, wrong))
        self.check(ValueError, "[8, 8, 1]", call=lambda: net.predict(self.images[:, :7]))
        self.check(ValueError, "[8, 8, 1]", call=lambda: net.predict(self.images[0]))
        self.check(ValueError, "got int64", call=lambda: net.predict(self.images.astype(int)))
        self.check(ValueError, call=lambda: net(bg.zeros((1, 7, 8, 1)), train=True))
        self.check(TypeError, call=lambda: net(self.images))
        many = bg.data.arrays(self.images, self.labels + 200, self.images, self.labels + 200)
        self.check(ValueError, "class", call=lambda: bg.Trainer(net, many))

    def test_folders(self):
        self.check(FileNotFoundError, "missing", call=lambda: bg.data.folder(self.folder / "missing"))
        self.check(FileNotFoundError, "train-images", call=lambda: bg.data.folder(self.folder).train)
        folder = support.write_data(self.folder / "data")
        (folder / "t10k-labels-idx1-ubyte").write_bytes(b"nonsense")
        self.check(bg.DataError, "t10k-labels", call=lambda: bg.data.folder(folder).test)
        self.assertTrue(issubclass(bg.DataError, ValueError))

    def test_types(self):
        net = support.tiny_model()
        self.check(TypeError, "Graph or a Config", call=lambda: bg.Model("lenet5"))
        self.check(TypeError, "expected a Model", call=lambda: bg.Trainer(None))
        self.check(TypeError, "expected Data", call=lambda: bg.Trainer(net, "/path"))
        self.check(TypeError, "Dataset", call=lambda: net.evaluate(self.images))


class StateTest(support.Case):

    def setUp(self):
        super().setUp()
        self.net, self.data = support.tiny_model(1), support.tiny_data(96, 32)

    def test_order_of_verbs(self):
        self.check(RuntimeError, "freeze it first", call=lambda: self.net.export_onnx(self.folder / "m.onnx"))
        self.check(RuntimeError, "train first", call=self.net.freeze)
        self.check(RuntimeError, "freeze() it first", call=lambda: self.net.fine_tune(self.data, epochs=1))
        run = bg.Trainer(self.net, self.data).fit()
        self.check(RuntimeError, "freeze() it first", call=lambda: run.fine_tune(epochs=1))
        self.net.freeze()
        self.check(RuntimeError, "frozen", call=self.net.freeze)
        self.check(RuntimeError, "frozen or loaded since", call=run.trainer.fit)
        self.check(ValueError, "fine_tune.epochs", call=run.fine_tune)

    def test_settings(self):
        for options, text in (({"epochs": 0}, "training.epochs"), ({"batch_size": 0}, "training.batch_size"),
                              ({"settings": {"training.epoch": 1}}, "did you mean training.epochs?"),
                              ({"settings": {"quantizer.mu": 1}}, "quantizer"),
                              ({"settings": {"training.weights.learning_rate": -1}}, "learning_rate"),
                              ({"existing": "maybe"}, "'refuse', 'resume' or 'overwrite'")):
            before = self.net.config
            self.check(ValueError, text, call=lambda options=options: bg.Trainer(self.net, self.data, **options))
            self.assertEqual(self.net.config.text, before.text)
        self.check(ValueError, "training.epochs", call=lambda: bg.Trainer(bg.Model(support.tiny_graph()), self.data))
        bg.Trainer(self.net, self.data).fit()
        self.net.freeze()
        self.check(ValueError, "fine-tuning", call=lambda: bg.Trainer(
            self.net, self.data, 1, settings={"training.weights.learning_rate": 1}))
        self.check(ValueError, "mu", call=lambda: bg.models.lenet5(bg.BayesianBits(mu=-1)))

    def test_fitting_or_stepping(self):
        images, labels = support.images_and_labels(32, 1)
        stepper = bg.Trainer(self.net)
        self.check(RuntimeError, "expected data", call=stepper.fit)
        self.check(ValueError, "expected data", call=lambda: bg.Trainer(self.net, output=self.folder / "a"))
        fitted = bg.Trainer(self.net, self.data)
        fitted.fit()
        self.check(RuntimeError, "begun to fit", call=lambda: fitted.step(images, labels))
        self.check(ValueError, "at least one image", call=lambda: stepper.step(images[:0], labels[:0]))
        self.check(ValueError, "factor", call=lambda: stepper.step(images, labels, float("nan")))

    def test_a_loss_that_is_not_finite(self):
        images, labels = support.images_and_labels(32, 1)
        g = bg.GraphBuilder("flat")
        g.linear(g.flatten(g.input([8, 8, 1])), 4)
        net = bg.Model(g.build(), bg.Float())
        trainer = bg.Trainer(net)
        trainer.step(images, labels)
        net.parameters()["fc1/weight"].numpy()[:] = 1e3
        before = {name: p.numpy().copy() for name, p in net.parameters().items()}
        huge = numpy.full((32, 8, 8), 3e38)
        self.check(RuntimeError, "lower learning rate", call=lambda: trainer.step(huge, labels))
        for value in (numpy.nan, numpy.inf):
            pixels = numpy.zeros((32, 8, 8))
            pixels[3, 2, 1] = value
            self.check(ValueError, "finite pixel", "image 3", call=lambda: trainer.step(pixels, labels))
            self.check(ValueError, "finite pixel", "image 3", call=lambda: net.predict(pixels))
        for name, p in net.parameters().items():
            numpy.testing.assert_array_equal(p.numpy(), before[name])
        trainer.step(images, labels)

    def test_files(self):
        path = self.folder / "m.safetensors"
        self.check(FileNotFoundError, "m.safetensors", call=lambda: bg.load(path))
        path.write_bytes(b"nonsense")
        self.check(bg.DataError, "m.safetensors", call=lambda: bg.load(path))
        self.net.save(path)
        path.write_bytes(path.read_bytes()[:-10])
        self.check(bg.DataError, call=lambda: bg.load(path))
        self.check(FileNotFoundError, call=lambda: self.net.save(self.folder / "missing" / "m.safetensors"))
        self.check(ValueError, "a directory", call=lambda: self.net.save(self.folder))
        self.check(TypeError, call=lambda: self.net.save(5))
        self.net.save(path)
        self.check(NotImplementedError, call=lambda: bg.load(path, device="cuda:99"))

    def test_compute(self):
        path = self.folder / "m.safetensors"
        self.net.save(path)
        self.assertEqual(self.net.compute, "float32")
        self.net.compute = "float32"

        def set_compute(compute):
            self.net.compute = compute

        for call in (lambda how: bg.load(path, compute=how), lambda how: bg.models.lenet5(compute=how),
                     lambda how: bg.Model(self.net.graph, compute=how), lambda how: bg.set_compute(how, "cpu"),
                     lambda how: bg.Model.from_recipe("lenet5_float", compute=how), set_compute):
            self.check(NotImplementedError, "float32 or bfloat16 on the cpu, got tf32", call=lambda call=call: call("tf32"))
            self.check(ValueError, "float32, tf32 or bfloat16", call=lambda call=call: call("half"))
        bg.set_compute("float32", "cpu")
        self.assertEqual(bg.get_compute("cpu"), "float32")
        self.check(NotImplementedError, "cuda:99", call=lambda: bg.get_compute("cuda:99"))
        self.assertIn("cuda:99", bg.describe("cuda:99")["device_error"])
        self.assertEqual(bg.describe("cpu")["device_name"], bg.describe()["processor"])
        self.check(ValueError, "tpu", call=lambda: bg.describe("tpu"))

    def test_runs(self):
        output = self.folder / "run.safetensors"
        trainer = bg.Trainer(self.net, self.data, output=output)
        self.check(OSError, call=lambda: bg.Trainer(support.tiny_model(1), self.data, output=output))
        trainer.fit()
        del trainer
        self.check(RuntimeError, "resume or overwrite",
                   call=lambda: bg.Trainer(support.tiny_model(1), self.data, output=output))
        self.check(RuntimeError, "training.epochs", call=lambda: bg.Trainer(
            support.tiny_model(2), self.data, output=output, existing="resume"))
        self.check(RuntimeError, "images", call=lambda: bg.Trainer(
            support.tiny_model(1), support.tiny_data(96, 31), output=output, existing="resume"))
        run = bg.Trainer(support.tiny_model(1), self.data, output=output, existing="resume").fit()
        self.assertEqual(run.epochs, 0)


class Oops(Exception):
    pass


def raises(*_):
    raise Oops("in a callback")


class CallbackTest(support.Case):

    def setUp(self):
        super().setUp()
        self.data = support.tiny_data(320, 64)
        self.reference = support.tiny_model(2)
        bg.Trainer(self.reference, self.data).fit()

    def check_goes_on(self, trainer, epochs):
        """The training is as if nothing had happened."""
        self.assertEqual(trainer.fit().epochs, epochs)
        for name, p in self.reference.parameters().items():
            numpy.testing.assert_array_equal(trainer.model.parameters()[name].numpy(), p.numpy())

    def test_exceptions_reach_the_caller(self):
        for callback, epochs in (("on_step", 2), ("on_epoch", 1)):
            trainer = bg.Trainer(support.tiny_model(2), self.data, output=self.folder / f"{callback}.safetensors")
            with self.assertRaises(Oops):
                try:
                    trainer.fit(**{callback: raises})
                except Oops as error:
                    self.assertEqual(traceback.extract_tb(error.__traceback__)[-1].name, "raises")
                    raise
            self.assertTrue((self.folder / f"{callback}.safetensors").exists())
            self.check_goes_on(trainer, epochs)

    def test_false_stops(self):
        for callback, epochs in (("on_step", 2), ("on_epoch", 1)):
            trainer = bg.Trainer(support.tiny_model(2), self.data)
            run = trainer.fit(**{callback: lambda _: False})
            self.assertEqual((run.stopped, run.epochs), (True, 2 - epochs))
            self.assertEqual(numpy.isnan(run.accuracy), callback == "on_step")
            self.check_goes_on(trainer, epochs)
        run = bg.Trainer(support.tiny_model(2), self.data).fit(on_step=lambda _: None, on_epoch=lambda _: 0)
        self.assertFalse(run.stopped)

    def test_what_callbacks_see(self):
        steps, epochs = [], []
        bg.Trainer(support.tiny_model(2), self.data).fit(on_step=steps.append, on_epoch=epochs.append)
        self.assertEqual([(s.epoch, s.step) for s in steps if not s.evaluating],
                         [(e, s) for e in (1, 2) for s in range(1, 11)])
        self.assertEqual((steps[-1].total_steps_done, steps[-1].total_steps, steps[-1].phase), (20, 20, "gates"))
        self.assertEqual([e.epoch for e in epochs], [1, 2])
        self.assertEqual(epochs[1].to_dict()["kept_channels"]["conv1/weight"][1], 6)
        self.assertIn("step=", repr(steps[0]))

    def test_evaluation_and_prediction(self):
        images = self.data.test.images
        for call in (lambda c: self.reference.evaluate(self.data, callback=c, batch_size=8),
                     lambda c: self.reference.predict(images, callback=c),
                     lambda c: self.reference.logits(images, callback=c)):
            self.check(Oops, call=lambda call=call: call(raises))
            self.check(bg.Cancelled, "stopped on request", call=lambda call=call: call(lambda _: False))
            self.check(TypeError, call=lambda call=call: call(5))

    def test_calling_back_is_refused(self):
        trainer = bg.Trainer(support.tiny_model(2), self.data)
        net, refused = trainer.model, []

        def call_back(_):
            for call in (trainer.fit, net.bits, net.freeze, net.parameters, lambda: net.save(self.folder / "m"),
                         lambda: net.predict(self.data.test.images), lambda: net.config,
                         lambda: bg.Trainer(net, self.data)):
                self.check(bg.BusyError, "one user at a time", call=call)
            self.assertIn("in use", repr(net))
            refused.append((bg.tensor([1.0]) * 2).item())  # tensors are nobody's

        trainer.fit(on_epoch=call_back)
        self.assertEqual(refused, [2, 2])
        self.assertTrue(issubclass(bg.BusyError, RuntimeError))


class ThreadTest(support.Case):

    def test_two_threads_on_one_model(self):
        data = support.tiny_data(320, 64)
        trainer = bg.Trainer(support.tiny_model(2), data)
        inside, leave, results = threading.Event(), threading.Event(), []

        def hold(_):
            inside.set()
            self.assertTrue(leave.wait(30))

        thread = threading.Thread(target=lambda: results.append(trainer.fit(on_epoch=hold)))
        thread.start()
        self.assertTrue(inside.wait(30))
        self.check(bg.BusyError, call=trainer.model.bits)
        self.check(bg.BusyError, call=trainer.fit)
        self.assertGreater(support.tiny_model().bits().totals["channels"], 0)  # another model is free
        leave.set()
        thread.join()
        self.assertEqual(results[0].epochs, 2)

    def test_models_of_their_own(self):
        data, results = support.tiny_data(320, 64), {}

        def work(index):
            results[index] = bg.Trainer(support.tiny_model(2), data).fit().history

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([results[i] for i in range(4)], [results[0]] * 4)

    def test_other_threads_run_meanwhile(self):
        net, data = support.tiny_model(2), support.tiny_data(3000, 1000)
        counted, done = [0], threading.Event()

        def count():
            while not done.is_set():
                counted[0] += 1

        thread = threading.Thread(target=count)
        thread.start()
        bg.Trainer(net, data).fit()
        done.set()
        thread.join()
        self.assertGreater(counted[0], 1000)


if __name__ == "__main__":
    unittest.main()
