"""@com_google_protobuf from Debian's protobuf-compiler and libprotobuf-dev."""

_BUILD = """
package(default_visibility = ["//visibility:public"])

exports_files(["protoc"])

cc_library(
    name = "protobuf",
    linkopts = ["-lprotobuf", "-lpthread"],
)

proto_lang_toolchain(
    name = "cc_toolchain",
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)
"""

def _protobuf_repository_impl(repository_ctx):
    protoc = "/usr/bin/protoc"
    if not repository_ctx.path(protoc).exists:
        fail("protobuf: expected %s, found nothing; run tools/setup.sh" % protoc)
    repository_ctx.symlink(protoc, "protoc")
    repository_ctx.file("BUILD", _BUILD)

protobuf_repository = repository_rule(
    implementation = _protobuf_repository_impl,
    local = True,
    doc = "Offers :protoc, :protobuf and :cc_toolchain, which is all that Bazel's native proto rules ask for.",
)
