#include "runtime/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <new>
#include <system_error>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr size_t kLargestTransfer = size_t{1} << 30;  // Linux transfers at most 2^31 - 4096 bytes a call

// "<path>: expected to <action>, got <what the operating system said>", under the code that the cause deserves.
Error SystemError(const std::string& path, const std::string& action, int cause) {
  const std::string got = std::system_category().message(cause);
  switch (cause) {
    case ENOENT:
    case ENOTDIR:
      return NotFound(path, ": expected to ", action, ", got ", got);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return ResourceExhausted(path, ": expected to ", action, ", got ", got);
    case EISDIR:
    case EEXIST:
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
      return InvalidArgument(path, ": expected to ", action, ", got ", got);
    default:
      return Unavailable(path, ": expected to ", action, ", got ", got);
  }
}

int Open(const std::string& path, const char* action, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) throw SystemError(path, action, errno);
  return descriptor;
}

class Descriptor {
 public:
  Descriptor(const std::string& path, const char* action, int flags) : value_(Open(path, action, flags)) {}
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

// Some bytes, at least one, or 0 at the end.
uint64_t ReadSome(int descriptor, void* data, uint64_t bytes, const std::string& path) {
  while (true) {
    const ssize_t got = ::read(descriptor, data, std::min<uint64_t>(bytes, kLargestTransfer));
    if (got >= 0) return static_cast<uint64_t>(got);
    if (errno != EINTR) throw SystemError(path, "read it", errno);
  }
}

uint64_t SizeOf(int descriptor, const std::string& path) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0) throw SystemError(path, "look at it", errno);
  if (S_ISDIR(status.st_mode)) throw InvalidArgument(path, ": expected a file, got a directory");
  return static_cast<uint64_t>(status.st_size);
}

void Resize(std::string* text, uint64_t bytes, const std::string& path) {
  try {
    text->resize(bytes);
  } catch (const std::exception&) {  // bad_alloc or length_error
    throw ResourceExhausted(path, ": expected memory for ", bytes, " bytes, got none");
  }
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// Makes a rename in the folder durable. Some file systems do not offer this and say EINVAL.
void FlushFolder(const std::string& folder) {
  const Descriptor descriptor(folder, "flush the folder", O_RDONLY | O_DIRECTORY);
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) throw SystemError(folder, "flush the folder", errno);
}

bool SameFile(int descriptor, const std::string& path, int flags) {
  struct stat opened, named;
  return ::fstat(descriptor, &opened) == 0 && ::fstatat(AT_FDCWD, path.c_str(), &named, flags) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

// Creates the file if it is missing, opens it for writing and locks it. Gives -1 with the cause in errno, which is 0 if
// somebody else has the lock. File systems without locks go without. `flags` are further ones for open.
int OpenLocked(const std::string& path, int flags) {
  while (true) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | flags, 0666);
    if (descriptor < 0) return -1;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      ::close(descriptor);
      errno = 0;
      return -1;
    }
    // The other one may have renamed or removed it between our opening and locking it; then it is not ours to touch.
    if (SameFile(descriptor, path, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0)) return descriptor;
    ::close(descriptor);
  }
}

void WriteAll(int descriptor, const void* data, size_t bytes, const std::string& path, const char* action) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor, next, std::min(bytes, kLargestTransfer));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw SystemError(path, action, errno);
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

}  // namespace

std::string ReadFile(const std::string& path, uint64_t max_bytes) {
  const Descriptor descriptor(path, "read it", O_RDONLY);
  const uint64_t size = SizeOf(descriptor.get(), path);
  if (size > max_bytes) throw InvalidArgument(path, ": expected at most ", max_bytes, " bytes, got ", size);
  // One byte more than the size, to notice the end; pipes and /proc say 0 and are read until they end.
  std::string text;
  Resize(&text, size + 1, path);
  uint64_t used = 0;
  while (true) {
    if (used == text.size()) Resize(&text, 2 * used, path);
    const uint64_t got = ReadSome(descriptor.get(), &text[used], text.size() - used, path);
    if (got == 0) break;
    used += got;
    if (used > max_bytes) throw InvalidArgument(path, ": expected at most ", max_bytes, " bytes, got more");
  }
  text.resize(used);
  return text;
}

// Without waiting: a pipe that nobody writes to is refused like every other file of unknown size.
InputFile::InputFile(const std::string& path) : path_(path), descriptor_(Open(path, "read it", O_RDONLY | O_NONBLOCK)) {
  try {
    size_ = SizeOf(descriptor_, path);
    struct stat status;
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
      throw InvalidArgument(path, ": expected a regular file, got a device, pipe or socket");
    }
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::Read(void* data, uint64_t bytes) {
  char* next = static_cast<char*>(data);
  while (bytes > 0) {
    const uint64_t got = ReadSome(descriptor_, next, bytes, path_);
    if (got == 0) throw DataLoss(path_, ": expected ", bytes, " more bytes, got the end of the file");
    next += got;
    bytes -= got;
  }
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(path + ".tmp") {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw InvalidArgument(path, ": expected a regular file to replace, got a ",
                          S_ISDIR(status.st_mode) ? "directory" : "device, pipe or socket");
  }
  OpenTemporary();
  if (::ftruncate(descriptor_, 0) != 0) {
    const int cause = errno;
    Discard();
    throw SystemError(path_, "write it", cause);
  }
}

AtomicFile::~AtomicFile() { Discard(); }

void AtomicFile::OpenTemporary() {
  // Truncated only under the lock: until then it may be another writer's.
  descriptor_ = OpenLocked(temporary_, O_NOFOLLOW);
  if (descriptor_ >= 0) return;
  if (errno != 0) throw SystemError(path_, "create " + temporary_ + " beside it", errno);
  throw Unavailable(path_, ": expected to be its only writer, got another one at work on ", temporary_);
}

void AtomicFile::Discard() noexcept {
  if (descriptor_ < 0) return;
  ::unlink(temporary_.c_str());
  ::close(descriptor_);
  descriptor_ = -1;
}

void AtomicFile::Write(const void* data, size_t bytes) {
  if (descriptor_ < 0) throw FailedPrecondition(path_, ": expected a file still being written, got a finished one");
  try {
    WriteAll(descriptor_, data, bytes, path_, "write it");
  } catch (...) {
    Discard();
    throw;
  }
}

void AtomicFile::Commit() {
  if (descriptor_ < 0) throw FailedPrecondition(path_, ": expected a file still being written, got a finished one");
  if (::fsync(descriptor_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int cause = errno;
    Discard();
    throw SystemError(path_, "write it", cause);
  }
  // From here on it is at its place; the lock goes with the descriptor.
  ::close(descriptor_);
  descriptor_ = -1;
  FlushFolder(FolderOf(path_));
}

void WriteFileAtomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.Write(bytes);
  file.Commit();
}

AppendFile::AppendFile(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) throw SystemError(path, "append to it", errno);
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::Append(std::string_view bytes) {
  WriteAll(descriptor_, bytes.data(), bytes.size(), path_, "append to it");
  if (::fsync(descriptor_) != 0) throw SystemError(path_, "append to it", errno);
}

FileLock::FileLock(const std::string& path) : path_(path), descriptor_(OpenLocked(path, 0)) {
  if (descriptor_ >= 0) return;
  if (errno != 0) throw SystemError(path, "write it", errno);
  throw Unavailable(path, ": expected to be its only writer, got a file that is being written by another run");
}

FileLock::~FileLock() {
  struct stat status;
  const bool empty = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0;
  if (empty && SameFile(descriptor_, path_, AT_SYMLINK_NOFOLLOW)) ::unlink(path_.c_str());
  ::close(descriptor_);
}

bool FileExists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

void MakeDirectories(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_directory(path, error)) {
    throw InvalidArgument(path, ": expected a directory or nothing, got a file");
  }
  std::filesystem::create_directories(path, error);
  if (error) throw SystemError(path, "create the directory", error.value());
}

void TruncateFile(const std::string& path, uint64_t bytes) {
  const Descriptor descriptor(path, "cut it back", O_WRONLY);
  const uint64_t size = SizeOf(descriptor.get(), path);
  if (size < bytes) throw DataLoss(path, ": expected at least ", bytes, " bytes, got ", size);
  if (::ftruncate(descriptor.get(), static_cast<off_t>(bytes)) != 0 || ::fsync(descriptor.get()) != 0) {
    throw SystemError(path, "cut it back", errno);
  }
}

}  // namespace bitgate
