"""The module on a GPU. Skipped, visibly, where it has been built without CUDA or there is no GPU."""

import copy
import pickle
import threading

import numpy
import support

import bitgate as bg

GPU = "cuda:0"


class Exporter:
    """An array of another library: forwards to a tensor, and remembers how it was asked."""

    def __init__(self, tensor):
        self.tensor, self.calls = tensor, []

    def __dlpack__(self, **options):
        self.calls.append(options)
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()


class TensorTest(support.Case):

    def test_what_shows_elements_copies_them(self):
        data = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
        tensor = bg.tensor(data, device=GPU)
        self.assertEqual(tensor.device, GPU)
        for array in (tensor.numpy(), numpy.asarray(tensor), numpy.array(tensor, copy=True)):
            numpy.testing.assert_array_equal(array, data)
        array = tensor.numpy()
        array[0, 0] = 9
        self.assertEqual(tensor[0, 0].item(), 0)
        self.assertEqual(tensor.tolist(), data.tolist())
        self.assertEqual(float(tensor[1, 2]), 5)
        self.assertEqual(int(bg.tensor(3, device=GPU)), 3)
        self.assertEqual(numpy.asarray(tensor, dtype=numpy.float64).dtype, numpy.float64)
        self.assertEqual(repr(bg.tensor([1.5], device=GPU)), "tensor([1.5], dtype=float32, device='cuda:0')")
        self.check(ValueError, "cuda:0", call=lambda: numpy.array(tensor, copy=False))
        self.check(BufferError, "numpy() copies", call=lambda: memoryview(tensor))

    def test_there_and_back(self):
        there = bg.tensor(bg.tensor([1, 2, 3]), device=GPU)
        self.assertEqual((there.device, there.dtype), (GPU, numpy.int32))
        self.assertEqual(bg.tensor(there).device, "cpu")
        self.assertEqual(bg.zeros_like(there).device, GPU)
        self.assertEqual(bg.zeros((2, 0), device=GPU).numpy().shape, (2, 0))

    def test_gradients_as_on_the_cpu(self):
        random = numpy.random.default_rng(1)
        x, w = random.standard_normal((4, 6), numpy.float32), random.standard_normal((3, 6), numpy.float32)
        grads = []
        for device in ("cpu", GPU):
            leaf = bg.tensor(w, requires_grad=True, device=device)
            logits = bg.ops.linear(bg.tensor(x, device=device), leaf) * 2 + 1 - 0.5
            labels = bg.tensor([0, 1, 2, 1], device=device)
            (bg.ops.softmax_cross_entropy(logits, labels) + logits.mean()).backward()
            self.assertEqual(leaf.grad.device, device)
            self.assertIn(bg.ops.count_correct(logits, labels), range(5))
            grads.append(leaf.grad.numpy())
        numpy.testing.assert_allclose(grads[1], grads[0], rtol=1e-5, atol=1e-6)

    def test_mixed_devices(self):
        there, here = bg.tensor([1.0, 2.0], device=GPU, requires_grad=True), bg.tensor([1.0, 2.0])
        self.check(ValueError, "on cuda:0, got it on cpu", call=lambda: there + here)
        self.check(ValueError, "on cpu, got it on cuda:0", call=lambda: here * there)
        self.check(ValueError, "on cuda:0, got it on cpu", call=lambda: bg.ops.sgd_step(there, here))

        def set_gradient():
            there.grad = here

        self.check(ValueError, "on cuda:0", call=set_gradient)

    def test_threads(self):
        results = {}

        def work(number):
            value = bg.tensor(numpy.full(3000, number, numpy.float32), device=GPU)
            for _ in range(20):
                value = value * 2
            results[number] = value.numpy()[-1]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, {number: number * 2.0**20 for number in range(1, 5)})

    def test_compute(self):
        x = numpy.random.default_rng(2).standard_normal((64, 64), numpy.float32)
        exact = x @ x
        self.assertEqual(bg.get_compute(), "float32")
        try:
            for compute, tolerance in (("bfloat16", 0.3), ("tf32", 0.05), ("float32", 1e-4)):
                bg.set_compute(compute)
                self.assertEqual(bg.get_compute(GPU), compute)
                got = (bg.tensor(x, device=GPU) @ bg.tensor(x, device=GPU)).numpy()
                numpy.testing.assert_allclose(got, exact, atol=tolerance)
                if compute == "bfloat16":
                    self.assertGreater(numpy.abs(got - exact).max(), 1e-3)
        finally:
            bg.set_compute("float32")
        self.check(ValueError, "float32, tf32 or bfloat16", call=lambda: bg.set_compute("float16"))
        self.assertEqual(bg.describe(GPU)["device"], GPU)
        self.assertTrue(bg.describe(GPU)["device_name"])


class DlpackTest(support.Case):

    def test_out(self):
        tensor = bg.tensor([1.0, 2.0], device=GPU)
        self.assertEqual(tensor.__dlpack_device__(), (2, 0))
        for stream in (None, 1, 2, -1, 12345678):
            self.assertIn("dltensor", repr(tensor.__dlpack__(stream=stream)))
        self.check(BufferError, "got 0", call=lambda: tensor.__dlpack__(stream=0))
        self.check(BufferError, "device (2, 0)", call=lambda: tensor.__dlpack__(dl_device=(2, 1)))
        self.check(BufferError, "device (2, 0)", call=lambda: tensor.__dlpack__(dl_device=(1, 0), copy=False))
        array = numpy.from_dlpack(tensor, device="cpu")
        array[0] = 7
        self.assertEqual(tensor.tolist(), [1, 2])

    def test_in_without_a_copy(self):
        tensor = bg.tensor(numpy.arange(5, dtype=numpy.float32), device=GPU)
        exporter = Exporter(tensor)
        twin = bg.from_dlpack(exporter)
        self.assertEqual((twin.device, twin.tolist()), (GPU, [0, 1, 2, 3, 4]))
        self.assertGreater(exporter.calls[0]["stream"], 2)
        bg.ops.sgd_step(twin, bg.tensor(numpy.ones(5, numpy.float32), device=GPU), learning_rate=1.0)
        self.assertEqual(tensor.tolist(), [-1, 0, 1, 2, 3])
        del tensor, exporter
        self.assertEqual((twin * 2).tolist(), [-2, 0, 2, 4, 6])

    def test_devices_that_are_not_there(self):
        class Elsewhere(Exporter):
            def __dlpack_device__(self):
                return (2, 99)

        class Unknown(Exporter):
            def __dlpack_device__(self):
                return (10, 0)

        tensor = bg.tensor([1.0], device=GPU)
        self.check(NotImplementedError, "cuda:99", call=lambda: bg.from_dlpack(Elsewhere(tensor)))
        self.check(NotImplementedError, "DLPack device 10", call=lambda: bg.from_dlpack(Unknown(tensor)))


class ModelTest(support.Case):

    def make(self, epochs=2, **options):
        return support.tiny_model(epochs, device=GPU, **options)

    def test_from_training_to_onnx(self):
        data = support.tiny_data()
        net = self.make()
        run = bg.Trainer(net, data, output=self.folder / "run.safetensors", progress=False).fit()
        self.assertGreater(run.accuracy, 0.7)
        twin = self.make()
        bg.Trainer(twin, data, output=self.folder / "again.safetensors", progress=False).fit()
        self.assertEqual((self.folder / "run.safetensors").read_bytes(), (self.folder / "again.safetensors").read_bytes())
        net.freeze()
        tuned = run.fine_tune(epochs=1, progress=False)
        self.assertTrue(tuned.frozen)
        net.save(self.folder / "tuned.safetensors")
        here = bg.load(self.folder / "tuned.safetensors")
        images = data.test.images
        numpy.testing.assert_allclose(net.logits(images), here.logits(images), atol=0.5)
        self.assertGreater((net.predict(images) == here.predict(images)).mean(), 0.97)
        self.assertAlmostEqual(net.evaluate(data).accuracy, here.evaluate(data).accuracy, delta=0.03)
        net.export_onnx(self.folder / "there.onnx")
        here.export_onnx(self.folder / "here.onnx")
        self.assertEqual((self.folder / "there.onnx").read_bytes(), (self.folder / "here.onnx").read_bytes())

    def test_steps(self):
        data = support.tiny_data()
        net = self.make()
        trainer = bg.Trainer(net)
        losses = [trainer.step(data.train.images[:32], data.train.labels[:32]).loss for _ in range(6)]
        self.assertLess(losses[-1], losses[0])
        self.check(ValueError, "got 4 at index 0",
                   call=lambda: trainer.step(data.train.images[:1], numpy.array([support.CLASSES])))

    def test_a_loop_of_ones_own(self):
        data = support.tiny_data()
        net = self.make()
        state = {name: (bg.zeros_like(p), bg.zeros_like(p)) for name, p in net.parameters().items()}
        images, labels = net.preprocess(data.train.images[:32]), bg.tensor(data.train.labels[:32], device=net.device)
        self.assertEqual(images.device, GPU)
        losses = []
        for step in range(1, 7):
            logits, penalty = net(images, train=True, step=step)
            loss = bg.ops.softmax_cross_entropy(logits, labels)
            losses.append(loss.item())
            (loss + penalty).backward()
            for name, parameter in net.parameters().items():
                if parameter.grad is not None:
                    bg.ops.adam_step(parameter, parameter.grad, *state[name], learning_rate=1e-2, step=step)
                    parameter.grad = None
        self.assertLess(losses[-1], losses[0])
        self.assertEqual(net(images).device, GPU)
        self.check(ValueError, "images on cuda:0", call=lambda: net(bg.tensor(images)))
        self.check(ValueError, "images on cuda:0", call=lambda: net(bg.tensor(images), train=True, step=1))

    def test_compute_goes_with_the_model(self):
        net = self.make(compute="tf32")
        self.assertEqual(net.compute, "tf32")
        self.assertEqual(copy.deepcopy(net).compute, "tf32")
        again = pickle.loads(pickle.dumps(net))
        self.assertEqual((again.compute, again.device), ("tf32", GPU))
        net.compute = "bfloat16"
        self.assertEqual(net.compute, "bfloat16")
        data = support.tiny_data()
        trainer = bg.Trainer(net)
        for compute in ("bfloat16", "float32", "tf32", "bfloat16"):
            net.compute = compute
            self.assertGreater(trainer.step(data.train.images[:32], data.train.labels[:32]).loss, 0)


if __name__ == "__main__":
    SAID = bg.describe(GPU)
    if "device_error" in SAID:
        print(f"SKIPPED: {SAID['device_error']}")
    else:
        support.unittest.main()
