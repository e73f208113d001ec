"""Tensors: making them, looking into them, operators, views, gradients."""

import gc
import threading
import unittest
import weakref

import numpy
import support

import bitgate as bg


class MakingTest(support.Case):

    def test_dtypes_of_what_is_given(self):
        for data, dtype in ((1.5, "float32"), ([1, 2], "int32"), ([True, False], "uint8"),
                            (numpy.zeros(3), "float32"), (numpy.zeros(3, numpy.float16), "float32"),
                            (numpy.zeros(3, numpy.int64), "int32"), (numpy.zeros(3, numpy.int8), "int8"),
                            (numpy.zeros(3, numpy.uint8), "uint8"), (numpy.zeros(3, ">f4"), "float32")):
            self.assertEqual(bg.tensor(data).dtype, dtype, data)
        self.assertEqual(bg.tensor([1, 2], dtype="float32").dtype, bg.float32)
        self.assertEqual(bg.tensor([1.0, 2.0], dtype=numpy.int8).tolist(), [1, 2])

    def test_tensor_copies_whatever_the_order(self):
        array = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
        read_only = array.copy()
        read_only.flags.writeable = False
        for given in (array, numpy.asfortranarray(array), read_only, array[::-1][::-1], bg.tensor(array)):
            tensor = bg.tensor(given)
            numpy.testing.assert_array_equal(tensor.numpy(), array)
            self.assertFalse(numpy.shares_memory(tensor.numpy(), array))
        numpy.testing.assert_array_equal(bg.tensor(array.T).numpy(), array.T)
        self.assertEqual(bg.tensor(array[:, ::2]).tolist(), [[0, 2], [3, 5]])

    def test_shapes(self):
        for shape in ((), (0,), (3,), (2, 0, 3), (1, 2, 3, 4, 5, 6)):
            tensor = bg.tensor(numpy.zeros(shape))
            self.assertEqual((tensor.shape, tensor.ndim, tensor.size),
                             (shape, len(shape), int(numpy.prod(shape))))
            self.assertEqual(tensor.numpy().shape, shape)
        self.assertEqual(bg.zeros((2, 3), "int8").shape, (2, 3))
        self.assertEqual(bg.zeros_like(bg.zeros(3)).shape, (3,))
        self.check(ValueError, "at most 6", call=lambda: bg.tensor(numpy.zeros((1,) * 7)))

    def test_what_does_not_fit(self):
        self.check(ValueError, "float64", call=lambda: bg.tensor([1.0], dtype="float64"))
        self.check(ValueError, "-2147483648 to 2147483647", call=lambda: bg.tensor([2**40]))
        self.check(ValueError, "0 to 255", call=lambda: bg.tensor([256], dtype="uint8"))
        self.check(ValueError, "got nan", call=lambda: bg.tensor([numpy.nan], dtype="int32"))
        self.check(TypeError, "expected numbers", call=lambda: bg.tensor(["a"]))
        self.check(TypeError, call=lambda: bg.tensor([None]))
        self.check(ValueError, "device", call=lambda: bg.tensor([1.0], device="tpu"))
        self.check(NotImplementedError, call=lambda: bg.tensor([1.0], device="cuda:99"))
        self.check(ValueError, "float32", call=lambda: bg.tensor([1], requires_grad=True))
        self.check(TypeError, call=bg.Tensor)

    def test_from_numpy_shares(self):
        array = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
        tensor = bg.from_numpy(array)
        array[0, 0] = 7
        self.assertEqual(tensor[0, 0].item(), 7)
        tensor.numpy()[1, 1] = 9
        self.assertEqual(array[1, 1], 9)

    def test_from_numpy_keeps_the_array_no_longer_than_needed(self):
        array = numpy.zeros(1000, numpy.float32)
        gone = weakref.ref(array)
        view = bg.from_numpy(array).reshape(10, 100)[3]
        del array
        gc.collect()
        self.assertIsNotNone(gone())
        del view
        gc.collect()
        self.assertIsNone(gone())

    def test_from_numpy_refuses(self):
        array = numpy.zeros((4, 6), numpy.float32)
        self.check(ValueError, "Fortran order", call=lambda: bg.from_numpy(numpy.asfortranarray(array)))
        self.check(ValueError, "C-contiguous", call=lambda: bg.from_numpy(array[:, ::2]))
        self.check(ValueError, "C-contiguous", call=lambda: bg.from_numpy(array[::-1]))
        self.check(ValueError, "float64", call=lambda: bg.from_numpy(numpy.zeros(3)))
        self.check(ValueError, ">f4", call=lambda: bg.from_numpy(numpy.zeros(3, ">f4")))
        self.check(ValueError, "aligned",
                   call=lambda: bg.from_numpy(numpy.frombuffer(bytearray(9), numpy.uint8)[1:].view(numpy.float32)))
        self.check(TypeError, "list", call=lambda: bg.from_numpy([1.0]))
        array.flags.writeable = False
        self.check(ValueError, "read-only", call=lambda: bg.from_numpy(array))


class LookingTest(support.Case):

    def test_numpy_shares_and_keeps(self):
        tensor = bg.tensor(numpy.arange(4.0))
        view = tensor.numpy()
        view[1] = 5
        self.assertEqual(tensor[1].item(), 5)
        del tensor
        gc.collect()
        self.assertEqual(view.tolist(), [0, 5, 2, 3])
        self.assertTrue(view.flags.writeable)

    def test_as_an_array(self):
        tensor = bg.tensor([[1.0, 2.0]])
        self.assertTrue(numpy.shares_memory(numpy.asarray(tensor), tensor.numpy()))
        self.assertFalse(numpy.shares_memory(numpy.array(tensor), tensor.numpy()))
        self.assertEqual(numpy.asarray(tensor, dtype=numpy.float64).dtype, numpy.float64)
        self.assertEqual(tensor.__array__(numpy.int64).tolist(), [[1, 2]])
        self.assertEqual(numpy.exp(tensor).shape, (1, 2))
        self.assertEqual(memoryview(tensor).tolist(), [[1.0, 2.0]])

    def test_numbers(self):
        tensor = bg.tensor([2.5])
        self.assertEqual((tensor.item(), float(tensor), int(tensor), bool(tensor)), (2.5, 2.5, 2, True))
        self.assertIsInstance(bg.tensor(3).item(), int)
        self.check(ValueError, "one element", call=bg.tensor([1, 2]).item)

    def test_text(self):
        self.assertEqual(repr(bg.tensor([1.0, 2.0])), "tensor([1., 2.], dtype=float32)")
        self.assertIn("requires_grad=True", repr(bg.tensor([1.0], requires_grad=True)))

    def test_length_and_iteration(self):
        tensor = bg.tensor([[1, 2], [3, 4]])
        self.assertEqual(len(tensor), 2)
        self.assertEqual([row.tolist() for row in tensor], [[1, 2], [3, 4]])
        self.check(TypeError, "scalar", call=lambda: len(bg.tensor(1)))


class IndexTest(support.Case):

    def test_first_axis(self):
        array = numpy.arange(24, dtype=numpy.float32).reshape(4, 3, 2)
        tensor = bg.tensor(array)
        for key in (0, -1, numpy.int64(2), slice(1, 3), slice(None), slice(3, 1), slice(-2, None), (1, 2), (1, 2, 0),
                    (1, slice(0, 2)), (1, 2, slice(1, 2))):
            numpy.testing.assert_array_equal(tensor[key].numpy(), array[key], str(key))
        self.assertTrue(numpy.shares_memory(tensor[1].numpy(), tensor.numpy()))

    def test_refusals(self):
        tensor = bg.tensor(numpy.zeros((4, 3)))
        self.check(IndexError, "below 4, got 4", call=lambda: tensor[4])
        self.check(IndexError, "got -5", call=lambda: tensor[-5])
        self.check(IndexError, "step 1", call=lambda: tensor[::2])
        self.check(IndexError, "integers before the last", call=lambda: tensor[:, 1])
        self.check(IndexError, "scalar", call=lambda: tensor[0, 0, 0])
        for key in ([0, 1], "a", None, 1.0, numpy.array([True, False]), ...):
            self.check(TypeError, "as the index", call=lambda key=key: tensor[key])
        with self.assertRaises(TypeError):
            tensor[0] = 1

    def test_shapes(self):
        tensor = bg.tensor(numpy.arange(12))
        self.assertEqual(tensor.reshape(3, 4).shape, (3, 4))
        self.assertEqual(tensor.reshape([3, -1]).shape, (3, 4))
        self.assertEqual(tensor.reshape((2, 2, 3)).flatten().shape, (12,))
        self.check(ValueError, "12 elements", call=lambda: tensor.reshape(5, 2))
        self.check(ValueError, "at most one -1", call=lambda: tensor.reshape(-1, -1))
        self.check(ValueError, call=lambda: tensor.reshape(2**40, 2**40, -1))


class ArithmeticTest(support.Case):

    def test_operators(self):
        a, b = numpy.float32([[1, -2], [3, 4]]), numpy.float32([[5, 6], [-7, 8]])
        x, y = bg.tensor(a), bg.tensor(b)
        for got, expected in ((x + y, a + b), (x - y, a - b), (x * y, a * b), (x @ y, a @ b), (-x, -a), (x + 2, a + 2),
                              (2 + x, a + 2), (x - 2, a - 2), (2 - x, 2 - a), (x * 3, a * 3), (3 * x, a * 3),
                              (x / 4, a / 4), (x * numpy.float32(2), a * 2), (x.relu(), numpy.maximum(a, 0)),
                              (x.sum(), a.sum()), (x.mean(), a.mean()), (x.clone(), a), (x.detach(), a)):
            numpy.testing.assert_array_equal(got.numpy(), expected)

    def test_refusals(self):
        x = bg.tensor([1.0, 2.0])
        self.check(ValueError, "add", "[2]", "[3]", call=lambda: x + bg.zeros(3))
        self.check(ValueError, "int32", call=lambda: x + bg.tensor([1, 2]))
        self.check(ZeroDivisionError, call=lambda: x / 0)
        for call in (lambda: x + "a", lambda: x * None, lambda: x / x, lambda: x @ 2, lambda: x + numpy.ones(2),
                     lambda: numpy.ones(2) * x, lambda: 1 / x):
            self.check(TypeError, call=call)


class GradientTest(support.Case):

    def test_against_differences(self):
        random = numpy.random.default_rng(3)
        start = random.normal(size=(3, 4)).astype(numpy.float32)
        other = bg.tensor(random.normal(size=(4, 3)))

        def loss(x):
            return (((x @ other).relu() * 0.5).sum() + (x[1:3] * x[0:2]).mean() - x[2][1:3].sum() + x.reshape(12)[5] +
                    (1 - x).flatten().sum())

        x = bg.tensor(start, requires_grad=True)
        loss(x).backward()
        for index in numpy.ndindex(3, 4):
            step = numpy.zeros_like(start)
            step[index] = 1e-2
            with bg.no_grad():
                difference = (loss(bg.tensor(start + step)).item() - loss(bg.tensor(start - step)).item()) / 2e-2
            self.assertAlmostEqual(x.grad.numpy()[index], difference, delta=2e-3)

    def test_gradients_add_up(self):
        x = bg.tensor([1.0, 2.0], requires_grad=True)
        self.assertIsNone(x.grad)
        (x * x).sum().backward()
        first = x.grad
        (x * 3).sum().backward()
        self.assertEqual(x.grad.tolist(), [5, 7])
        self.assertEqual(first.tolist(), [2, 4])
        x.zero_grad()
        self.assertIsNone(x.grad)
        x.grad = bg.tensor([1.0, 1.0])
        x.grad.numpy()[0] = 4
        self.assertEqual(x.grad.tolist(), [4, 1])
        x.grad = None
        self.assertIsNone(x.grad)
        with self.assertRaises(ValueError):
            x.grad = bg.zeros(3)

    def test_what_requires_a_gradient(self):
        x = bg.tensor([1.0, 2.0]).requires_grad_()
        y = x * 2
        self.assertTrue(x.is_leaf and x.requires_grad and y.requires_grad and not y.is_leaf)
        self.assertFalse(y.detach().requires_grad)
        self.assertTrue(numpy.shares_memory(y.detach().numpy(), y.numpy()))
        self.check(RuntimeError, "detach", call=y.requires_grad_)
        self.assertFalse((bg.tensor([1.0]) * 2).requires_grad)
        x.requires_grad = False
        self.assertFalse((x * 2).requires_grad)

    def test_backward_refuses(self):
        x = bg.tensor([1.0, 2.0], requires_grad=True)
        self.check(ValueError, "backward", call=(x * 2).backward)
        self.check(ValueError, "without such a history", call=bg.tensor(1.0).backward)
        loss = x.sum()
        loss.backward()
        self.check(ValueError, "since the last backward", call=loss.backward)
        self.assertEqual(x.grad.tolist(), [1, 1])

    def test_no_grad(self):
        x = bg.tensor([1.0], requires_grad=True)
        with bg.no_grad():
            self.assertFalse((x * 2).requires_grad)
            with bg.no_grad():
                pass
            self.assertFalse(bg.is_grad_enabled())
        self.assertTrue(bg.is_grad_enabled())
        self.assertTrue((x * 2).requires_grad)
        self.assertFalse(bg.no_grad()(lambda: (x * 2).requires_grad)())
        with self.assertRaises(KeyError), bg.no_grad():
            raise KeyError
        self.assertTrue(bg.is_grad_enabled())

    def test_threads_record_for_themselves(self):
        shared = bg.tensor(numpy.ones(100000), requires_grad=True)
        failures = []

        def work(seed):
            try:
                for i in range(20):
                    x = bg.tensor(numpy.full(1000, seed + i, numpy.float32), requires_grad=True)
                    ((x * x).sum() + shared.sum()).backward()
                    numpy.testing.assert_array_equal(x.grad.numpy(), numpy.full(1000, 2.0 * (seed + i)))
            except BaseException as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(shared.grad.tolist()), {120.0})


if __name__ == "__main__":
    unittest.main()
