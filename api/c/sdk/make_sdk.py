"""Makes the SDK: one archive with the library, its header, and what builds find it by.

    make_sdk.py --library=libbitgate.so.0 --header=bitgate.h --version_header=version.h --licence=LICENSE
                --output=bitgate-sdk.tar.gz FILE...

@VERSION@ in a FILE becomes the version.
"""

import argparse
import pathlib
import tempfile

from package import archive, licences, private_libraries

# Where in the archive; what has no place here is an example.
PLACES = {
    "bitgate.pc": "lib/pkgconfig",
    "bitgateConfig.cmake": "lib/cmake/bitgate",
    "bitgateConfigVersion.cmake": "lib/cmake/bitgate",
    "README.md": "",
}


def main():
    parser = argparse.ArgumentParser()
    for name in ("library", "header", "version_header", "licence", "output"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    version = licences.version(options.version_header)
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary) / f"bitgate-sdk-{version}-linux-x86_64"
        lib = root / "lib"
        lib.mkdir(parents=True)
        # OpenMP is the machine's: a program's own loops and ours are to share it.
        private_libraries.bundle(options.library, lib / "libbitgate.so.0", lib, private_libraries.ONEDNN, ".",
                                 private_libraries.OUTSIDE | set(private_libraries.OPENMP))
        (lib / "libbitgate.so").symlink_to("libbitgate.so.0")
        (root / "include").mkdir()
        (root / "include" / "bitgate.h").write_bytes(options.header.read_bytes())
        for file in options.files:
            target = root / PLACES.get(file.name, "examples") / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.read_text(encoding="utf-8").replace("@VERSION@", version), encoding="utf-8")
        licences.write_licences(root / "share" / "doc" / "bitgate", options.licence, licences.INSIDE)
        archive.write_tar_gz(root, options.output)


main()
