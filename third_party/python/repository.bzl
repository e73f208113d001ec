"""@bitgate_python: the Python toolchain and headers, and what the Python module is built for.

The interpreter is /usr/bin/python3, with Debian's pybind11, or --repo_env=BITGATE_PYTHON=/path/to/python3, with the
pybind11 that is installed for it, if one is. @bitgate_python//:python.bzl has `PYTHON`, a struct:

    interpreter  its path
    version      "3.11"
    ext_suffix   ".cpython-311-x86_64-linux-gnu.so"
    tag, abi     "cp311": as wheels are tagged
    pybind11     "3.1.0"; "": Debian's
"""

_BUILD = """
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

package(default_visibility = ["//visibility:public"])

filegroup(
    name = "runtime_files",
    srcs = ["python3"],
)

py_runtime(
    name = "runtime",
    interpreter = "python3",
    python_version = "PY3",
    stub_shebang = "#!/usr/bin/python3",
)

py_runtime_pair(
    name = "pair",
    py3_runtime = ":runtime",
)

toolchain(
    name = "toolchain",
    toolchain = ":pair",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)

cc_library(
    name = "headers",
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
)

# Empty where Debian's is used: that one lies where the compiler looks.
cc_library(
    name = "pybind11",
    hdrs = glob(["pybind11/**/*.h"]),
    includes = ["pybind11"],
    deps = [":headers"],
)
"""

# For extensions with sanitizers (//api/python:module_test.bzl): in the interpreter alone, not in the shells around it.
_PRELOAD = """if [ -n "$BITGATE_PRELOAD" ]; then
  export LD_PRELOAD="$BITGATE_PRELOAD" ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
fi
"""

# Chooses when it runs, not when Bazel looked, so that a virtual environment made later is used at once.
_LAUNCHER = """#!/bin/sh
{preload}venv={root}/.venv/bin/python3
[ -x "$venv" ] && exec "$venv" "$@"
exec /usr/bin/python3 "$@"
"""

_CHOSEN = """#!/bin/sh
{preload}exec {interpreter} "$@"
"""

# One value a line.
_ASK = """
import sys, sysconfig
print(sysconfig.get_paths()["include"])
print("%d.%d" % sys.version_info[:2])
print(sysconfig.get_config_var("EXT_SUFFIX"))
print("cp%d%d" % sys.version_info[:2])
print("cp%d%d" % sys.version_info[:2] + getattr(sys, "abiflags", ""))
try:
    import pybind11
    print(pybind11.get_include())
    print(pybind11.__version__)
except ImportError:
    print()
    print()
"""

def _python_repository_impl(repository_ctx):
    root = repository_ctx.path(Label("//:WORKSPACE")).dirname
    chosen = repository_ctx.os.environ.get("BITGATE_PYTHON", "")
    interpreter = chosen or "/usr/bin/python3"
    result = repository_ctx.execute([interpreter, "-c", _ASK])
    if result.return_code != 0:
        fail("python: expected a working %s, got: %s; run tools/setup.sh" % (interpreter, result.stderr))
    include, version, ext_suffix, tag, abi, pybind11, pybind11_version = result.stdout.split("\n")[:7]
    if not chosen:
        pybind11, pybind11_version = "", ""
    repository_ctx.symlink(include, "include")
    if pybind11:
        repository_ctx.symlink(pybind11, "pybind11")
    launcher = _CHOSEN if chosen else _LAUNCHER
    launcher = launcher.format(preload = _PRELOAD, interpreter = chosen, root = root)
    repository_ctx.file("python3", launcher, executable = True)
    repository_ctx.file("BUILD", _BUILD)
    repository_ctx.file("python.bzl", "PYTHON = %s\n" % struct(
        interpreter = interpreter,
        version = version,
        ext_suffix = ext_suffix,
        tag = tag,
        abi = abi,
        pybind11 = pybind11_version,
    ))

python_repository = repository_rule(
    implementation = _python_repository_impl,
    environ = ["BITGATE_PYTHON"],
    local = True,
    doc = "The headers of a Python, and a launcher: of it, or one that prefers the repository's virtual environment.",
)
