"""The SDK as its user has it: the archive, unpacked at a random place and moved, built against with plain tools."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

from package import private_libraries

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
LARGEST_LIBRARY = 15_000_000


class SdkTest(unittest.TestCase):

    archive = None
    sources = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        unpacked, moved = (pathlib.Path(cls.temporary.name) / name for name in ("unpacked", "moved here"))
        with tarfile.open(cls.archive) as tar:
            tar.extractall(unpacked)
        (folder,) = unpacked.iterdir()
        moved.mkdir()
        cls.sdk = pathlib.Path(shutil.move(folder, moved))
        cls.lib = cls.sdk / "lib"

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(temporary.cleanup)
        self.work = pathlib.Path(temporary.name)

    def run_command(self, *words):
        environment = {"PATH": "/usr/bin:/bin", "PKG_CONFIG_PATH": str(self.lib / "pkgconfig"), "HOME": str(self.work),
                       "OMP_NUM_THREADS": "2"}
        process = subprocess.run([str(word) for word in words], cwd=self.work, env=environment, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        self.assertEqual(process.returncode, 0, f"{' '.join(map(str, words))}\n{process.stdout}")
        return process.stdout

    def build(self, compiler, source, name, *more):
        """As a user would type it, shell quoting included: the folder's name has a space."""
        flags = self.run_command("pkg-config", "--cflags", "--libs", "bitgate").strip()
        words = " ".join([compiler, *STRICT, f"'{source}'", "-o", name, *more])
        self.run_command("sh", "-c", f"{words} {flags}")
        return self.work / name

    def test_c_with_pkg_config(self):
        program = self.build("cc -std=c99", self.sdk / "examples" / "train.c", "train")
        self.assertIn("test accuracy", self.run_command(program, "model.onnx"))
        self.assertTrue((self.work / "model.onnx").stat().st_size > 1000)

    def test_cpp_with_pkg_config(self):
        program = self.build("c++ -std=c++17", self.sdk / "examples" / "own_loop.cc", "own_loop")
        self.assertIn("step 200", self.run_command(program))

    def test_the_c_program_as_cpp_header_user(self):
        source = self.work / "header.cc"
        source.write_text('#include <bitgate.h>\nint main() { return bg_check_abi(BG_ABI_VERSION); }\n')
        self.run_command(self.build("c++ -std=c++17", source, "header"))

    def test_cmake(self):
        self.run_command("cmake", "-S", self.sdk / "examples", "-B", "build", f"-DCMAKE_PREFIX_PATH={self.sdk}")
        self.run_command("cmake", "--build", "build")
        self.assertIn("test accuracy", self.run_command(self.work / "build" / "train"))
        self.assertIn("step 200", self.run_command(self.work / "build" / "own_loop"))

    def test_cmake_versions(self):
        version = re.search(r"^Version: (.*)$", (self.lib / "pkgconfig" / "bitgate.pc").read_text(), re.M)[1]
        for asked, found in ((version, True), ("99.0", False)):
            (self.work / "CMakeLists.txt").write_text(
                "cmake_minimum_required(VERSION 3.16)\nproject(p C)\n"
                f"find_package(bitgate {asked})\n"
                f"if(NOT bitgate_FOUND STREQUAL \"{1 if found else 0}\")\n  message(FATAL_ERROR \"got "
                "${bitgate_FOUND}\")\nendif()\n")
            self.run_command("cmake", "-S", ".", "-B", f"build-{asked}", f"-DCMAKE_PREFIX_PATH={self.sdk}")

    def test_needs_nothing_from_outside_but_the_languages(self):
        allowed = private_libraries.OUTSIDE | set(private_libraries.OPENMP)
        for library in self.lib.glob("*.so.*"):
            for name, path in private_libraries.resolved_libraries(library).items():
                inside = path is not None and pathlib.Path(path).resolve().parent == self.lib.resolve()
                self.assertTrue(inside or name in allowed, f"{library.name} needs {name} from {path}")

    def test_exports_its_own_names_alone(self):
        names = self.run_command("nm", "-D", "--defined-only", "--extern-only", self.lib / "libbitgate.so.0").split()[2::3]
        self.assertGreater(len(names), 100)
        self.assertEqual([name for name in names if not name.startswith("bg_")], [])

    def test_is_small(self):
        self.assertLessEqual((self.lib / "libbitgate.so.0").stat().st_size, LARGEST_LIBRARY)

    def test_names_no_place_of_its_making(self):
        for file in self.sdk.rglob("*"):
            if file.suffix in (".pc", ".cmake", ".txt", ".md"):
                self.assertIsNone(re.search(r"(/root|/home|/tmp|/work)/", file.read_text(encoding="utf-8")), file)

    def test_has_licences(self):
        folder = self.sdk / "share" / "doc" / "bitgate"
        self.assertIn("Apache License", (folder / "LICENSE").read_text())
        names = {file.stem for file in (folder / "third_party").iterdir()}
        self.assertLessEqual({"protobuf", "onednn", "zlib", "onnx", "nlohmann-json"}, names)

    def test_beside_a_protobuf_and_an_abseil_of_the_programs_own(self):
        """The same file and message names as ours, in the system's Protobuf; both libraries first, and by dlopen."""
        (self.work / "models" / "graph").mkdir(parents=True)
        proto = self.work / "models" / "graph" / "graph.proto"
        proto.write_text('syntax = "proto2";\npackage bitgate;\n'
                         "message GraphProto { optional int32 other = 1; repeated string words = 2; }\n")
        self.run_command("protoc", "--cpp_out=.", "models/graph/graph.proto")
        source = self.sources / "own_protobuf.cc"
        generated = "models/graph/graph.pb.cc -I."
        system = "-lprotobuf -lpthread -labsl_strings -labsl_str_format_internal -labsl_status -labsl_cord"
        flags = self.run_command("pkg-config", "--cflags", "--libs", "bitgate").strip()
        for name, libraries in (("theirs_first", f"{system} {flags}"), ("ours_first", f"{flags} {system}")):
            self.run_command("sh", "-c", f"c++ -std=c++17 '{source}' {generated} -Wl,--no-as-needed {libraries} -o {name}")
            self.assertIn("both work", self.run_command(self.work / name))
        self.run_command("sh", "-c",
                         f"c++ -std=c++17 -DUSE_DLOPEN '{source}' {generated} {flags.split('-L')[0]} {system} -ldl -o opened")
        self.assertIn("both work", self.run_command(self.work / "opened", self.lib / "libbitgate.so.0"))

    def test_beside_another_onednn(self):
        """Which has the names of ours, is linked before or after, and would fail."""
        (self.work / "other.c").write_text("int dnnl_engine_create(void) { return 3; }\n")
        self.run_command("cc", "-shared", "-fPIC", "other.c", "-Wl,-soname,libdnnl.so.3", "-o", "libdnnl.so.3")
        flags = self.run_command("pkg-config", "--cflags", "--libs", "bitgate").strip()
        other = "-Wl,--no-as-needed,-rpath,. ./libdnnl.so.3"
        for name, libraries in (("theirs_first", f"{other} {flags}"), ("ours_first", f"{flags} {other}")):
            self.run_command("sh", "-c", f"c++ -std=c++17 '{self.sdk}/examples/own_loop.cc' {libraries} -o {name}")
            self.assertIn("step 200", self.run_command(self.work / name))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sdk", required=True)
    parser.add_argument("--own_protobuf", required=True)
    options, rest = parser.parse_known_args()
    SdkTest.archive = pathlib.Path(options.sdk).resolve()
    SdkTest.sources = pathlib.Path(options.own_protobuf).resolve().parent
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


main()
