"""The licences of what a package contains."""

import pathlib

# What is compiled or linked into our libraries, or travels beside them: the Debian package whose copyright file tells.
INSIDE = {
    "protobuf": "protobuf-compiler",
    "onnx": "libonnx-dev",
    "nlohmann-json": "nlohmann-json3-dev",
    "highway": "libhwy-dev",
    "abseil": "libabsl-dev",
    "zlib": "zlib1g-dev",
    "onednn": "libdnnl-dev",
    "opencl-icd-loader": "ocl-icd-opencl-dev",
}
OPENMP = {"libgomp": "libgomp1"}
CPP = {"libstdc++": "libstdc++6"}
PYTHON = {"pybind11": "pybind11-dev"}

# The licence that such a file names by its place on Debian, and that nothing else in the package contains.
NAMED = {"libgomp": "GPL-3", "libstdc++": "GPL-3"}


def write_licences(folder, project_licence, packages):
    """Writes LICENSE and third_party/<name>.txt into the folder."""
    (folder / "third_party").mkdir(parents=True)
    (folder / "LICENSE").write_bytes(pathlib.Path(project_licence).read_bytes())
    for name, package in packages.items():
        text = pathlib.Path("/usr/share/doc", package, "copyright").read_bytes()
        if name in NAMED:
            text += b"\n" + pathlib.Path("/usr/share/common-licenses", NAMED[name]).read_bytes()
        (folder / "third_party" / f"{name}.txt").write_bytes(text)


def version(header):
    """kVersion of models/jobs/version.h."""
    text = pathlib.Path(header).read_text(encoding="utf-8")
    return text.split('kVersion[] = "')[1].split('"')[0]
