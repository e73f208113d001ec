"""Differentiable operations on tensors.

Operands are float32 unless said otherwise, contiguous, on one device. Each returns a new tensor, recorded for
backward() if an operand requires a gradient. Wrong shapes and dtypes are ValueErrors that name the op and the operand.
"""

from bitgate import _core as _core
from bitgate._core.ops import (
    GATE_CLOSED,
    GATE_OPEN,
    GateSite,
    adam_step,
    add,
    average_pool2d,
    bayesian_bits,
    conv2d,
    count_correct,
    fixed_quantize,
    flatten,
    gate_penalty,
    gates,
    linear,
    mat_mul,
    max_pool2d,
    mean,
    mul,
    relu,
    reshape,
    scale,
    sgd_step,
    slice,  # pylint: disable=redefined-builtin
    softmax_cross_entropy,
    sum,  # pylint: disable=redefined-builtin
    sum_rows,
    uniform_noise,
)

__all__ = [
    "GATE_CLOSED",
    "GATE_OPEN",
    "GateSite",
    "adam_step",
    "add",
    "average_pool2d",
    "bayesian_bits",
    "conv2d",
    "count_correct",
    "fixed_quantize",
    "flatten",
    "gate_penalty",
    "gates",
    "linear",
    "mat_mul",
    "max_pool2d",
    "mean",
    "mul",
    "relu",
    "reshape",
    "scale",
    "sgd_step",
    "slice",
    "softmax_cross_entropy",
    "sum",
    "sum_rows",
    "uniform_noise",
]
