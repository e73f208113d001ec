"""The same recipe and seed through the command line and through C leave the same bytes."""

import pathlib
import subprocess

import harness


BSQ = """
network { graph_file: "tiny_graph.textproto" }
quantizer { method: "bsq" alpha: 0.05 initial_bits: 5 }
training {
  epochs: 3
  batch_size: 32
  seed: 7
  requantize_every: 2
  weights { kind: SGD learning_rate: 0.1 momentum: 0.9 }
  ranges { kind: SGD learning_rate: 0.1 }
}
evaluation { batch_size: 64 }
"""


class DoorsTest(harness.Case):

    def through_c(self, recipe):
        folder = self.folder / "c"
        folder.mkdir()
        program = str(pathlib.Path(self.options.run_recipe).resolve())
        done = subprocess.run([program, recipe, self.data, folder], capture_output=True, text=True, timeout=240,
                              env=harness.environment(), check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return folder

    def assert_equal_files(self, folder, **names):
        for name, mine in names.items():
            name = name.replace("__", ".")
            self.assertEqual((folder / name).read_bytes(), pathlib.Path(mine).read_bytes(), name)

    def test_verb_by_verb(self):
        self.verb_by_verb()

    def test_bsq_verb_by_verb(self):
        self.recipe.write_text(BSQ, encoding="utf-8")
        self.verb_by_verb()

    def verb_by_verb(self):
        run, frozen, tuned, onnx = (self.folder / name for name in
                                    ("run.safetensors", "frozen.safetensors", "tuned.safetensors", "model.onnx"))
        self.run_bitgate(*self.train_arguments(run))
        self.run_bitgate("freeze", run, "-o", frozen)
        self.run_bitgate("fine-tune", frozen, f"--output={tuned}", "--data", self.data, "--epochs=2")
        self.run_bitgate("export", tuned, f"--onnx={onnx}")
        folder = self.through_c(self.recipe)
        self.assert_equal_files(folder, run__safetensors=run,
                                run__best__safetensors=self.folder / "run.best.safetensors",
                                frozen__safetensors=frozen, tuned__safetensors=tuned,
                                tuned__best__safetensors=self.folder / "tuned.best.safetensors", model__onnx=onnx)

    def test_in_one_go(self):
        self.recipe.write_text(harness.RECIPE + harness.FINE_TUNE, encoding="utf-8")
        run, onnx = self.folder / "run.safetensors", self.folder / "model.onnx"
        self.run_bitgate(*self.train_arguments(run))
        self.run_bitgate("export", run, f"--onnx={onnx}")
        folder = self.through_c(self.recipe)
        self.assert_equal_files(folder, run__safetensors=run,
                                run__best__safetensors=self.folder / "run.best.safetensors",
                                model__onnx=onnx)
        self.assertFalse((folder / "tuned.safetensors").exists())


if __name__ == "__main__":
    harness.main(lambda parser: parser.add_argument("--run_recipe", required=True))
