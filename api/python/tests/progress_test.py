"""Progress bars: where they show, and that they are no requirement."""

import contextlib
import fcntl
import io
import os
import pty
import struct
import termios
import unittest
from unittest import mock

import support
import tqdm

import bitgate as bg
from bitgate import progress

CODE = """
    import sys
    import support
    import bitgate as bg
    if sys.argv[1] == "without":
        sys.modules["tqdm"] = None
    bg.Trainer(support.tiny_model(2), support.tiny_data(20000, 200)).fit()
    print("tqdm" in sys.modules and sys.modules["tqdm"] is not None)
"""


class ProgressTest(support.Case):

    def on_a_terminal(self, how):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 120, 0, 0))
        process = support.run_python(CODE, how, stderr=theirs)
        out, _ = process.communicate(timeout=120)
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # all of it is read
            pass
        os.close(ours)
        self.assertEqual(process.returncode, 0, shown)
        return out.strip(), shown.decode()

    def test_a_bar_on_a_terminal(self):
        out, shown = self.on_a_terminal("with")
        self.assertEqual(out, "True")
        for text in ("gates 1/2", "gates 2/2", "loss", "accuracy", "/1250"):
            self.assertIn(text, shown)

    def test_no_bar_without_tqdm(self):
        self.assertEqual(self.on_a_terminal("without"), ("False", ""))

    def test_no_bar_without_a_terminal(self):
        out, err = support.run_python(CODE, "with").communicate(timeout=120)
        self.assertEqual((out, err), ("False\n", ""))

    def test_switches(self):
        with contextlib.redirect_stderr(io.StringIO()):
            bar = progress.Bar(True)
            self.assertTrue(bar.shown)
            bar.close()
        self.assertFalse(progress.Bar(False).shown)
        self.assertFalse(progress.Bar("auto").shown)
        with mock.patch.dict("sys.modules", {"tqdm": None}):
            self.check(ModuleNotFoundError, "tqdm", call=lambda: progress.Bar(True))

    def test_in_a_notebook(self):
        class ZMQInteractiveShell:
            pass

        shell = mock.Mock(get_ipython=ZMQInteractiveShell)
        bars = mock.Mock()
        with mock.patch.dict("sys.modules", {"IPython": shell, "tqdm.notebook": bars}):
            bg.Trainer(support.tiny_model(1), support.tiny_data(64, 32)).fit()
        bars.tqdm.assert_called_once()
        bars.tqdm.return_value.close.assert_called_once()

    def test_exceptions_of_the_bar_reach_the_caller(self):
        with mock.patch.object(tqdm.tqdm, "refresh", side_effect=KeyError):
            with self.assertRaises(KeyError), contextlib.redirect_stderr(io.StringIO()):
                bg.Trainer(support.tiny_model(1), support.tiny_data(64, 32), progress=True).fit()


if __name__ == "__main__":
    unittest.main()
