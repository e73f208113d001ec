"""Every op against NumPy, and what its arguments mean. (Formulas and gradients are tested beside the ops, in C++.)"""

import unittest

import numpy
import support

import bitgate as bg
from bitgate import ops


def random(*shape, seed=1):
    return numpy.random.default_rng(seed).normal(size=shape).astype(numpy.float32)


def windows(x, kernel, stride, padding, fill):
    """[n, p, q, kh, kw, c]"""
    padded = numpy.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)), constant_values=fill)
    view = numpy.lib.stride_tricks.sliding_window_view(padded, kernel, (1, 2))[:, ::stride[0], ::stride[1]]
    return numpy.moveaxis(view, 3, 5)


class ProductTest(support.Case):

    def test_conv2d(self):
        x, w, bias = random(2, 7, 6, 4), random(6, 3, 2, 4, seed=2), random(6, seed=3)
        got = ops.conv2d(bg.tensor(x), bg.tensor(w), bg.tensor(bias), stride=(2, 1), padding=(1, 0), activation="relu")
        patches = windows(x, (3, 2), (2, 1), (1, 0), 0)
        expected = numpy.maximum(numpy.einsum("npqrsc,orsc->npqo", patches, w) + bias, 0)
        numpy.testing.assert_allclose(got.numpy(), expected, rtol=1e-4, atol=1e-5)
        grouped = ops.conv2d(bg.tensor(x), bg.tensor(w[:, :, :, :2]), groups=2)
        self.assertEqual(grouped.shape, (2, 5, 5, 6))

    def test_linear(self):
        x, w, bias = random(5, 3), random(4, 3, seed=2), random(4, seed=3)
        got = ops.linear(bg.tensor(x), bg.tensor(w), bg.tensor(bias))
        numpy.testing.assert_allclose(got.numpy(), x @ w.T + bias, rtol=1e-5, atol=1e-6)
        got = ops.linear(bg.tensor(x), bg.tensor(w), activation="relu")
        numpy.testing.assert_allclose(got.numpy(), numpy.maximum(x @ w.T, 0), rtol=1e-5, atol=1e-6)

    def test_mat_mul(self):
        a, b = random(3, 5), random(4, 5, seed=2)
        got = ops.mat_mul(bg.tensor(a), bg.tensor(b), transpose_b=True)
        numpy.testing.assert_allclose(got.numpy(), a @ b.T, rtol=1e-5, atol=1e-6)

    def test_refusals(self):
        x, w = bg.zeros((1, 4, 4, 2)), bg.zeros((3, 3, 3, 1))
        self.check(ValueError, "conv2d", call=lambda: ops.conv2d(x, w))
        self.check(ValueError, "'relu', got 'tanh'", call=lambda: ops.conv2d(x, w, activation="tanh"))
        self.check(ValueError, "linear", call=lambda: ops.linear(x, w))
        self.check(ValueError, "float32", call=lambda: ops.relu(bg.tensor([1])))
        for call in (lambda: ops.relu(numpy.zeros(3, numpy.float32)), lambda: ops.relu(None), lambda: ops.add([1.0], 2),
                     lambda: ops.conv2d(x, w, None, 2), lambda: ops.scale(x, "a"), lambda: ops.relu(x, axis=1)):
            self.check(TypeError, call=call)


class ElementTest(support.Case):

    def test_elementwise_and_reductions(self):
        a, b = random(3, 4), random(3, 4, seed=2)
        x, y = bg.tensor(a), bg.tensor(b)
        for got, expected in ((ops.add(x, y), a + b), (ops.mul(x, y), a * b), (ops.scale(x, 0.5), a / 2),
                              (ops.relu(x), numpy.maximum(a, 0)), (ops.sum(x), a.sum(dtype=numpy.float64)),
                              (ops.mean(x), a.mean(dtype=numpy.float64)), (ops.sum_rows(x), a.sum(0)),
                              (ops.reshape(x, [4, 3]), a.reshape(4, 3)), (ops.flatten(bg.tensor(a[None])),
                                                                          a.reshape(1, 12)),
                              (ops.slice(x.flatten(), 2, 5), a.flatten()[2:5])):
            numpy.testing.assert_allclose(got.numpy(), expected, rtol=1e-6, atol=1e-6)
        self.check(ValueError, "mean", call=lambda: ops.mean(bg.zeros(0)))
        self.check(ValueError, "slice", call=lambda: ops.slice(x.flatten(), 5, 2))

    def test_pools(self):
        x = random(2, 6, 5, 3)
        got = ops.max_pool2d(bg.tensor(x), (3, 2), stride=(2, 1), padding=(1, 0))
        expected = windows(x, (3, 2), (2, 1), (1, 0), -numpy.inf).max((3, 4))
        numpy.testing.assert_array_equal(got.numpy(), expected)
        got = ops.average_pool2d(bg.tensor(x), 2)
        numpy.testing.assert_allclose(got.numpy(), windows(x, (2, 2), (2, 2), (0, 0), 0).mean((3, 4)), rtol=1e-6)
        self.check(ValueError, "max_pool2d", call=lambda: ops.max_pool2d(bg.tensor(x), 9))

    def test_pad_channels(self):
        x = random(2, 4, 4, 3)
        got = ops.pad_channels(bg.tensor(x), 6)
        numpy.testing.assert_array_equal(got.numpy(), numpy.pad(x, ((0, 0),) * 3 + ((1, 2),)))
        self.check(ValueError, "channels of x", call=lambda: ops.pad_channels(bg.tensor(x), 2))

    def test_norms(self):
        x = random(2, 3, 4, 5)
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        numpy.testing.assert_allclose(ops.channel_statistics(bg.tensor(x)).numpy(), [mean, variance], rtol=1e-5,
                                      atol=1e-6)
        gamma, beta = random(5, seed=2), random(5, seed=3)
        running_mean, running_variance = bg.zeros(5), bg.tensor(numpy.ones(5, numpy.float32))
        got = ops.batch_norm(bg.tensor(x), bg.tensor(gamma), bg.tensor(beta), running_mean, running_variance,
                             activation="relu")
        expected = numpy.maximum(gamma * (x - mean) / numpy.sqrt(variance + 1e-5) + beta, 0)
        numpy.testing.assert_allclose(got.numpy(), expected, rtol=1e-4, atol=1e-5)
        numpy.testing.assert_allclose(running_mean.numpy(), 0.1 * mean, rtol=1e-5, atol=1e-6)
        numpy.testing.assert_allclose(running_variance.numpy(), 0.9 + 0.1 * variance * 24 / 23, rtol=1e-5)
        got = ops.batch_norm(bg.tensor(x), bg.tensor(gamma), bg.tensor(beta), running_mean, running_variance,
                             training=False)
        expected = gamma * (x - running_mean.numpy()) / numpy.sqrt(running_variance.numpy() + 1e-5) + beta
        numpy.testing.assert_allclose(got.numpy(), expected, rtol=1e-4, atol=1e-5)
        self.check(ValueError, "momentum", call=lambda: ops.batch_norm(bg.tensor(x), bg.tensor(gamma), bg.tensor(beta),
                                                                       running_mean, running_variance, momentum=2))

    def test_folded_norms(self):
        x, w, gamma, beta = random(6, 4), random(3, 4, seed=2), random(3, seed=3), random(3, seed=4)
        running_mean, running_variance = random(3, seed=5), random(3, seed=6)**2
        sigma = numpy.sqrt(running_variance + 1e-5)
        gain = ops.folded_gain(bg.tensor(gamma), bg.tensor(running_variance))
        numpy.testing.assert_allclose(gain.numpy(), gamma / sigma, rtol=1e-6)
        shift = ops.folded_shift(bg.tensor(gamma), bg.tensor(beta), bg.tensor(running_mean),
                                 bg.tensor(running_variance))
        numpy.testing.assert_allclose(shift.numpy(), beta - gamma * running_mean / sigma, rtol=1e-5, atol=1e-6)
        folded = ops.scale_rows(bg.tensor(w), gain)
        numpy.testing.assert_allclose(folded.numpy(), w * (gamma / sigma)[:, None], rtol=1e-6)

        y = x @ w.T
        result, statistics = ops.linear(bg.tensor(x), folded), ops.channel_statistics(bg.tensor(y))
        normal = numpy.maximum(gamma * (y - y.mean(0)) / numpy.sqrt(y.var(0) + 1e-5) + beta, 0)
        got = ops.folded_batch_norm(result, statistics, bg.tensor(gamma), bg.tensor(beta), bg.tensor(running_variance),
                                    activation="relu")
        numpy.testing.assert_allclose(got.numpy(), normal, rtol=1e-4, atol=1e-5)
        moved = 0.75 * running_mean + 0.25 * y.mean(0), 0.75 * running_variance + 0.25 * y.var(0, ddof=1)
        for update in (lambda *running: ops.update_running_statistics(*running, statistics, 6, momentum=0.25),
                       lambda *running: ops.folded_batch_norm_of_result(result, bg.tensor(gamma), bg.tensor(beta),
                                                                        *running, momentum=0.25, activation="relu"),
                       lambda *running: ops.folded_batch_norm_of_result(result, bg.tensor(gamma), bg.tensor(beta),
                                                                        *running, statistics=statistics, momentum=0.25,
                                                                        activation="relu")):
            running = bg.tensor(running_mean), bg.tensor(running_variance)
            got = update(*running)
            if got is not None:
                numpy.testing.assert_allclose(got.numpy(), normal, rtol=1e-4, atol=1e-5)
            for tensor, expected in zip(running, moved):
                numpy.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-4, atol=1e-5)
        gates = numpy.array([1, 0.5, 0], numpy.float32)  # the last one closed: shift alone
        running = bg.tensor(running_mean), bg.tensor(running_variance)
        gated = ops.linear(bg.tensor(x), ops.scale_rows(folded, bg.tensor(gates)))
        got = ops.folded_batch_norm_of_result(gated, bg.tensor(gamma), bg.tensor(beta), *running, bg.tensor(gates))
        slope = sigma / numpy.sqrt(y.var(0) + 1e-5)
        expected = slope * gated.numpy() + beta - gamma * y.mean(0) / numpy.sqrt(y.var(0) + 1e-5)
        expected[:, 2] = shift.numpy()[2]
        numpy.testing.assert_allclose(got.numpy(), expected, rtol=1e-4, atol=1e-5)
        self.assertEqual(running[0].numpy()[2], running_mean[2])
        self.assertNotEqual(running[0].numpy()[1], running_mean[1])
        self.check(ValueError, "statistics", call=lambda: ops.folded_batch_norm(result, shift, shift, shift, shift))
        self.check(ValueError, "gates", call=lambda: ops.folded_batch_norm_of_result(result, gain, gain, gain, gain,
                                                                                     result))
        self.check(ValueError, "statistics", call=lambda: ops.folded_batch_norm_of_result(
            result, gain, gain, gain, gain, statistics=gain))
        self.check(ValueError, "one row", call=lambda: ops.update_running_statistics(shift, gain, statistics, 0))
        self.check(ValueError, "epsilon", call=lambda: ops.folded_gain(gain, gain, epsilon=0))

    def test_losses(self):
        logits, labels = random(6, 3), numpy.int32([0, 1, 2, 2, 1, 0])
        got = ops.softmax_cross_entropy(bg.tensor(logits), bg.tensor(labels))
        probabilities = numpy.exp(logits) / numpy.exp(logits).sum(1, keepdims=True)
        self.assertAlmostEqual(got.item(), -numpy.log(probabilities[range(6), labels]).mean(), places=5)
        self.assertEqual(ops.count_correct(bg.tensor(logits), bg.tensor(labels)),
                         (logits.argmax(1) == labels).sum())
        self.check(ValueError, "3", call=lambda: ops.softmax_cross_entropy(bg.tensor(logits), bg.tensor(labels + 1)))


class OptimizerTest(support.Case):

    def test_adam(self):
        parameter, gradient = bg.tensor([1.0, -2.0]), bg.tensor([0.5, -0.25])
        first, second = bg.zeros(2), bg.zeros(2)
        ops.adam_step(parameter, gradient, first, second, step=1, learning_rate=0.1)
        numpy.testing.assert_allclose(parameter.numpy(), [0.9, -1.9], rtol=1e-6)
        numpy.testing.assert_allclose(first.numpy(), [0.05, -0.025], rtol=1e-5)
        ops.adam_step(parameter, None, first, second, step=2, learning_rate=10.0, low=-1.5, high=0.5)
        self.assertTrue((parameter.numpy() >= -1.5).all() and (parameter.numpy() <= 0.5).all())
        self.check(ValueError, "adam", call=lambda: ops.adam_step(parameter, bg.zeros(3), first, second, step=1))
        self.check(TypeError, call=lambda: ops.adam_step(parameter, gradient, first, second))

    def test_sgd(self):
        parameter, gradient, moment = bg.tensor([1.0]), bg.tensor([0.5]), bg.zeros(1)
        ops.sgd_step(parameter, gradient, learning_rate=0.5)
        self.assertEqual(parameter.item(), 0.75)
        ops.sgd_step(parameter, gradient, moment, learning_rate=0.5, momentum=0.5, nesterov=True)
        self.assertEqual((moment.item(), parameter.item()), (0.5, 0.375))
        self.check(ValueError, "nesterov", call=lambda: ops.sgd_step(parameter, gradient, nesterov=True))


class QuantizerTest(support.Case):

    def test_bayesian_bits(self):
        x = random(4, 8)
        step = 2 / (2**8 - 1)
        shrunk = 1 - 1e-7
        open_gates = bg.tensor([1.0, 1.0, 0.0, 0.0])
        got = ops.bayesian_bits(bg.tensor(x), bg.tensor([1.0]), open_gates, bg.tensor([1.0, 0.0, 1.0, 1.0]))
        expected = numpy.clip(x, -shrunk, shrunk)
        expected[1] = 0
        numpy.testing.assert_allclose(got.numpy(), expected, atol=step)
        unsigned = ops.bayesian_bits(bg.tensor(x), bg.tensor([1.0]), open_gates, signed=False)
        self.assertGreaterEqual(unsigned.numpy().min(), 0)
        self.check(ValueError, "gates", call=lambda: ops.bayesian_bits(bg.tensor(x), bg.tensor([1.0]), bg.zeros(3)))

    def test_fixed_quantize(self):
        x = random(3, 5)
        got = ops.fixed_quantize(bg.tensor(x), bg.tensor([1.0]), scale=0.25, qmin=-3, qmax=3, low=-0.75, high=0.75)
        numpy.testing.assert_array_equal(got.numpy(), numpy.clip(numpy.rint(x / 0.25), -3, 3) * numpy.float32(0.25))
        clipped = ops.fixed_quantize(bg.tensor(x), bg.tensor([1.0]), bg.tensor([1.0, 0.0, 1.0]), low=-0.5, high=0.5,
                                     clip_only=True)
        numpy.testing.assert_array_equal(clipped.numpy(), numpy.clip(x, -0.5, 0.5) * numpy.float32([[1], [0], [1]]))
        self.check(ValueError, "scale", call=lambda: ops.fixed_quantize(bg.tensor(x), bg.tensor([1.0]), scale=0))

    def test_bsq(self):
        digits = numpy.clip(random(6, 2, 5) + 0.5, 0, 2)
        row = bg.tensor(numpy.zeros((2, 5), numpy.float32), requires_grad=True)
        got = ops.bsq_weight(bg.tensor(digits), row, bg.tensor([0.7]), 3)
        u = numpy.tensordot([4, 2, 1], digits[:3] - digits[3:], 1) / 7
        expected = 0.7 * numpy.sign(u) * numpy.rint(numpy.minimum(numpy.abs(u), 1) * 7) / 7
        numpy.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)
        ops.sum(got).backward()
        numpy.testing.assert_allclose(row.grad.numpy(), numpy.full((2, 5), 0.7), rtol=1e-6)
        penalty, decay = ops.bsq_group_lasso(bg.tensor(digits), 3, weight=0.5)
        norms = numpy.sqrt((digits[:3]**2 + digits[3:]**2).sum((1, 2)))
        numpy.testing.assert_allclose(penalty.numpy(), [0.5 * norms.sum()], rtol=1e-6)
        numpy.testing.assert_allclose(decay.numpy(), numpy.tile(0.5 / norms, 2), rtol=1e-6)
        self.check(ValueError, "bsq_weight", call=lambda: ops.bsq_weight(bg.tensor(digits), row, bg.tensor([1.0]), 4))

    def test_bsq_activation(self):
        x = 4 * random(3, 5)
        for alpha, bound in ((None, 6), (bg.tensor([2.5]), 2.5)):
            largest = ops.bsq_largest(bg.tensor(x), alpha)
            self.assertEqual(largest.numpy()[0], min(x.max(), bound))
            got = ops.bsq_activation(bg.tensor(x), alpha, bits=4).numpy()
            step = largest.numpy()[0] / 15
            numpy.testing.assert_allclose(got, numpy.rint(numpy.clip(x, 0, bound) / step) * step, atol=1e-5)
            given = ops.bsq_activation(bg.tensor(x), alpha, largest, bits=4).numpy()
            numpy.testing.assert_array_equal(got, given)
        self.check(ValueError, "bits", call=lambda: ops.bsq_activation(bg.tensor(x), bits=0))

    def test_gates(self):
        site = ops.GateSite(channels=2, channel_offset=1, level=[0, ops.GATE_OPEN, ops.GATE_CLOSED, ops.GATE_CLOSED],
                            cost=[1, 1, 1, 1, 1])
        phi = bg.tensor([6.0, 6.0, -6.0], requires_grad=True)
        z = ops.gates(phi, [site], mode="threshold")
        self.assertEqual(z.tolist(), [1, 0, 1, 1, 0, 0])
        noise = ops.uniform_noise(3, seed=1, step=5)
        drawn = ops.gates(phi, [site], noise)
        self.assertEqual(drawn.shape, (6,))
        penalty = ops.gate_penalty(phi, [site], weight=0.5)
        penalty.backward()
        self.assertTrue((phi.grad.numpy() > 0).all())
        self.check(ValueError, "mode", call=lambda: ops.gates(phi, [site], mode="open"))
        self.check(ValueError, "noise", call=lambda: ops.gates(phi, [site]))
        outside = ops.GateSite(channels=9)
        self.check(ValueError, "offsets", call=lambda: ops.gates(phi, [outside], mode="threshold"))
        self.check(TypeError, call=lambda: ops.GateSite(level=[1, 2]))

    def test_uniform_noise(self):
        noise = ops.uniform_noise(1000, seed=3)
        self.assertEqual(noise.tolist(), ops.uniform_noise(1000, seed=3).tolist())
        self.assertNotEqual(noise.tolist(), ops.uniform_noise(1000, seed=3, step=1).tolist())
        self.assertTrue(0 < noise.numpy().min() and noise.numpy().max() < 1)
        self.check(ValueError, call=lambda: ops.uniform_noise(-1, seed=1))
        self.check(TypeError, call=lambda: ops.uniform_noise(1, seed=-1))


if __name__ == "__main__":
    unittest.main()
