from collections.abc import Sequence
from typing import Literal

from . import Tensor

_Pair = int | Sequence[int]
_Activation = Literal["relu"] | None

GATE_OPEN: int
GATE_CLOSED: int

class GateSite:
    channels: int
    channel_offset: int
    level: Sequence[int]
    cost: Sequence[float]
    def __init__(
        self,
        *,
        channels: int = 0,
        channel_offset: int = 0,
        level: Sequence[int] = (-1, -1, -1, -1),
        cost: Sequence[float] = (0.0, 0.0, 0.0, 0.0, 0.0),
    ) -> None: ...

def conv2d(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None = None,
    *,
    stride: _Pair = 1,
    padding: _Pair = 0,
    groups: int = 1,
    activation: _Activation = None,
) -> Tensor: ...
def linear(x: Tensor, w: Tensor, bias: Tensor | None = None, *, activation: _Activation = None) -> Tensor: ...
def mat_mul(a: Tensor, b: Tensor, *, transpose_a: bool = False, transpose_b: bool = False) -> Tensor: ...
def sum(x: Tensor) -> Tensor: ...
def mean(x: Tensor) -> Tensor: ...
def sum_rows(x: Tensor) -> Tensor: ...
def relu(x: Tensor) -> Tensor: ...
def add(a: Tensor, b: Tensor) -> Tensor: ...
def mul(a: Tensor, b: Tensor) -> Tensor: ...
def scale(x: Tensor, factor: float) -> Tensor: ...
def reshape(x: Tensor, shape: Sequence[int]) -> Tensor: ...
def flatten(x: Tensor) -> Tensor: ...
def slice(x: Tensor, begin: int, end: int) -> Tensor: ...
def pad_channels(x: Tensor, channels: int) -> Tensor: ...
def max_pool2d(x: Tensor, kernel: _Pair = 2, *, stride: _Pair | None = None, padding: _Pair = 0) -> Tensor: ...
def average_pool2d(x: Tensor, kernel: _Pair = 2, *, stride: _Pair | None = None, padding: _Pair = 0) -> Tensor: ...
def batch_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor,
    running_variance: Tensor,
    *,
    training: bool = True,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
    activation: _Activation = None,
) -> Tensor: ...
def channel_statistics(x: Tensor) -> Tensor: ...
def scale_rows(w: Tensor, gain: Tensor) -> Tensor: ...
def folded_gain(gamma: Tensor, running_variance: Tensor, *, epsilon: float = 1e-5) -> Tensor: ...
def folded_shift(
    gamma: Tensor, beta: Tensor, running_mean: Tensor, running_variance: Tensor, *, epsilon: float = 1e-5
) -> Tensor: ...
def folded_batch_norm(
    x: Tensor,
    statistics: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_variance: Tensor,
    *,
    epsilon: float = 1e-5,
    activation: _Activation = None,
) -> Tensor: ...
def folded_batch_norm_of_result(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor,
    running_variance: Tensor,
    gates: Tensor | None = None,
    *,
    statistics: Tensor | None = None,
    momentum: float = 0.1,
    epsilon: float = 1e-5,
    activation: _Activation = None,
) -> Tensor: ...
def update_running_statistics(
    running_mean: Tensor, running_variance: Tensor, statistics: Tensor, rows: int, *, momentum: float = 0.1
) -> None: ...
def softmax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor: ...
def count_correct(logits: Tensor, labels: Tensor) -> int: ...
def adam_step(
    parameter: Tensor,
    gradient: Tensor | None,
    first_moment: Tensor,
    second_moment: Tensor,
    *,
    step: int,
    learning_rate: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    low: float = ...,
    high: float = ...,
) -> None: ...
def sgd_step(
    parameter: Tensor,
    gradient: Tensor | None,
    first_moment: Tensor | None = None,
    *,
    learning_rate: float = 1e-2,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    low: float = ...,
    high: float = ...,
) -> None: ...
def bayesian_bits(
    x: Tensor, range: Tensor, gates: Tensor, channel_gates: Tensor | None = None, *, signed: bool = True
) -> Tensor: ...
def bsq_weight(planes: Tensor, row: Tensor, scale: Tensor, bits: int) -> Tensor: ...
def bsq_group_lasso(planes: Tensor, bits: int, weight: float = 1.0) -> tuple[Tensor, Tensor]: ...
def bsq_activation(x: Tensor, alpha: Tensor | None = None, largest: Tensor | None = None, *, bits: int) -> Tensor: ...
def bsq_largest(x: Tensor, alpha: Tensor | None = None) -> Tensor: ...
def fixed_quantize(
    x: Tensor,
    range: Tensor,
    keep: Tensor | None = None,
    *,
    scale: float = 1.0,
    qmin: int = 0,
    qmax: int = 0,
    low: float = 0.0,
    high: float = 0.0,
    frozen_range: float = 1.0,
    clip_only: bool = False,
) -> Tensor: ...
def gates(
    phi: Tensor,
    sites: Sequence[GateSite],
    noise: Tensor | None = None,
    *,
    mode: Literal["stochastic", "deterministic", "threshold"] = "stochastic",
) -> Tensor: ...
def gate_penalty(phi: Tensor, sites: Sequence[GateSite], weight: float = 1.0) -> Tensor: ...
def uniform_noise(size: int, *, seed: int, stream: int = 0, step: int = 0, device: str = "cpu") -> Tensor: ...
