#include "runtime/base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

using absl::StatusCode;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/file_test_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/model.bin";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Put(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
  // What lies in the folder, so that nothing half-written hides.
  size_t Entries() const {
    return std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator());
  }

  std::string folder_, path_;
};

void ExpectError(const std::function<void()>& call, StatusCode code, const std::string& message) {
  try {
    call();
    FAIL() << "no exception; expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(std::string(error.what()), message);
  }
}

TEST_F(FileTest, ReadsWhatIsThere) {
  std::string bytes(100000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  Put(path_, bytes);
  EXPECT_EQ(ReadFile(path_), bytes);
  EXPECT_EQ(ReadFile(path_, bytes.size()), bytes);
  Put(path_, "");
  EXPECT_EQ(ReadFile(path_, 0), "");
}

TEST_F(FileTest, ReadsFilesThatDoNotSayTheirSize) { EXPECT_FALSE(ReadFile("/proc/self/status").empty()); }

TEST_F(FileTest, ReadingRefusesMoreThanAllowed) {
  Put(path_, "12345");
  ExpectError([&] { ReadFile(path_, 4); }, StatusCode::kInvalidArgument, path_ + ": expected at most 4 bytes, got 5");
  ExpectError([&] { ReadFile("/proc/self/status", 10); }, StatusCode::kInvalidArgument,
              "/proc/self/status: expected at most 10 bytes, got more");
}

TEST_F(FileTest, ReadingSaysWhatIsWrong) {
  ExpectError([&] { ReadFile(path_); }, StatusCode::kNotFound,
              path_ + ": expected to read it, got No such file or directory");
  ExpectError([&] { ReadFile(folder_); }, StatusCode::kInvalidArgument, folder_ + ": expected a file, got a directory");
  Put(path_, "a file");
  ExpectError([&] { ReadFile(path_ + "/below"); }, StatusCode::kNotFound,
              path_ + "/below: expected to read it, got Not a directory");
}

TEST_F(FileTest, ReadsPieces) {
  Put(path_, "12345");
  InputFile file(path_);
  EXPECT_EQ(file.size(), 5u);
  char bytes[4] = {};
  file.Read(bytes, 3);
  EXPECT_EQ(std::string(bytes), "123");
  ExpectError([&] { file.Read(bytes, 4); }, StatusCode::kDataLoss,
              path_ + ": expected 2 more bytes, got the end of the file");
  ExpectError([&] { InputFile missing(folder_ + "/missing"); }, StatusCode::kNotFound,
              folder_ + "/missing: expected to read it, got No such file or directory");
  ExpectError([&] { InputFile directory(folder_); }, StatusCode::kInvalidArgument,
              folder_ + ": expected a file, got a directory");
}

// Opening a pipe that nobody writes to would wait for ever.
TEST_F(FileTest, ReadingPiecesRefusesAPipe) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  ExpectError([&] { InputFile file(path_); }, StatusCode::kInvalidArgument,
              path_ + ": expected a regular file, got a device, pipe or socket");
}

TEST_F(FileTest, WritesAndReplaces) {
  WriteFileAtomically(path_, "first, longer");
  EXPECT_EQ(ReadFile(path_), "first, longer");
  WriteFileAtomically(path_, "second");
  EXPECT_EQ(ReadFile(path_), "second");
  WriteFileAtomically(path_, "");
  EXPECT_EQ(ReadFile(path_), "");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FileTest, WritesBesideTheWorkingDirectoryToo) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  WriteFileAtomically("plain_name", "x");
  std::filesystem::current_path(before);
  EXPECT_EQ(ReadFile(folder_ + "/plain_name"), "x");
}

TEST_F(FileTest, StreamsPieces) {
  AtomicFile file(path_);
  file.Write("one ");
  file.Write("two", 3);
  EXPECT_FALSE(FileExists(path_));
  file.Commit();
  EXPECT_EQ(ReadFile(path_), "one two");
  ExpectError([&] { file.Write("more"); }, StatusCode::kFailedPrecondition,
              path_ + ": expected a file still being written, got a finished one");
  EXPECT_THROW(file.Commit(), Error);
}

TEST_F(FileTest, WithoutCommitTheOldContentStays) {
  Put(path_, "old");
  {
    AtomicFile file(path_);
    file.Write("new");
    EXPECT_EQ(ReadFile(path_), "old");
  }
  EXPECT_EQ(ReadFile(path_), "old");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FileTest, AKilledProcessLeavesATemporaryThatDoesNoHarm) {
  Put(path_, "old");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    AtomicFile file(path_);
    file.Write("longer than what the next writer writes");
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(ReadFile(path_), "old");
  EXPECT_TRUE(FileExists(path_ + ".tmp"));
  WriteFileAtomically(path_, "new");
  EXPECT_EQ(ReadFile(path_), "new");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FileTest, ASecondWriterIsTurnedAwayAndTheFirstGoesOn) {
  AtomicFile first(path_);
  first.Write("first");
  ExpectError([&] { AtomicFile second(path_); }, StatusCode::kUnavailable,
              path_ + ": expected to be its only writer, got another one at work on " + path_ + ".tmp");
  first.Commit();
  EXPECT_EQ(ReadFile(path_), "first");
}

TEST_F(FileTest, UnwritablePlacesAreNamed) {
  ExpectError([&] { WriteFileAtomically(folder_ + "/missing/x", "x"); }, StatusCode::kNotFound,
              folder_ + "/missing/x: expected to create " + folder_ +
                  "/missing/x.tmp beside it, got No such file or directory");
  Put(path_, "a file");
  ExpectError([&] { WriteFileAtomically(path_ + "/x", "x"); }, StatusCode::kNotFound,
              path_ + "/x: expected to create " + path_ + "/x.tmp beside it, got Not a directory");
  ExpectError([&] { WriteFileAtomically(folder_, "x"); }, StatusCode::kInvalidArgument,
              folder_ + ": expected a regular file to replace, got a directory");
  ExpectError([&] { WriteFileAtomically("/dev/null", "x"); }, StatusCode::kInvalidArgument,
              "/dev/null: expected a regular file to replace, got a device, pipe or socket");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FileTest, ATemporaryThatIsALinkIsNotFollowed) {
  Put(folder_ + "/victim", "precious");
  ASSERT_EQ(symlink((folder_ + "/victim").c_str(), (path_ + ".tmp").c_str()), 0);
  EXPECT_THROW(WriteFileAtomically(path_, "x"), Error);
  EXPECT_EQ(ReadFile(folder_ + "/victim"), "precious");
}

TEST_F(FileTest, NoPermission) {
  const uid_t user = geteuid();
  ASSERT_EQ(chmod(folder_.c_str(), 0555), 0);
  if (user == 0 && seteuid(65534) != 0)
    GTEST_SKIP() << "root may write everywhere, and cannot become another user here";
  ExpectError([&] { WriteFileAtomically(path_, "x"); }, StatusCode::kUnavailable,
              path_ + ": expected to create " + path_ + ".tmp beside it, got Permission denied");
  ASSERT_EQ(seteuid(user), 0);
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
}

// Replaces what the descriptor of `file` leads to.
void Redirect(const std::string& file, const char* target) {
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    std::error_code error;
    const auto link = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), error);
    if (error || link != file) continue;
    const int full = open(target, O_WRONLY);
    ASSERT_GE(full, 0);
    ASSERT_EQ(dup2(full, descriptor), descriptor);
    close(full);
    return;
  }
  FAIL() << file << " is not open";
}

TEST_F(FileTest, AFullDiskKeepsTheOldContent) {
  Put(path_, "old");
  AtomicFile file(path_);
  file.Write("begin");
  Redirect(std::filesystem::canonical(path_ + ".tmp"), "/dev/full");
  ExpectError([&] { file.Write("the rest"); }, StatusCode::kResourceExhausted,
              path_ + ": expected to write it, got No space left on device");
  EXPECT_EQ(ReadFile(path_), "old");
  EXPECT_EQ(Entries(), 1u);
  ExpectError([&] { file.Commit(); }, StatusCode::kFailedPrecondition,
              path_ + ": expected a file still being written, got a finished one");
}

TEST_F(FileTest, AFileSizeLimitKeepsTheOldContent) {
  Put(path_, "old");
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  ExpectError([&] { WriteFileAtomically(path_, std::string(5000, 'x')); }, StatusCode::kResourceExhausted,
              path_ + ": expected to write it, got File too large");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(ReadFile(path_), "old");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FileTest, ACommitThatCannotRenameKeepsTheOldState) {
  AtomicFile file(path_);
  file.Write("new");
  ASSERT_EQ(mkdir(path_.c_str(), 0755), 0);  // appears in between
  ExpectError([&] { file.Commit(); }, StatusCode::kInvalidArgument,
              path_ + ": expected to write it, got Is a directory");
  EXPECT_FALSE(FileExists(path_ + ".tmp"));
}

TEST_F(FileTest, Exists) {
  EXPECT_FALSE(FileExists(path_));
  Put(path_, "");
  EXPECT_TRUE(FileExists(path_));
  EXPECT_TRUE(FileExists(folder_));
  EXPECT_FALSE(FileExists(path_ + "/below"));
}

TEST_F(FileTest, MakesDirectories) {
  MakeDirectories(folder_ + "/a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(folder_ + "/a/b/c"));
  MakeDirectories(folder_ + "/a/b/c");
  MakeDirectories(folder_ + "/d/");
  EXPECT_TRUE(std::filesystem::is_directory(folder_ + "/d"));
  Put(path_, "");
  ExpectError([&] { MakeDirectories(path_); }, StatusCode::kInvalidArgument,
              path_ + ": expected a directory or nothing, got a file");
  ExpectError([&] { MakeDirectories(path_ + "/below"); }, StatusCode::kNotFound,
              path_ + "/below: expected to create the directory, got Not a directory");
}

TEST_F(FileTest, CutsBackButNeverExtends) {
  Put(path_, "line 1\nline 2\n");
  TruncateFile(path_, 7);
  EXPECT_EQ(ReadFile(path_), "line 1\n");
  TruncateFile(path_, 7);
  EXPECT_EQ(ReadFile(path_), "line 1\n");
  ExpectError([&] { TruncateFile(path_, 8); }, StatusCode::kDataLoss, path_ + ": expected at least 8 bytes, got 7");
  ExpectError([&] { TruncateFile(folder_ + "/missing", 0); }, StatusCode::kNotFound,
              folder_ + "/missing: expected to cut it back, got No such file or directory");
}

TEST_F(FileTest, AppendingKeepsWhatIsThere) {
  Put(path_, "one\n");
  {
    AppendFile file(path_);
    file.Append("two\n");
    file.Append("three\n");
  }
  EXPECT_EQ(ReadFile(path_), "one\ntwo\nthree\n");
  AppendFile(folder_ + "/new").Append("x");
  EXPECT_EQ(ReadFile(folder_ + "/new"), "x");
  ExpectError([&] { AppendFile file(folder_ + "/no/log"); }, StatusCode::kNotFound,
              folder_ + "/no/log: expected to append to it, got No such file or directory");
  ExpectError([&] { AppendFile("/dev/full").Append("x"); }, StatusCode::kResourceExhausted,
              "/dev/full: expected to append to it, got No space left on device");
}

TEST_F(FileTest, ALockHasOneHolder) {
  {
    const FileLock first(path_);
    ExpectError([&] { FileLock second(path_); }, StatusCode::kUnavailable,
                path_ + ": expected to be its only writer, got a file that is being written by another run");
    AppendFile(path_).Append("x");  // not hindered
  }
  EXPECT_EQ(ReadFile(path_), "x");
  const FileLock again(path_);
}

TEST_F(FileTest, ALockLeavesNoEmptyFile) {
  { const FileLock lock(path_); }
  EXPECT_EQ(Entries(), 0u);
  {
    const FileLock lock(path_);
    std::filesystem::rename(path_, folder_ + "/moved");
    Put(path_, "");  // another file, not the lock's to remove
  }
  EXPECT_EQ(Entries(), 2u);
}

TEST_F(FileTest, ALockOfAKilledProcessIsFree) {
  const pid_t child = fork();
  if (child == 0) {
    const FileLock lock(path_);
    _exit(0);  // no destructor runs
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(FileExists(path_));
  const FileLock lock(path_);
}

TEST_F(FileTest, ALockNeedsAPlace) {
  ExpectError([&] { FileLock lock(folder_ + "/no/log"); }, StatusCode::kNotFound,
              folder_ + "/no/log: expected to write it, got No such file or directory");
}

}  // namespace
}  // namespace bitgate
