"""@bitgate_onnx: the messages of ONNX 1.12, generated from the schema of libonnx-dev."""

_BUILD = """
proto_library(
    name = "onnx_proto",
    srcs = ["onnx/onnx.proto"],
)

cc_proto_library(
    name = "onnx",
    visibility = ["//visibility:public"],
    deps = [":onnx_proto"],
)
"""

def _onnx_repository_impl(repository_ctx):
    schema = "/usr/include/onnx/onnx.proto"
    if not repository_ctx.path(schema).exists:
        fail("onnx: expected %s, found nothing; run tools/setup.sh" % schema)
    repository_ctx.symlink(schema, "onnx/onnx.proto")
    repository_ctx.file("BUILD", _BUILD)

onnx_repository = repository_rule(
    implementation = _onnx_repository_impl,
    local = True,
    doc = "Offers :onnx, the C++ messages.",
)
