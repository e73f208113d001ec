"""Differentiable operations on tensors.

Operands are float32 unless said otherwise, contiguous, on one device. Each returns a new tensor, recorded for
backward() if an operand requires a gradient. Wrong shapes and dtypes are ValueErrors that name the op and the operand.
"""

import functools as _functools
from typing import Any as _Any

from bitgate import _core as _core
from bitgate._core.ops import (
    GATE_CLOSED,
    GATE_OPEN,
    GateSite,
    adam_step,
    add,
    average_pool2d,
    batch_norm,
    bayesian_bits,
    bsq_activation,
    bsq_group_lasso,
    bsq_largest,
    bsq_weight,
    channel_statistics,
    conv2d,
    count_correct,
    fixed_quantize,
    flatten,
    folded_batch_norm,
    folded_batch_norm_of_result,
    folded_gain,
    folded_shift,
    gate_penalty,
    gates,
    linear,
    mat_mul,
    max_pool2d,
    mean,
    mul,
    pad_channels,
    relu,
    reshape,
    scale,
    scale_rows,
    sgd_step,
    slice,  # pylint: disable=redefined-builtin
    softmax_cross_entropy,
    sum,  # pylint: disable=redefined-builtin
    sum_rows,
    uniform_noise,
    update_running_statistics,
)

__all__ = [
    "GATE_CLOSED",
    "GATE_OPEN",
    "GateSite",
    "adam_step",
    "add",
    "average_pool2d",
    "batch_norm",
    "bayesian_bits",
    "bsq_activation",
    "bsq_group_lasso",
    "bsq_largest",
    "bsq_weight",
    "channel_statistics",
    "conv2d",
    "count_correct",
    "fixed_quantize",
    "flatten",
    "folded_batch_norm",
    "folded_batch_norm_of_result",
    "folded_gain",
    "folded_shift",
    "gate_penalty",
    "gates",
    "linear",
    "mat_mul",
    "max_pool2d",
    "mean",
    "mul",
    "pad_channels",
    "relu",
    "reshape",
    "scale",
    "scale_rows",
    "sgd_step",
    "slice",
    "softmax_cross_entropy",
    "sum",
    "sum_rows",
    "uniform_noise",
    "update_running_statistics",
]


def _explained(function: _Any) -> _Any:
    """The function, whose complaint of wrong types names them instead of printing what they hold."""

    @_functools.wraps(function)
    def call(*arguments: _Any, **options: _Any) -> _Any:
        try:
            return function(*arguments, **options)
        except TypeError as error:
            if "incompatible function arguments" not in str(error):
                raise
            got = [type(value).__name__ for value in arguments]
            got += [f"{name}={type(value).__name__}" for name, value in options.items()]
        raise TypeError(f"{function.__name__}: expected what help(bitgate.ops.{function.__name__}) tells, got "
                        f"({', '.join(got)}); bitgate.tensor() makes tensors of arrays")

    return call


for _name in __all__:
    if callable(globals()[_name]) and not isinstance(globals()[_name], type):
        globals()[_name] = _explained(globals()[_name])
