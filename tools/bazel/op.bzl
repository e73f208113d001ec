"""bg_op and bg_test: the targets of one op folder, and a unit test."""

load("//tools/bazel:cuda.bzl", "bg_cuda_library")
load("//tools/bazel:isa.bzl", "bg_isa_library")

# What packs tests for machines without Bazel.
_PACKERS = ["//tools/dev:__pkg__"]

def bg_test(name, srcs, deps = [], size = "small", visibility = _PACKERS, **kwargs):
    """A cc_test on GoogleTest, with its main(). Other arguments are cc_test's.

    Args:
      name: ends in _test.
      srcs: the sources.
      deps: the libraries under test; //third_party/gtest is added.
      size: one core and a minute unless said otherwise.
      visibility: of the packages that pack tests unless said otherwise.
      **kwargs: passed to cc_test.
    """
    native.cc_test(
        name = name,
        srcs = srcs,
        size = size,
        visibility = visibility,
        deps = deps + ["//third_party/gtest"],
        **kwargs
    )

def bg_op(
        name,
        hdrs,
        srcs,
        isa_srcs = [],
        cuda_srcs = [],
        kernels_hdrs = [],
        deps = [],
        test = None,
        test_deps = [],
        copts = [],
        visibility = ["//:ops_users"]):
    """All targets of one op folder.

    <name>            the op: hdrs and srcs, and below it
    <name>_kernels    the kernels' declarations and shared math (kernels_hdrs), if there are any
    <name>_cpu        isa_srcs, once per instruction set (bg_isa_library, with its <name>_cpu_symbols_test)
    <name>_cuda       cuda_srcs, compiled under --config=cuda (bg_cuda_library)
    <name>_test       the unit test, which may include all of these

    Args:
      name: of the op and its folder.
      hdrs: the public headers.
      srcs: checks, shapes, allocation and gradient.
      isa_srcs: processor kernels, in namespace bitgate::cpu::BG_ISA.
      cuda_srcs: .cu twins of the kernels, in namespace bitgate::cuda.
      kernels_hdrs: headers that srcs, isa_srcs and cuda_srcs share.
      deps: of all of them.
      test: the test's source, or a list of sources.
      test_deps: of the test alone; the op, deps and GoogleTest are added.
      copts: further compiler options for srcs.
      visibility: of <name> and <name>_kernels.
    """
    inner = []
    if kernels_hdrs:
        native.cc_library(name = name + "_kernels", hdrs = kernels_hdrs, visibility = visibility, deps = deps)
        inner.append(":" + name + "_kernels")
    kernel_deps = deps + inner
    if isa_srcs:
        bg_isa_library(name = name + "_cpu", srcs = isa_srcs, deps = kernel_deps)
        inner.append(":" + name + "_cpu")
    if cuda_srcs:
        bg_cuda_library(name = name + "_cuda", srcs = cuda_srcs, deps = kernel_deps)
        inner.append(":" + name + "_cuda")
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = copts,
        visibility = visibility,
        deps = deps + inner,
    )
    if test:
        bg_test(
            name = name + "_test",
            srcs = test if type(test) == "list" else [test],
            tags = ["gpu"],  # it runs on the device of BITGATE_TEST_DEVICE
            deps = deps + inner + [":" + name] + test_deps,
        )
