"""Python and the command line write the same bytes: checkpoints, logs but for the times, ONNX files."""

import json
import os
import subprocess
import sys
import unittest

import support

import bitgate as bg


def settled(log):
    """Without what a clock has a part in."""
    lines = []
    for line in log.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        fields.pop("seconds")
        fields.pop("images_per_second")
        lines.append(fields)
    return lines


class SameBytesTest(support.Case):

    program = None  # path of the binary

    def setUp(self):
        super().setUp()
        self.recipe = self.write_recipe()
        self.data = bg.data.folder(support.write_data(self.folder / "data"), classes=support.CLASSES)
        for door in ("cli", "python"):
            (self.folder / door).mkdir()

    def bitgate(self, *arguments):
        subprocess.run([self.program, *map(str, arguments)], check=True, capture_output=True, cwd=self.folder / "cli",
                       env={**os.environ, "OMP_NUM_THREADS": str(bg.get_threads())})

    def check_same(self, *names):
        for name in names:
            first, second = (self.folder / door / name for door in ("cli", "python"))
            self.assertEqual(first.read_bytes(), second.read_bytes(), name)

    def test_a_whole_job(self):
        self.bitgate("train", f"--recipe={self.recipe}", "--data=../data", "--output=run.safetensors", "--epochs=2",
                     "--mu=0.05")
        self.bitgate("freeze", "run.safetensors", "--output=frozen.safetensors")
        self.bitgate("fine-tune", "frozen.safetensors", "--data=../data", "--output=tuned.safetensors", "--epochs=2",
                     "--fine_tune.weights.learning_rate=0.002")
        self.bitgate("export", "tuned.safetensors", "--onnx=m.onnx")

        out = self.folder / "python"
        net = bg.Model.from_recipe(self.recipe, quantizer=bg.BayesianBits(mu=0.05))
        run = bg.Trainer(net, self.data, epochs=2, output=out / "run.safetensors").fit()
        net.freeze()
        net.save(out / "frozen.safetensors")
        run.fine_tune(epochs=2, settings={"fine_tune.weights.learning_rate": 0.002}, output=out / "tuned.safetensors")
        net.export_onnx(out / "m.onnx")

        self.check_same("run.safetensors", "run.best.safetensors", "frozen.safetensors", "tuned.safetensors", "m.onnx")
        self.assertEqual(settled(self.folder / "cli" / "run.log.jsonl"), settled(out / "run.log.jsonl"))
        history = [{**epoch, "kept_channels": {k: list(v) for k, v in epoch["kept_channels"].items()}}
                   for epoch in run.history]
        self.assertEqual(history, settled(out / "run.log.jsonl"))

    def test_bsq(self):
        settings = {"training.requantize_every": 2, "training.weights.kind": "SGD",
                    "training.weights.learning_rate": 0.1, "training.weights.momentum": 0.9, "fine_tune.epochs": 1,
                    "fine_tune.ranges.learning_rate": 0}
        self.bitgate("train", f"--recipe={self.recipe}", "--data=../data", "--output=run.safetensors", "--epochs=3",
                     "--quantizer.method=bsq", "--quantizer.alpha=0.05", "--quantizer.initial_bits=5",
                     *(f"--{path}={value}" for path, value in settings.items()))
        self.bitgate("export", "run.safetensors", "--onnx=m.onnx")

        out = self.folder / "python"
        net = bg.Model.from_recipe(self.recipe, settings, quantizer=bg.BSQ(alpha=0.05, initial_bits=5))
        bg.Trainer(net, self.data, epochs=3, output=out / "run.safetensors").fit()
        net.export_onnx(out / "m.onnx")
        self.check_same("run.safetensors", "run.best.safetensors", "m.onnx")

    def test_each_goes_on_where_the_other_stopped(self):
        out = self.folder / "python" / "run.safetensors"
        bg.Trainer(bg.Model.from_recipe(self.recipe), self.data, output=out).fit(
            on_step=lambda step: step.total_steps_done < 25)
        self.bitgate("train", "--resume", f"--output={out}", "--data=../data")
        self.bitgate("train", f"--recipe={self.recipe}", "--data=../data", "--output=run.safetensors")
        self.check_same("run.safetensors", "run.best.safetensors")
        run = bg.Trainer(bg.Model.from_recipe(self.recipe), self.data, output=out, existing="resume").fit()
        self.assertEqual(run.epochs, 0)

    def test_a_graph_built_in_python(self):
        net = bg.Model(support.tiny_graph())
        self.assertEqual(net.config.text,
                         bg.Config.from_text(f"network {{ graph {{ {support.tiny_graph()} }} }}").text)


if __name__ == "__main__":
    SameBytesTest.program = os.path.abspath(sys.argv.pop(1))
    unittest.main()
