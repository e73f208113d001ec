"""Makes the reference: the C interface by Doxygen from its header's comments, the Python module by pdoc from its docstrings.

    make_reference.py --header=bitgate.h --doxyfile=Doxyfile --wheel=FOLDER --output=reference.tar.gz

Fails for a function, type or macro of the header, or a public name of the module, without documentation of its own, and for
links to nowhere in the header's.
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

# Doxygen's warnings that are none: fields may do without a comment, and BG_API is for the compiler.
NO_WARNING = re.compile(r"warning: Member (.+ \(variable\) of struct \w+|BG_API \(macro definition\) of file \S+) "
                        r"is not documented")


def documentation_of(name, value):
    """Its own: none that a class inherits, and no signature that a tool wrote."""
    text = (vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__) or ""
    lines = text.strip().splitlines()
    if lines and lines[0].startswith(f"{name}("):
        lines = lines[1:]
    return "\n".join(lines).strip()


def undocumented_in_python(modules):
    """Modules, and their public functions, classes, methods and properties, without a docstring."""
    names = []
    for module in modules:
        if not module.__doc__:
            names.append(module.__name__)
        for name in module.__all__:
            value = getattr(module, name)
            members = [(name, value)]
            if inspect.isclass(value):
                members += [(f"{name}.{key}", member) for key, member in vars(value).items() if not key.startswith("_")]
            for where, member in members:
                described = inspect.isroutine(member) or inspect.isclass(member) or isinstance(member, property)
                if described and not documentation_of(where.split(".")[-1], member):
                    names.append(f"{module.__name__}.{where}")
    return names


def make_c(header, doxyfile, folder):
    """The pages in folder/c. Returns Doxygen's warnings: what has no comment, what a link does not find."""
    settings = folder.parent / "Doxyfile"
    settings.write_text(doxyfile.read_text(encoding="utf-8") +
                        f"INPUT = {header.resolve()}\nOUTPUT_DIRECTORY = {folder}\n"
                        f"STRIP_FROM_PATH = {header.resolve().parent}\n", encoding="utf-8")
    process = subprocess.run(["doxygen", settings], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if process.returncode != 0:
        raise SystemExit(process.stdout)
    return [line for line in process.stdout.splitlines() if line.strip() and not NO_WARNING.search(line)]


def make_python(folder):
    """The pages in folder/python, of the module `bitgate` that Python finds. Returns what has no docstring."""
    pdoc.render.configure(docformat="google", show_source=False)
    pdoc.pdoc("bitgate", output_directory=folder / "python")
    modules = map(importlib.import_module, ("bitgate", "bitgate.data", "bitgate.models", "bitgate.ops"))
    return [f"expected documentation, got none for {name}" for name in undocumented_in_python(modules)]


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
        folder = pathlib.Path(temporary) / "bitgate-reference"
        folder.mkdir()
        wrong = make_c(options.header, options.doxyfile, folder) + make_python(folder)
        if wrong:
            raise SystemExit("\n".join(wrong))
        (folder / "index.html").write_text(INDEX, encoding="utf-8")
        archive.write_tar_gz(folder, options.output)


if __name__ == "__main__":
    main()
