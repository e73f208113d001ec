"""PyTorch's float LeNet-5 training step: prints milliseconds per step, as one line of JSON.

    python3 pytorch_lenet.py [--device=cuda|cpu] [--smoke] [--ours=MILLISECONDS]

The network, batch (128), optimizer (Adam) and precision (float32 throughout) are those of bench's float step; images
stay on the device as bytes, and a step gathers its batch, as bench's does. Measured: "eager"; on a GPU "graph", the
whole step in a CUDA graph, and "compiled_graph", the same of a network that torch.compile has compiled. Every other
choice is the fastest: channels last, the fused Adam, cuDNN's own search for algorithms. --smoke: the numbers mean
nothing. --ours: what bench said of its float step, measured just before; adds rows of bench's table, with the ratios.
"""

import argparse
import json
import statistics
import sys
import time

BATCH = 128


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(0)


try:
    import torch
except ImportError as error:
    skip(f"no PyTorch: {error}")


class Step:
    """One network and its optimizer; calling it trains on the images whose numbers are in `index`."""

    def __init__(self, device, images, labels, compiled=False):
        nn = torch.nn
        torch.manual_seed(1)
        self.network = nn.Sequential(nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5), nn.ReLU(),
                                     nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 10))
        self.network.to(device, memory_format=torch.channels_last)
        on_gpu = device.type == "cuda"
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=on_gpu or None, capturable=on_gpu)
        self.forward = torch.compile(self.network) if compiled else self.network
        self.images, self.labels = images, labels
        self.index = torch.zeros(BATCH, dtype=torch.int64, device=device)

    def __call__(self):
        # [n, 1, 28, 28] with one channel is channels last as well.
        x = self.images[self.index].to(torch.float32) * (1 / 255)
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.forward(x.contiguous(memory_format=torch.channels_last)),
                                                 self.labels[self.index])
        loss.backward()
        self.optimizer.step()


def captured(step):
    """The step as a CUDA graph: what is called instead."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def milliseconds(device, step, run, steps, turns):
    """Median over the turns of a step's time in a turn of `steps`."""
    count = len(step.images) // BATCH
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    times = []
    for _ in range(turns + 1):  # the first warms up
        order = torch.randperm(len(step.images), device=device)
        wait()
        begin = time.perf_counter()
        for i in range(steps):
            step.index.copy_(order[i % count * BATCH:i % count * BATCH + BATCH])
            run()
        wait()
        times.append(1000 * (time.perf_counter() - begin) / steps)
    return statistics.median(times[1:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda", choices=["cpu", "cuda"])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--ours", type=float)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        skip("no GPU that PyTorch can use")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    device = torch.device(options.device)
    images = torch.randint(0, 256, (BATCH * (2 if options.smoke else 468), 1, 28, 28), dtype=torch.uint8, device=device)
    labels = torch.arange(len(images), device=device) % 10
    steps, turns = (2, 1) if options.smoke else (200, 15) if device.type == "cuda" else (10, 5)

    ways = {"eager": lambda step: step}
    if device.type == "cuda":
        ways.update(graph=captured, compiled_graph=captured)
    times, failures = {}, {}
    for name, make in ways.items():
        try:
            step = Step(device, images, labels, compiled=name == "compiled_graph")
            times[name] = round(milliseconds(device, step, make(step), steps, turns), 4)
        except Exception as error:  # a way that this machine lacks something for: the others count
            if name == "eager":
                raise
            failures[name] = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    result = {
        "pytorch": torch.__version__,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,
        "batch": BATCH,
        "ms_per_step": times,
        "failed": failures,
    }
    print(json.dumps(result))
    if options.ours:
        for name, theirs in times.items():
            measured, baseline = "LeNet-5 float step, replayed", f"PyTorch's, {name}"
            print(f"{measured:44} {options.ours:9.3f}  {baseline:44} {theirs:9.3f}  {options.ours / theirs:6.2f}")


main()
