"""Archives whose bytes depend on their contents alone."""

import gzip
import lzma
import os
import tarfile

FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the first that zip can hold
EPOCH = 315532800  # the same, as tar counts


# The largest window that costs a reader no more than that much memory: what files of a package share is stored once.
WINDOW = 256 << 20


def _write_tar(folder, file):
    """`folder` and what is in it, under its own name."""

    def clean(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = EPOCH
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    names = [folder]
    for root, folders, files in os.walk(folder):
        names += [os.path.join(root, name) for name in folders + files]
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted(map(str, names)):
            tar.add(name, arcname=os.path.relpath(name, folder.parent), recursive=False, filter=clean)


def write_tar_gz(folder, path):
    with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        _write_tar(folder, packed)


def write_tar_xz(folder, path):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": WINDOW}]
    with lzma.open(path, "wb", check=lzma.CHECK_CRC32, filters=filters) as packed:
        _write_tar(folder, packed)
