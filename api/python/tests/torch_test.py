"""PyTorch's tensors go in and out without a copy. Skipped, visibly, where it is not installed."""

import numpy

import bitgate as bg
import support

try:
    import torch
except ImportError:
    torch = None


class TorchTest(support.Case):

    def test_in_and_out(self):
        theirs = torch.arange(6, dtype=torch.float32).reshape(2, 3)
        ours = bg.from_dlpack(theirs)
        theirs[0, 0] = 7
        self.assertEqual(ours[0, 0].item(), 7)
        back = torch.from_dlpack(ours)
        back[1, 2] = 8
        self.assertEqual(theirs[1, 2].item(), 8)
        self.assertEqual(back.data_ptr(), theirs.data_ptr())

    def test_gradients_agree(self):
        random = numpy.random.default_rng(1)
        x, w = random.random((4, 6), numpy.float32), random.random((3, 6), numpy.float32)
        labels = numpy.array([0, 1, 2, 1])
        ours = bg.tensor(w, requires_grad=True)
        bg.ops.softmax_cross_entropy(bg.ops.linear(bg.tensor(x), ours), bg.tensor(labels)).backward()
        theirs = torch.tensor(w, requires_grad=True)
        torch.nn.functional.cross_entropy(torch.tensor(x) @ theirs.T, torch.tensor(labels)).backward()
        numpy.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5, atol=1e-7)


if __name__ == "__main__":
    if torch is None:
        print("SKIPPED: PyTorch is not installed")
    else:
        support.unittest.main()
