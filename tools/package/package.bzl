"""package_folder: a folder that a program fills with a package whose file name only it knows."""

def _package_folder_impl(ctx):
    folder = ctx.actions.declare_directory(ctx.label.name)
    arguments = ctx.actions.args()
    for target, flag in ctx.attr.inputs.items():
        arguments.add("--%s=%s" % (flag, target.files.to_list()[0].path))
    arguments.add_all(ctx.attr.flags)
    arguments.add("--output=" + folder.path)
    arguments.add_all(ctx.files.srcs)
    ctx.actions.run(
        executable = ctx.executable.tool,
        arguments = [arguments],
        inputs = depset(ctx.files.srcs + ctx.files.inputs),
        outputs = [folder],
        use_default_shell_env = True,
        mnemonic = "Package",
        progress_message = "Packing " + str(ctx.label),
    )
    return [DefaultInfo(files = depset([folder]), runfiles = ctx.runfiles(files = [folder]))]

package_folder = rule(
    implementation = _package_folder_impl,
    attrs = {
        "inputs": attr.label_keyed_string_dict(allow_files = True, doc = "Files, by the flag that each is given as."),
        "flags": attr.string_list(),
        "srcs": attr.label_list(allow_files = True, doc = "Files that the program is given last."),
        "tool": attr.label(executable = True, cfg = "host"),
    },
    doc = "Runs `tool` with the inputs as flags, --output=FOLDER and srcs.",
)
