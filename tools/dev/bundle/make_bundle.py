"""Makes the GPU bundle: one archive that may lie anywhere on a machine with a GPU and its driver.

    make_bundle.py --manifest=bundle.json --licence=LICENSE --version_header=version.h --output=FOLDER

The manifest names what goes in: "programs" (into bin/), "files" (into the uppermost folder), "test_files" (into tests/,
by the path that a test expects them at) and "commands" (one test each, to be run in tests/). Shared libraries that they
need go into lib/, but for the C library and the driver.
"""

import argparse
import json
import pathlib
import shutil
import tempfile

from package import archive, licences, private_libraries
from package.private_libraries import PATCHELF, resolved_libraries, run

# An older one on the machine would not do; a newer one must be used, for other libraries of the machine may need it.
CPP_LIBRARY = {"libstdc++.so.6", "libgcc_s.so.1"}
C_LIBRARY = private_libraries.OUTSIDE - CPP_LIBRARY
LICENCES = {**licences.INSIDE, **licences.OPENMP, **licences.CPP, "googletest": "libgtest-dev"}


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if pathlib.Path(source).stat().st_mode & 0o100 else 0o644)


class Bundle:

    def __init__(self, root):
        self.root = root
        self.lib = root / "lib"
        self.libraries = {}  # by name: where they are

    def add_program(self, source, target):
        """A program, or a library that is opened while one runs."""
        copy(source, target)
        target.chmod(0o755)
        run("strip", "--strip-unneeded", target)
        # Not a RUNPATH: LD_LIBRARY_PATH, which is the machine's, comes after this.
        up = "/".join([".."] * len(target.relative_to(self.root).parent.parts))
        run(PATCHELF, "--force-rpath", "--set-rpath", f"$ORIGIN/{up}/lib", target)
        for name, place in resolved_libraries(source).items():
            if name not in C_LIBRARY:
                if place is None:
                    raise ValueError(f"{source}: expected a library {name}, found none")
                self.libraries[name] = place

    def add_test_file(self, short_path, source):
        if not is_elf(source):
            copy(source, self.root / "tests" / short_path)
        elif ".so" not in pathlib.Path(source).name:
            self.add_program(source, self.root / "tests" / short_path)
        elif not short_path.startswith("_solib"):  # those are links to libraries that programs need, and found so
            self.add_program(source, self.lib / pathlib.Path(source).name)

    def add_libraries(self):
        for name, place in self.libraries.items():
            self.add_program(place, (self.lib / "fallback" if name in CPP_LIBRARY else self.lib) / name)


def main():
    parser = argparse.ArgumentParser()
    for name in ("manifest", "licence", "version_header", "output"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    options = parser.parse_args()
    manifest = json.loads(options.manifest.read_text(encoding="utf-8"))
    name = f"bitgate-gpu-bundle-{licences.version(options.version_header)}-linux-x86_64"
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary) / name
        bundle = Bundle(root)
        for source in manifest["files"]:
            copy(source, root / pathlib.Path(source).name)
        for source in manifest["programs"]:
            bundle.add_program(source, root / "bin" / pathlib.Path(source).name)
        for short_path, source in manifest["test_files"].items():
            bundle.add_test_file(short_path, source)
        bundle.add_libraries()
        (root / "tests.txt").write_text("".join(f"{command}\n" for command in manifest["commands"]), encoding="utf-8")
        licences.write_licences(root / "licences", options.licence, LICENCES)
        options.output.mkdir(parents=True, exist_ok=True)
        archive.write_tar_xz(root, options.output / f"{name}.tar.xz")


main()
