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
    message = {message},
    visibility = ["//visibility:public"],
) for name in ["cuda", "headers"]]
"""

def _missing_toolkit_impl(ctx):
    fail(ctx.attr.message)

missing_toolkit = rule(
    implementation = _missing_toolkit_impl,
    attrs = {"message": attr.string(mandatory = True)},
    doc = "Fails, when a CUDA target is built, with a message that says where was searched and what is missing.",
)

_FILES = ["bin/nvcc", "include/cuda.h", "include/cublasLt.h", "include/cudnn_version.h", "lib64/libcudart_static.a"]

# (header, macro, the least value that will do)
_VERSIONS = [
    ("include/cuda.h", "CUDA_VERSION", 13000),
    ("include/cudnn_version.h", "CUDNN_MAJOR", 9),
]

def _macro(text, name):
    """The number that a header defines `name` as, or None."""
    for line in text.split("\n"):
        if not line.startswith("#define"):
            continue
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if len(words) >= 3 and words[1] == name and words[2].isdigit():
            return int(words[2])
    return None

def _problem(repository_ctx, folder):
    """What the toolkit in `folder` lacks, or None."""
    for file in _FILES:
        if not repository_ctx.path(folder + "/" + file).exists:
            return "found no %s" % file
    for header, macro, least in _VERSIONS:
        found = _macro(repository_ctx.read(folder + "/" + header), macro)
        if found == None or found < least:
            return "expected %s of %d or newer in %s, got %s" % (macro, least, header, found)
    return None

def _cuda_repository_impl(repository_ctx):
    named = repository_ctx.os.environ.get("CUDA_PATH", "")
    folder = named or "/usr/local/cuda"
    problem = _problem(repository_ctx, folder)
    if problem:
        place = "$CUDA_PATH, which is " + folder if named else folder + " ($CUDA_PATH is not set)"
        message = ("--config=cuda: expected a CUDA 13 toolkit with cuDNN 9 in %s: %s; install it, set CUDA_PATH to " +
                   "where it is, or build without --config=cuda") % (place, problem)
        repository_ctx.file("BUILD", _MISSING.format(message = repr(message)))
        repository_ctx.file("toolkit.bzl", "NVCC = \"\"\n")
        return
    repository_ctx.symlink(folder + "/include", "include")
    repository_ctx.symlink(folder + "/lib64/libcudart_static.a", "lib/libcudart_static.a")
    repository_ctx.file("BUILD", _FOUND)
    repository_ctx.file("toolkit.bzl", "NVCC = \"%s/bin/nvcc\"\n" % folder)

cuda_repository = repository_rule(
    implementation = _cuda_repository_impl,
    environ = ["CUDA_PATH"],
    local = True,
    doc = "The toolkit in CUDA_PATH or, where that is not set, /usr/local/cuda; finding none that will do is an error " +
          "only under --config=cuda.",
)
