"""Killed at any moment and resumed, a run ends with the bytes of an uninterrupted one.

    bazel run //tests/e2e:kill_resume_test -- --kills=100     # as many random kills as one likes; a few by default
"""

import json
import random
import signal
import time

import harness


def define_flags(parser):
    parser.add_argument("--kills", type=int, default=4, help="SIGKILLs at random moments, spread over several runs")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments; 0: a new one each time")


def log_lines(path):
    """The lines of a log without the times, which are the one thing that differs between runs."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["seconds"], line["images_per_second"]
    return lines


class KillResumeTest(harness.Case):
    """Runs go through both phases: gates, then fine-tuning of the frozen network."""

    def setUp(self):
        super().setUp()
        self.recipe.write_text(harness.RECIPE + harness.FINE_TUNE, encoding="utf-8")
        started = time.monotonic()
        self.expected = self.finish("whole.safetensors")
        self.seconds = time.monotonic() - started

    def finish(self, name):
        """Goes on (or begins) to the end and exports; digests of all that must be the same."""
        output = self.folder / name
        self.run_bitgate(*self.train_arguments(output, "--resume"))
        onnx = output.with_suffix(".onnx")
        self.run_bitgate("export", output, f"--onnx={onnx}")
        return [harness.digest(path) for path in (output, output.with_suffix(".best.safetensors"), onnx)]

    def check_ends_like_whole(self, name, where=""):
        self.assertEqual(self.finish(name), self.expected, where)
        stem = name.split(".")[0]
        left = {path.name[len(stem):] for path in self.folder.glob(f"{stem}.*")}
        self.assertEqual(left, {".safetensors", ".best.safetensors", ".log.jsonl", ".onnx"}, where)
        whole = log_lines(self.folder / "whole.log.jsonl")
        self.assertEqual(len(whole), 5)
        self.assertEqual(log_lines(self.folder / f"{stem}.log.jsonl"), whole, where)

    def stop(self, name, delay, sent):
        """Goes on with a run and sends a signal after `delay`; the exit code and what was said."""
        process = self.start(*self.train_arguments(self.folder / name, "--resume"))
        time.sleep(delay)
        process.send_signal(sent)
        _, err = process.communicate(timeout=60)
        return process.returncode, err

    def test_random_kills(self):
        seed = self.options.seed or random.randrange(1, 1 << 30)
        print(f"kill_resume_test: --seed={seed}", flush=True)
        moments = random.Random(seed)
        kills, run = 0, 0
        while kills < self.options.kills:
            run += 1
            self.assertLess(run, 20 * self.options.kills, "runs end before they can be killed")
            for _ in range(moments.randint(1, 3)):
                code, err = self.stop(f"killed{run}.safetensors", moments.uniform(0, self.seconds), signal.SIGKILL)
                if code == 0:
                    break
                self.assertEqual(code, -signal.SIGKILL, err)
                kills += 1
            self.check_ends_like_whole(f"killed{run}.safetensors", f"seed {seed}, run {run}")

    def test_killed_before_the_first_checkpoint(self):
        for attempt in range(20):
            output = self.folder / f"early{attempt}.safetensors"
            process = self.start(*self.train_arguments(output))
            while not output.with_suffix(".log.jsonl").exists() and process.poll() is None:
                time.sleep(0.001)
            process.kill()
            process.communicate()
            if not output.exists():
                self.check_ends_like_whole(output.name)
                return
        self.fail("every kill came after the first checkpoint")

    def test_interrupted_within_an_epoch(self):
        moments = random.Random(self.options.seed or None)
        for attempt in range(40):
            output = self.folder / f"interrupted{attempt}.safetensors"
            sent = (signal.SIGINT, signal.SIGTERM)[attempt % 2]
            code, err = self.stop(output.name, moments.uniform(0, self.seconds), sent)
            if code != 130:  # it came before the program listens, or after the end
                self.assertIn(code, (0, -sent), err)
                continue
            self.assertIn("a checkpoint of this moment is saved", err)
            self.assertIn(f"bitgate train --resume --output={output}", err)
            if json.loads(harness.checkpoint_metadata(output)["progress"])["batch"] > 0:
                self.check_ends_like_whole(output.name)
                return
        self.fail("no signal came within an epoch")


if __name__ == "__main__":
    harness.main(define_flags)
