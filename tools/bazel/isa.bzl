"""bg_isa_library: the same sources compiled once per instruction set."""

# What Highway 1.0.3 asks for before it takes HWY_AVX2 and HWY_AVX3 as its static target (hwy/detect_targets.h), and
# therefore what the run-time choice has to find in the processor.
_AVX2 = ["-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mlzcnt", "-mf16c", "-mpclmul", "-maes"]
_AVX512 = _AVX2 + ["-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]

# GCC 12 reports its own AVX-512 intrinsics (_mm512_undefined_ps) as uninitialized once they are inlined.
_QUIET = ["-Wno-uninitialized", "-Wno-maybe-uninitialized"]

_ISAS = {
    "scalar": ["-DBG_ISA_SCALAR=1", "-DHWY_COMPILE_ONLY_SCALAR"],
    "avx2": ["-DBG_ISA_AVX2=1"] + _AVX2,
    "avx512": ["-DBG_ISA_AVX512=1"] + _AVX512 + _QUIET,
}

def bg_isa_library(name, srcs, hdrs = [], deps = [], copts = [], visibility = None):
    """Compiles srcs three times, for scalar, avx2 and avx512, into one library.

    Every compilation sees BG_ISA (the bare word scalar, avx2 or avx512) and one of BG_ISA_SCALAR, BG_ISA_AVX2 and
    BG_ISA_AVX512, defined as 1. The sources put all they define into namespace bitgate::cpu::BG_ISA; what they use from
    headers is in that namespace too, or forced inline; no global needs code to be initialized. <name>_symbols_test
    fails otherwise: such code, compiled with AVX-512 and shared with the rest of the program, would run on processors
    without it.

    Args:
      name: the library; it holds all three compilations.
      srcs: the sources, and headers that only they include.
      hdrs: the headers that declare the functions of each namespace.
      deps: what srcs and hdrs include. Highway is added.
      copts: further compiler options for all three.
      visibility: of the library.
    """
    parts = []
    for isa, flags in _ISAS.items():
        part = name + "_" + isa
        parts.append(":" + part)
        native.cc_library(
            name = part,
            srcs = srcs,
            hdrs = hdrs,
            copts = ["-O2", "-DBG_ISA=" + isa] + flags + copts,
            linkstatic = True,
            visibility = ["//visibility:private"],
            deps = deps + ["//third_party/highway"],
        )
    native.cc_library(
        name = name,
        hdrs = hdrs,
        visibility = visibility,
        deps = deps + parts,
    )
    archives = name + "_archives"
    native.filegroup(
        name = archives,
        srcs = [":%s_avx2" % name, ":%s_avx512" % name],
        visibility = ["//visibility:private"],
    )
    native.sh_test(
        name = name + "_symbols_test",
        size = "small",
        srcs = ["//tools/bazel:check_isa_symbols.sh"],
        args = ["$(locations %s)" % archives],
        data = [archives],
    )
