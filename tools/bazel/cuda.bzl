"""bg_cuda_library: CUDA sources compiled by nvcc, or by the C++ compiler for the emulator."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("@bitgate_cuda//:toolkit.bzl", "NVCC")

# --fmad=false and no fast-math: the same bits as the processor's kernels.
_FLAGS = [
    "-std=c++17",
    "-O2",
    "-DNDEBUG",
    "-DBG_CUDA=1",
    "--fmad=false",
    "--expt-relaxed-constexpr",
    "--Werror=all-warnings",
    "-Xcompiler=-fPIC,-Wall,-Wextra,-Werror,-ffp-contract=off,-fno-semantic-interposition",
]

def _architecture_flags(text):
    architectures = text.split(",")
    for architecture in architectures:
        if not architecture.isdigit():
            fail(("--//third_party/cuda:architectures: expected compute capabilities without the dot, separated by " +
                  "commas, as in 80,90; got \"%s\"") % text)
    flags = []
    for architecture in architectures:
        flags.append("-gencode=arch=compute_{0},code=sm_{0}".format(architecture))
    flags.append("-gencode=arch=compute_{0},code=compute_{0}".format(architectures[-1]))
    return flags

def _cuda_objects_impl(ctx):
    context = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps]).compilation_context
    architecture_flags = _architecture_flags(ctx.attr._architectures[BuildSettingInfo].value)
    objects = []
    for src in [file for file in ctx.files.srcs if file.extension == "cu"]:
        output = ctx.actions.declare_file("_nvcc/%s/%s.pic.o" % (ctx.label.name, src.basename[:-len(".cu")]))
        arguments = ctx.actions.args()
        arguments.add_all(_FLAGS + architecture_flags + ctx.attr.copts)
        arguments.add_all(context.defines, format_each = "-D%s")
        arguments.add_all(context.quote_includes, format_each = "-I%s")
        arguments.add_all(context.includes, format_each = "-I%s")
        arguments.add_all(context.system_includes, before_each = "-isystem")
        arguments.add_all(["-c", src, "-o", output])
        ctx.actions.run(
            executable = NVCC,
            arguments = [arguments],
            inputs = depset(ctx.files.srcs + ctx.files.hdrs, transitive = [context.headers]),
            outputs = [output],
            use_default_shell_env = True,
            mnemonic = "NvccCompile",
            progress_message = "Compiling " + src.short_path,
        )
        objects.append(output)
    return [DefaultInfo(files = depset(objects))]

_cuda_objects = rule(
    implementation = _cuda_objects_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".cu", ".cuh", ".h"]),
        "hdrs": attr.label_list(allow_files = [".cuh", ".h"]),
        "deps": attr.label_list(providers = [CcInfo]),
        "copts": attr.string_list(),
        "_architectures": attr.label(default = "//third_party/cuda:architectures"),
    },
    doc = "One position-independent object per .cu file.",
)

# What nvcc says nothing of, or does not do: built-in variables are unsigned and mostly compared with int, `#pragma
# unroll` is its own, and vectors are read through pointers to other types.
_EMULATED_COPTS = [
    "-Wno-sign-compare",
    "-Wno-unknown-pragmas",
    "-fno-strict-aliasing",
]

def _emulated_library(name, srcs, hdrs, deps):
    """The .cu files as C++: each is included by a .cc file, so that messages name the file itself."""
    sources = []
    for src in [src for src in srcs if src.endswith(".cu")]:
        output = "_emulated/%s/%s.cc" % (name, src)
        native.genrule(
            name = "%s_%s_source" % (name, src),
            srcs = [src],
            outs = [output],
            cmd = "echo '#include \"$<\"' >$@",
            tags = ["manual"],
            visibility = ["//visibility:private"],
        )
        sources.append(output)
    native.cc_library(
        name = name,
        srcs = sources + [src for src in srcs if not src.endswith(".cu")],
        hdrs = hdrs,
        copts = _EMULATED_COPTS,
        tags = ["manual"],
        textual_hdrs = [src for src in srcs if src.endswith(".cu")],
        visibility = ["//visibility:private"],
        deps = deps,
    )

def bg_cuda_library(name, srcs, hdrs = [], deps = [], copts = [], visibility = None):
    """Compiles srcs with nvcc under --config=cuda; without it, a library of the headers alone.

    Under --config=cuda_emulated g++ compiles them, for //tools/cuda_emulator.

    Code that calls into it asks `#if BG_CUDA` (see BG_CUDA_KERNEL). Device code is built for the architectures of
    --//third_party/cuda:architectures=80,90 (the default) and, as PTX, for the last of them.

    Args:
      name: the library; tagged "cuda", so that tools/test.sh builds it under --config=cuda.
      srcs: .cu files of this package, with kernels or without, and .cuh and .h files that only they include.
      hdrs: headers for those who depend on it.
      deps: C++ libraries that srcs and hdrs include. The CUDA run-time library is added.
      copts: further options for nvcc.
      visibility: of the library.
    """
    objects = name + "_objects"
    all_deps = deps + ["//third_party/cuda"]
    _cuda_objects(
        name = objects,
        srcs = srcs,
        hdrs = hdrs,
        deps = all_deps,
        copts = copts,
        tags = ["manual"],
        visibility = ["//visibility:private"],
    )
    emulated = name + "_emulated"
    _emulated_library(emulated, srcs, hdrs, all_deps)
    native.cc_library(
        name = name,
        srcs = select({
            "//third_party/cuda:emulated": [],
            "//third_party/cuda:enabled": [":" + objects],
            "//conditions:default": [],
        }),
        hdrs = hdrs,
        tags = ["cuda"],
        visibility = visibility,
        deps = all_deps + select({
            "//third_party/cuda:emulated": [":" + emulated],
            "//conditions:default": [],
        }),
    )
