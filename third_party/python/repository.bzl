"""@bitgate_python: the Python toolchain and headers."""

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
"""

# Chooses when it runs, not when Bazel looked, so that a virtual environment made later is used at once.
_LAUNCHER = """#!/bin/sh
venv={root}/.venv/bin/python3
[ -x "$venv" ] && exec "$venv" "$@"
exec /usr/bin/python3 "$@"
"""

def _python_repository_impl(repository_ctx):
    root = repository_ctx.path(Label("//:WORKSPACE")).dirname
    code = "import sysconfig; print(sysconfig.get_paths()['include'])"
    result = repository_ctx.execute(["/usr/bin/python3", "-c", code])
    if result.return_code != 0:
        fail("python: expected a working /usr/bin/python3, got: %s; run tools/setup.sh" % result.stderr)
    repository_ctx.symlink(result.stdout.strip(), "include")
    repository_ctx.file("python3", _LAUNCHER.format(root = root), executable = True)
    repository_ctx.file("BUILD", _BUILD)

python_repository = repository_rule(
    implementation = _python_repository_impl,
    local = True,
    doc = "A launcher that prefers the repository's virtual environment, and the headers of the system's Python.",
)
