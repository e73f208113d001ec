"""Archives whose bytes depend on their contents alone."""

import gzip
import os
import tarfile

FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the first that zip can hold
EPOCH = 315532800  # the same, as tar counts


def write_tar_gz(folder, path):
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
    with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted(map(str, names)):
                tar.add(name, arcname=os.path.relpath(name, folder.parent), recursive=False, filter=clean)
