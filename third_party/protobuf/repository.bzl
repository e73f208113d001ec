"""@com_google_protobuf: Debian's protoc, and the runtime compiled from Debian's sources (tools/setup.sh unpacks them)."""

# The runtime is compiled here because what we ship contains it, in shared libraries: Debian's static archive is not
# position-independent. Left out are what nobody here uses: the .proto parser, JSON, gzip, the well-known types.
_BUILD = """
package(default_visibility = ["//visibility:public"])

exports_files(["protoc"])

cc_library(
    name = "protobuf",
    srcs = glob(
        [
            "src/google/protobuf/*.cc",
            "src/google/protobuf/io/*.cc",
            "src/google/protobuf/stubs/*.cc",
        ],
        exclude = [
            "**/*_test.cc",
            "**/*_tester.cc",
            "**/*unittest.cc",
            "**/*test_util*.cc",
            "**/gzip_stream.cc",
            "**/io_win32.cc",
            "**/*.pb.cc",
        ],
    ) + [
        "src/google/protobuf/descriptor.pb.cc",
        "src/google/protobuf/util/field_comparator.cc",
        "src/google/protobuf/util/message_differencer.cc",
    ],
    hdrs = glob(
        [
            "src/google/protobuf/**/*.h",
            "src/google/protobuf/**/*.inc",
        ],
        exclude = [
            "src/google/protobuf/compiler/**",
            "src/google/protobuf/testing/**",
        ],
    ),
    copts = [
        "-w",
        "-fvisibility=hidden",
        "-fvisibility-inlines-hidden",
    ],
    includes = ["src"],
)

proto_lang_toolchain(
    name = "cc_toolchain",
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)
"""

# "3.21.12" of `protoc --version` is 3021012 in the sources.
def _number(version):
    parts = [int(part) for part in version.split(".")]
    return parts[0] * 1000000 + parts[1] * 1000 + parts[2]

def _protobuf_repository_impl(repository_ctx):
    protoc = "/usr/bin/protoc"
    source = str(repository_ctx.path(Label("//:WORKSPACE")).dirname) + "/.cache/sources/protobuf/src"
    for path in [protoc, source]:
        if not repository_ctx.path(path).exists:
            fail("protobuf: expected %s, found nothing; run tools/setup.sh" % path)
    version = repository_ctx.execute([protoc, "--version"]).stdout.strip().split(" ")[-1]
    define = "#define PROTOBUF_VERSION %d\n" % _number(version)
    if define not in repository_ctx.read(source + "/google/protobuf/port_def.inc"):
        fail("protobuf: expected sources of %s, the version of %s, in %s; run tools/setup.sh" % (version, protoc, source))
    repository_ctx.symlink(protoc, "protoc")
    repository_ctx.symlink(source, "src")
    repository_ctx.file("BUILD", _BUILD)

protobuf_repository = repository_rule(
    implementation = _protobuf_repository_impl,
    local = True,
    doc = "Offers :protoc, :protobuf and :cc_toolchain, which is all that Bazel's native proto rules ask for.",
)
