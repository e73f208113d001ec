"""module_py_test: a py_test that imports the Python module, also where it is built with sanitizers."""

# An extension with sanitizers wants their runtime in the interpreter, which itself leaks: the launcher of
# //third_party/python sees to both.
_SANITIZED = {"BITGATE_PRELOAD": "libasan.so.8 libubsan.so.1 libstdc++.so.6"}

def module_py_test(name, deps = [], **kwargs):
    """A py_test that depends on //api/python:bitgate.

    Args:
      name: of the test.
      deps: further libraries.
      **kwargs: passed to py_test.
    """
    native.py_test(
        name = name,
        env = select({
            "//api/python:asan": _SANITIZED,
            "//api/python:sanitize": _SANITIZED,
            "//conditions:default": {},
        }),
        deps = deps + ["//api/python:bitgate"],
        **kwargs
    )
