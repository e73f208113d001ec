"""Ctrl-C, forked children, and an interpreter that exits in the middle of training."""

import signal
import textwrap
import time
import unittest

import support

PRELUDE = """
import os, signal, sys, threading, time
import numpy
import support
import bitgate as bg

data = support.tiny_data(2000, 200)
"""


class ProcessCase(support.Case):

    def start(self, code, *arguments):
        return support.run_python(PRELUDE + textwrap.dedent(code), *arguments)

    def finish(self, process, code=0):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, f"{out}\n{err}")
        return out.splitlines(), err


class InterruptTest(ProcessCase):

    def test_ctrl_c_in_fit(self):
        process = self.start("""
            trainer = bg.Trainer(support.tiny_model(100000), data, output=sys.argv[1])
            print("ready", flush=True)
            try:
                trainer.fit()
            except KeyboardInterrupt:
                steps = []
                run = trainer.fit(on_step=lambda step: steps.append(step.total_steps_done) or False)
                print(os.path.exists(sys.argv[1]), steps[0] > 1, run.stopped)
        """, self.folder / "run.safetensors")
        self.assertEqual(process.stdout.readline(), "ready\n")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process)[0], ["True True True"])

    def test_ctrl_c_unhandled(self):
        process = self.start("""
            print("ready", flush=True)
            bg.Trainer(support.tiny_model(100000), data).fit()
        """)
        self.assertEqual(process.stdout.readline(), "ready\n")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        self.assertIn("KeyboardInterrupt", self.finish(process, -signal.SIGINT)[1])

    def test_ctrl_c_in_evaluation(self):
        process = self.start("""
            big = bg.Dataset(numpy.zeros((1000000, 8, 8), numpy.uint8), numpy.zeros(1000000, int), classes=4)
            net = bg.Trainer(support.tiny_model(1), data).fit().model
            for call in (lambda: net.evaluate(big, batch_size=1), lambda: net.predict(big.images)):
                threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
                start = time.time()
                try:
                    while True:
                        call()
                except KeyboardInterrupt:
                    print("stopped", net.frozen)
        """)
        self.assertEqual(self.finish(process)[0], ["stopped False"] * 2)

    def test_handlers_of_signals_run(self):
        process = self.start("""
            class Timeout(Exception):
                pass

            def on_alarm(*_):
                raise Timeout

            signal.signal(signal.SIGALRM, on_alarm)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            try:
                bg.Trainer(support.tiny_model(100000), data).fit()
            except Timeout:
                print("timeout")
        """)
        self.assertEqual(self.finish(process)[0], ["timeout"])

    def test_what_cannot_be_written_is_told(self):
        process = self.start("""
            os.mkdir(sys.argv[1])
            trainer = bg.Trainer(support.tiny_model(3), data, output=sys.argv[1] + "/run.safetensors")

            def on_step(_):
                import shutil
                shutil.rmtree(sys.argv[1])
                raise KeyError("mine")

            try:
                trainer.fit(on_step=on_step)
            except OSError as error:
                print(type(error.__cause__).__name__, "run.safetensors" in str(error))
        """, self.folder / "gone")
        self.assertEqual(self.finish(process)[0], ["KeyError True"])


class ExitTest(ProcessCase):

    def test_in_a_daemon_thread(self):
        for code in ("", "sys.exit(3)", "raise ValueError"):
            with self.subTest(code=code):
                process = self.start(f"""
                    started = threading.Event()

                    def train():
                        while True:
                            try:
                                bg.Trainer(support.tiny_model(100000), data).fit(on_step=lambda _: started.set())
                            except Exception:
                                print("an exception")

                    threading.Thread(target=train, daemon=True).start()
                    started.wait()
                    {code}
                """)
                out, err = self.finish(process, {"": 0, "sys.exit(3)": 3}.get(code, 1))
                self.assertEqual((out, "ValueError" in err), ([], "ValueError" in code), err)

    def test_ops_in_a_daemon_thread(self):
        process = self.start("""
            def compute():
                big = bg.zeros((1000, 1000))
                while True:
                    big @ big

            threading.Thread(target=compute, daemon=True).start()
            time.sleep(0.3)
        """)
        self.finish(process)

    def test_everything_alive(self):
        process = self.start("""
            x = bg.from_numpy(numpy.ones(100000, numpy.float32)).requires_grad_()
            y = (x * 2).sum()
            net = support.tiny_model()
            trainer = bg.Trainer(net, data)
            view = y.numpy()
            keep = [x, y, net, trainer, view]
            keep.append(keep)
        """)
        self.assertEqual(self.finish(process)[1], "")


class ForkTest(ProcessCase):

    def test_a_child_is_refused(self):
        process = self.start("""
            x = bg.tensor([1.0], requires_grad=True)
            y = x * 2
            net = support.tiny_model()
            trainer = bg.Trainer(net, data)
            trainer.fit()
            view = bg.from_numpy(numpy.ones(3, numpy.float32))
            if os.fork() == 0:
                calls = {"op": lambda: x * 2, "tensor": lambda: bg.tensor(1.0), "backward": y.backward,
                         "bits": net.bits, "predict": lambda: net.predict(data.test.images), "fit": trainer.fit,
                         "dataset": lambda: support.tiny_data(), "model": support.tiny_model}
                for name, call in calls.items():
                    try:
                        call()
                    except bg.ForkedError:
                        print(name, "refused", flush=True)
                del x, y, view, net, trainer, data, calls
                sys.exit(5)
            print(os.waitstatus_to_exitcode(os.wait()[1]), net.bits().totals["channels"])
        """)
        lines = self.finish(process)[0]
        self.assertEqual([line.split()[0] for line in lines[:-1]],
                         ["op", "tensor", "backward", "bits", "predict", "fit", "dataset", "model"])
        self.assertEqual(lines[-1], "5 22")

    def test_fork_while_another_thread_trains(self):
        process = self.start("""
            started = threading.Event()
            thread = threading.Thread(target=lambda: bg.Trainer(support.tiny_model(100000), data).fit(
                on_step=lambda _: started.set()), daemon=True)
            thread.start()
            started.wait()
            if os.fork() == 0:
                sys.exit(5)
            print(os.waitstatus_to_exitcode(os.wait()[1]))
        """)
        self.assertEqual(self.finish(process)[0], ["5"])

    def test_fork_before_the_first_use(self):
        process = support.run_python("""
            import os, sys
            import bitgate as bg
            if os.fork() == 0:
                print((bg.tensor([1.0]) * 2).item(), flush=True)
                sys.exit(0)
            os.wait()
            print((bg.tensor([1.0]) * 3).item())
        """)
        self.assertEqual(self.finish(process)[0], ["2.0", "3.0"])

    def test_children_that_are_spawned(self):
        process = support.run_python("""
            import subprocess, sys
            import bitgate as bg
            x = bg.tensor([1.0]) * 2
            print(subprocess.run([sys.executable, "-c", "import bitgate; print(bitgate.tensor(2).item())"],
                                 capture_output=True, text=True, preexec_fn=lambda: None).stdout.strip())
            print((x * 2).item())
        """)
        self.assertEqual(self.finish(process)[0], ["2", "4.0"])


if __name__ == "__main__":
    unittest.main()
