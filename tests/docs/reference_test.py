"""The reference is there, for both doors."""

import posixpath
import re
import sys
import tarfile
import unittest

ARCHIVE = sys.argv.pop(1)


class ReferenceTest(unittest.TestCase):

    def page(self, name):
        with tarfile.open(ARCHIVE) as tar:
            return tar.extractfile(f"bitgate-reference/{name}").read().decode()

    def test_c(self):
        page = self.page("c/bitgate_8h.html")
        for name in ("bg_trainer_fit", "bg_bayesian_bits", "BG_STATUS_BUSY"):
            self.assertIn(name, page)
        self.assertIn("struct_size", self.page("c/structbg__callbacks.html"))

    def test_python(self):
        page = self.page("python/bitgate.html")
        for name in ("Trainer.fit", "Model.freeze", "Tensor.backward", "BayesianBits"):
            self.assertIn(f'id="{name}"', page)
        self.assertIn('id="bayesian_bits"', self.page("python/bitgate/ops.html"))

    def test_the_index_links_both(self):
        index = self.page("index.html")
        for link in ("c/bitgate_8h.html", "python/bitgate.html"):
            self.assertIn(f'href="{link}"', index)
            self.page(link)

    def test_links_lead_to_files_of_the_archive(self):
        with tarfile.open(ARCHIVE) as tar:
            names = set(tar.getnames())
            for name in sorted(names):
                if name.endswith(".html"):
                    text = re.sub(r"(?s)<script.*?</script>", "", tar.extractfile(name).read().decode())
                    for link in re.findall(r'(?:href|src)="([^"#:]+)(?:#[^"]*)?"', text):
                        self.assertIn(posixpath.normpath(posixpath.join(posixpath.dirname(name), link)), names, name)


unittest.main()
