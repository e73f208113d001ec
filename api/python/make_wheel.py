"""Makes the wheel: the package, its extension and the libraries it needs, found by relative path.

    make_wheel.py --extension=_core.so --ext_suffix=.cpython-311-x86_64-linux-gnu.so --tag=cp311 --abi=cp311
                  --python=3.11 --version_header=version.h --licence=LICENSE --readme=README.md --output=FOLDER FILE...

Each FILE lies in the package `bitgate`. The wheel's name has the version, the interpreter and the C library it is for.
"""

import argparse
import base64
import csv
import hashlib
import io
import os
import pathlib
import tempfile
import zipfile

from package import archive, licences, private_libraries

METADATA = """Metadata-Version: 2.1
Name: bitgate
Version: {version}
Summary: Learned bit widths and pruning of neural networks, from training to an exported integer model
License: Apache-2.0
Classifier: Development Status :: 4 - Beta
Classifier: Intended Audience :: Science/Research
Classifier: License :: OSI Approved :: Apache Software License
Classifier: Operating System :: POSIX :: Linux
Classifier: Programming Language :: C++
Classifier: Programming Language :: Python :: {python}
Classifier: Topic :: Scientific/Engineering :: Artificial Intelligence
Classifier: Typing :: Typed
Requires-Python: =={python}.*
Requires-Dist: numpy>=1.25
Provides-Extra: progress
Requires-Dist: tqdm; extra == "progress"
Description-Content-Type: text/markdown

{readme}"""

WHEEL = """Wheel-Version: 1.0
Generator: bitgate ({version})
Root-Is-Purelib: false
Tag: {tags}
"""


def platform_tag():
    """That of the C library here, which the extension was linked with."""
    major, minor = os.confstr("CS_GNU_LIBC_VERSION").split()[1].split(".")[:2]
    return f"manylinux_{major}_{minor}_x86_64"


def package_files(options, folder):
    """Puts the package into the folder."""
    for file in options.files:
        inside = file.parts[len(file.parts) - file.parts[::-1].index("bitgate"):]
        target = folder.joinpath("bitgate", *inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    renames = {**private_libraries.ONEDNN, **private_libraries.OPENMP}
    private_libraries.bundle(options.extension, folder / "bitgate" / f"_core{options.ext_suffix}",
                             folder / "bitgate" / "_libs", renames, "_libs")


def write_wheel(folder, information, path):
    """Zips the folder, with the list of its files and their digests last; equal contents give equal bytes."""
    record = io.StringIO()
    lines = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:

        def add(name, content, mode):
            entry = zipfile.ZipInfo(name, date_time=archive.FIRST_DATE)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, content)

        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            name, content = file.relative_to(folder).as_posix(), file.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.writerow([name, f"sha256={digest}", len(content)])
            add(name, content, 0o755 if ".so" in file.name else 0o644)
        lines.writerow([f"{information}/RECORD", "", ""])
        add(f"{information}/RECORD", record.getvalue(), 0o644)


def main():
    parser = argparse.ArgumentParser()
    for name in ("extension", "version_header", "licence", "readme", "output"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    for name in ("ext_suffix", "tag", "abi", "python"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    version = licences.version(options.version_header)
    tags = f"{options.tag}-{options.abi}-{platform_tag()}"
    information = f"bitgate-{version}.dist-info"
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        package_files(options, folder)
        licences.write_licences(folder / information / "licenses", options.licence,
                                {**licences.INSIDE, **licences.OPENMP, **licences.PYTHON})
        readme = options.readme.read_text(encoding="utf-8")
        (folder / information / "METADATA").write_text(
            METADATA.format(version=version, python=options.python, readme=readme), encoding="utf-8")
        (folder / information / "WHEEL").write_text(WHEEL.format(version=version, tags=tags), encoding="utf-8")
        write_wheel(folder, information, options.output / f"bitgate-{version}-{tags}.whl")


main()
