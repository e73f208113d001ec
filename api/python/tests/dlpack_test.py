"""DLPack, both ways, with NumPy. (torch_test.py has PyTorch.)"""

import gc
import unittest
import weakref

import numpy
import support

import bitgate as bg


class Exporter:
    """Exports an array by the methods it is asked for, and remembers how."""

    def __init__(self, array, versioned=True, device=(1, 0)):
        self.array, self.versioned, self.device, self.calls = array, versioned, device, []

    def __dlpack__(self, **options):
        self.calls.append(options)
        if options and not self.versioned:
            raise TypeError("no such argument")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device


class NumpyTest(support.Case):

    def test_out(self):
        for data in ([[1.5, 2.5]], numpy.arange(3, dtype=numpy.int32), numpy.zeros((2, 0), numpy.uint8),
                     numpy.int8([-1]), 2.5):
            tensor = bg.tensor(data)
            array = numpy.from_dlpack(tensor)
            self.assertEqual(array.dtype, tensor.dtype)
            numpy.testing.assert_array_equal(array, tensor.numpy())
        tensor = bg.tensor([1.0, 2.0])
        numpy.from_dlpack(tensor)[0] = 5
        self.assertEqual(tensor.tolist(), [5, 2])

    def test_out_keeps_the_memory(self):
        array = numpy.from_dlpack(bg.tensor([1.0, 2.0]) * 2)
        gc.collect()
        bg.tensor([9.0, 9.0])
        self.assertEqual(array.tolist(), [2, 4])

    def test_capsules_that_nobody_takes(self):
        tensor = bg.tensor([1.0])
        self.assertEqual(tensor.__dlpack_device__(), (1, 0))
        self.assertIn("dltensor", repr(tensor.__dlpack__()))
        self.assertIn("dltensor_versioned", repr(tensor.__dlpack__(max_version=(1, 1))))
        self.assertIn('"dltensor"', repr(tensor.__dlpack__(max_version=(0, 8))))
        self.check(BufferError, "no stream", call=lambda: tensor.__dlpack__(stream=1))
        self.check(BufferError, "device (1, 0)", call=lambda: tensor.__dlpack__(dl_device=(2, 0)))

    def test_out_as_a_copy(self):
        tensor = bg.tensor([1.0])
        numpy.from_dlpack(tensor, copy=True)[0] = 3
        self.assertEqual(tensor.item(), 1)

    def test_in(self):
        for versioned in (True, False):
            array = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
            exporter = Exporter(array, versioned)
            tensor = bg.from_dlpack(exporter)
            self.assertEqual(tensor.shape, (2, 3))
            array[1, 2] = 7
            self.assertEqual(tensor[1, 2].item(), 7)
            self.assertEqual(exporter.calls[0], {"max_version": (1, 0)})

    def test_in_keeps_the_array_no_longer_than_needed(self):
        array = numpy.zeros(4, numpy.float32)
        gone = weakref.ref(array)
        tensor = bg.from_dlpack(array)
        del array
        gc.collect()
        self.assertIsNotNone(gone())
        del tensor
        gc.collect()
        self.assertIsNone(gone())

    def test_there_and_back(self):
        tensor = bg.tensor([[1, 2], [3, 4]])
        twin = bg.from_dlpack(tensor)
        twin.numpy()[0, 0] = 9
        self.assertEqual(tensor.tolist(), [[9, 2], [3, 4]])

    def test_refusals(self):
        array = numpy.zeros((4, 6), numpy.float32)
        self.check(ValueError, "contiguous", call=lambda: bg.from_dlpack(array[:, ::2]))
        self.check(ValueError, "contiguous", call=lambda: bg.from_dlpack(array.T))
        self.check(ValueError, "type code 2 of 64 bits", call=lambda: bg.from_dlpack(numpy.zeros(3)))
        self.check(ValueError, "at most 6", call=lambda: bg.from_dlpack(numpy.zeros((1,) * 7, numpy.float32)))
        self.check(NotImplementedError, "cuda:99", call=lambda: bg.from_dlpack(Exporter(array, device=(2, 99))))
        self.check(TypeError, "__dlpack__", call=lambda: bg.from_dlpack([1.0]))
        array.flags.writeable = False
        self.check(ValueError, "read-only", call=lambda: bg.from_dlpack(array))
        array.flags.writeable = True
        once = array.__dlpack__()

        class Again:
            def __dlpack__(self, **_):
                return once

        bg.from_dlpack(Again())
        with self.assertRaises(ValueError):  # taken already
            bg.from_dlpack(Again())


if __name__ == "__main__":
    unittest.main()
