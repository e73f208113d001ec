"""Makes the reference: the C interface by Doxygen from its header's comments, the Python module by pdoc from its docstrings.

    make_reference.py --header=bitgate.h --doxyfile=Doxyfile --wheel=FOLDER --output=reference.tar.gz

Fails for a function, struct or enum of the header, or a public name of the module, without documentation.
"""

import argparse
import importlib
import inspect
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

import pdoc

from package import archive

INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Bitgate: reference</title></head><body>
<h1>Bitgate: reference</h1>
<ul><li><a href="c/bitgate_8h.html">The C interface, bitgate.h</a></li>
<li><a href="python/bitgate.html">The Python module, bitgate</a></li></ul>
</body></html>
"""

DECLARATION = re.compile(r"^(?:BG_API .*?\b(bg_\w+)\(|typedef (?:struct|enum) (\w+) ?\{|#define (BG_\w+) )")
GUARDS = {"BG_API"}


def undocumented_in_c(header):
    """Declarations without a comment of Doxygen's right before them."""
    names, before = [], ""
    for line in header.read_text(encoding="utf-8").splitlines():
        found = DECLARATION.match(line)
        name = found and next(filter(None, found.groups()))
        if name and name not in GUARDS and not before.rstrip().endswith("*/") and not before.startswith("#define"):
            names.append(name)
        before = line
    return names


def undocumented_in_python():
    """Public functions, classes, methods and properties without a docstring."""
    names = []
    for module in map(importlib.import_module, ("bitgate", "bitgate.data", "bitgate.models", "bitgate.ops")):
        for name in module.__all__:
            value = getattr(module, name)
            members = [(name, value)]
            if inspect.isclass(value):
                members += [(f"{name}.{key}", member) for key, member in vars(value).items() if not key.startswith("_")]
            for where, member in members:
                described = inspect.isroutine(member) or inspect.isclass(member) or isinstance(member, property)
                if described and not inspect.getdoc(member):
                    names.append(f"{module.__name__}.{where}")
    return names


def make_c(header, doxyfile, folder):
    """The pages in folder/c. Warnings of Doxygen's, a link to nowhere for one, are errors."""
    settings = folder.parent / "Doxyfile"
    settings.write_text(doxyfile.read_text(encoding="utf-8") +
                        f"INPUT = {header.resolve()}\nOUTPUT_DIRECTORY = {folder}\n"
                        f"STRIP_FROM_PATH = {header.resolve().parent}\n", encoding="utf-8")
    process = subprocess.run(["doxygen", settings], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if process.returncode != 0:
        raise SystemExit(process.stdout)


def main():
    parser = argparse.ArgumentParser()
    for name in ("header", "doxyfile", "wheel", "output"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        # The module as it ships: a dependency of this program would be compiled once more, for the tools' configuration.
        (wheel,) = options.wheel.glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            package.extractall(pathlib.Path(temporary) / "module")
        sys.path.insert(0, str(pathlib.Path(temporary) / "module"))
        missing = undocumented_in_c(options.header) + undocumented_in_python()
        if missing:
            raise SystemExit("expected documentation, got none for " + ", ".join(missing))
        folder = pathlib.Path(temporary) / "bitgate-reference"
        folder.mkdir()
        make_c(options.header, options.doxyfile, folder)
        pdoc.render.configure(docformat="google", show_source=False)
        pdoc.pdoc("bitgate", output_directory=folder / "python")
        (folder / "index.html").write_text(INDEX, encoding="utf-8")
        archive.write_tar_gz(folder, options.output)


main()
