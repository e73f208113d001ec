"""The three front doors against each other, each ratio of one run:

    bazel run //tools/bench:doors -- [--smoke] [--turns=N]

A training run of LeNet-5 through the command line, C and Python, by turns, each in a process of its own; and a call of
a small op in Python against the same call in C++. --smoke shows that it runs; its numbers mean nothing.
"""

import argparse
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import timeit

import numpy

import bitgate

RECIPE = """
network { zoo: "lenet5" }
quantizer { method: "bayesian_bits" mu: 0.1 initially_closed_bits: [16, 32] }
training { epochs: 1 batch_size: 128 }
"""
SMALL_OP_MICROSECONDS = 8
STEP_RATIO = 1.02


def write_idx(path, array):
    header = struct.pack(">I", 0x0800 | array.ndim) + b"".join(struct.pack(">I", n) for n in array.shape)
    path.write_bytes(header + array.tobytes())


def write_data(folder, train, test):
    folder.mkdir()
    random = numpy.random.default_rng(1)
    for prefix, count in (("train", train), ("t10k", test)):
        write_idx(folder / f"{prefix}-images-idx3-ubyte", random.integers(0, 256, (count, 28, 28)).astype(numpy.uint8))
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", (numpy.arange(count) % 10).astype(numpy.uint8))
    return folder


def seconds_of(command):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    lines = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()
    return json.loads(lines[-1])["seconds"]


def training_rows(options, folder):
    """One epoch through each door; the seconds are those that the door reports for training. The ratio is the median of
    those of the turns: what drifts from turn to turn has no part in it."""
    steps = 2 if options.smoke else 100
    data = write_data(folder / "data", 128 * steps, 128)
    recipe = folder / "recipe.textproto"
    recipe.write_text(RECIPE)
    output = folder / "run.safetensors"
    doors = {
        "command line": [options.bitgate, "train", f"--recipe={recipe}", f"--data={data}", f"--output={output}",
                         "--overwrite", "--json"],
        "C": [options.train_with_c, recipe, data, output],
        "Python": [sys.executable, options.train_with_python, recipe, data, output],
    }
    times = {name: [] for name in doors}
    for turn in range(options.turns + 1):
        order = list(doors.items())
        for name, command in order[turn % 3:] + order[:turn % 3]:  # who comes first has the cooler processor
            seconds = seconds_of([str(word) for word in command])
            if turn > 0:  # the first warms up
                times[name].append(1000 * seconds / steps)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = {name: statistics.median(a / b for a, b in zip(values, times["command line"]))
              for name, values in times.items()}
    return [(f"LeNet-5 training step, {name}", medians[name], "LeNet-5 training step, command line",
             medians["command line"], ratios[name], STEP_RATIO) for name in ("C", "Python")]


def small_op_row(options):
    """Microseconds of one call."""
    words = [options.bench, "--small_ops"] + (["--smoke"] if options.smoke else [])
    cpp = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)[0]
    a = bitgate.tensor(numpy.full(16, 1.5, numpy.float32))
    b = bitgate.tensor(numpy.full(16, 1.5, numpy.float32))
    calls = 10 if options.smoke else 20000
    add = bitgate.ops.add
    python = min(timeit.repeat(lambda: add(a, b), number=calls, repeat=5)) / calls * 1e6
    return python, 1000 * cpp["baseline_ms"] / cpp["calls"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--turns", type=int, default=15)
    for program in ("bitgate", "bench", "train_with_c", "train_with_python"):
        parser.add_argument(f"--{program}", required=True, type=os.path.abspath)
    options = parser.parse_args()
    if options.smoke:
        options.turns = 1
    with tempfile.TemporaryDirectory() as folder:
        rows = training_rows(options, pathlib.Path(folder))
    for measured, time, baseline, base, ratio, allowed in rows:
        print(f"{measured:<38} {time:8.3f} ms  {baseline:<38} {base:8.3f} ms  {ratio:5.3f}  <= {allowed:.2f} "
              f"{'kept' if ratio <= allowed else 'NOT KEPT'}")
    python, cpp = small_op_row(options)
    print(f"{'bitgate.ops.add of 16 floats':<38} {python:8.3f} us  {'Add in C++':<38} {cpp:8.3f} us  "
          f"{python - cpp:+.2f} us a call <= {SMALL_OP_MICROSECONDS} "
          f"{'kept' if python - cpp <= SMALL_OP_MICROSECONDS else 'NOT KEPT'}")


main()
