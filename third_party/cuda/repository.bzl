"""@bitgate_cuda: the CUDA toolkit of this machine, or a stand-in that says that there is none."""

_FOUND = """
package(default_visibility = ["//visibility:public"])

# The C++ headers of the run-time library, cuBLAS, cuDNN, without the thousands of the template libraries.
cc_library(
    name = "headers",
    hdrs = glob(["include/*.h", "include/*.hpp", "include/crt/**"]),
    includes = ["include"],
)

cc_library(
    name = "cuda",
    srcs = ["lib/libcudart_static.a"],
    linkopts = ["-ldl", "-lrt", "-lpthread"],
    deps = [":headers"],
)
"""

_MISSING = """
load("@bitgate//third_party/cuda:repository.bzl", "missing_toolkit")

[missing_toolkit(
    name = name,
    visibility = ["//visibility:public"],
) for name in ["cuda", "headers"]]
"""

_MESSAGE = ("--config=cuda: expected a CUDA toolkit in $CUDA_PATH or /usr/local/cuda, found none; " +
            "install one, set CUDA_PATH, or build without --config=cuda")

def _missing_toolkit_impl(ctx):
    fail(_MESSAGE)

missing_toolkit = rule(
    implementation = _missing_toolkit_impl,
    doc = "Fails, when a CUDA target is built, with a message that names the places searched.",
)

def _cuda_repository_impl(repository_ctx):
    for folder in [repository_ctx.os.environ.get("CUDA_PATH", ""), "/usr/local/cuda"]:
        if folder and repository_ctx.path(folder + "/bin/nvcc").exists:
            repository_ctx.symlink(folder + "/include", "include")
            repository_ctx.symlink(folder + "/lib64/libcudart_static.a", "lib/libcudart_static.a")
            repository_ctx.file("BUILD", _FOUND)
            repository_ctx.file("toolkit.bzl", "NVCC = \"%s/bin/nvcc\"\n" % folder)
            return
    repository_ctx.file("BUILD", _MISSING)
    repository_ctx.file("toolkit.bzl", "NVCC = \"\"\n")

cuda_repository = repository_rule(
    implementation = _cuda_repository_impl,
    environ = ["CUDA_PATH"],
    local = True,
    doc = "Looks for bin/nvcc below CUDA_PATH and /usr/local/cuda; finding nothing is an error only under --config=cuda.",
)
