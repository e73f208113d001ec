"""gpu_bundle: an archive that takes GPU tests, benchmarks and the program to a machine that has nothing else of ours."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")

def _gpu_bundle_impl(ctx):
    if not ctx.attr._cuda[BuildSettingInfo].value:
        fail("expected --config=cuda, for a bundle without kernels for a GPU has nothing to run on one")
    folder = ctx.actions.declare_directory(ctx.label.name)
    tests = [test[DefaultInfo].files_to_run.executable for test in ctx.attr.tests]
    beside = depset(transitive = [
        target[DefaultInfo].default_runfiles.files
        for target in ctx.attr.tests + ctx.attr.tests_runfiles + ctx.attr.programs
    ])
    programs = [program[DefaultInfo].files_to_run.executable for program in ctx.attr.programs]
    left_out = programs + [target[DefaultInfo].files_to_run.executable for target in ctx.attr.tests_runfiles]
    manifest = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(manifest, json.encode({
        "commands": [test.short_path for test in tests] + ctx.attr.commands,
        "files": [file.path for file in ctx.files.srcs],
        "programs": [file.path for file in programs],
        "test_files": {
            file.short_path: file.path
            for file in beside.to_list()
            if file not in left_out and not file.short_path.startswith("../")
        },
    }))
    ctx.actions.run(
        executable = ctx.executable._tool,
        arguments = [
            "--manifest=" + manifest.path,
            "--licence=" + ctx.file._licence.path,
            "--version_header=" + ctx.file._version_header.path,
            "--output=" + folder.path,
        ],
        inputs = depset(
            [manifest, ctx.file._licence, ctx.file._version_header] + ctx.files.srcs,
            transitive = [beside],
        ),
        outputs = [folder],
        use_default_shell_env = True,
        mnemonic = "GpuBundle",
        progress_message = "Packing " + str(ctx.label),
    )
    return [DefaultInfo(files = depset([folder]), runfiles = ctx.runfiles(files = [folder]))]

gpu_bundle = rule(
    implementation = _gpu_bundle_impl,
    attrs = {
        "commands": attr.string_list(doc = "Further tests: a program of tests_runfiles, or a Python file (.py), and its arguments."),
        "programs": attr.label_list(doc = "What goes into bin/."),
        "srcs": attr.label_list(allow_files = True, doc = "What goes into the uppermost folder."),
        "tests": attr.label_list(doc = "Tests that take their device from BITGATE_TEST_DEVICE, and what lies beside them."),
        "tests_runfiles": attr.label_list(doc = "Targets of which only what lies beside them is wanted."),
        "_cuda": attr.label(default = "//third_party/cuda:enable"),
        "_licence": attr.label(default = "//:LICENSE", allow_single_file = True),
        "_tool": attr.label(default = ":make_bundle", executable = True, cfg = "host"),
        "_version_header": attr.label(default = "//models/jobs:version.h", allow_single_file = True),
    },
    doc = "One archive in a folder of the target's name: only the program that makes it knows the version.",
)
