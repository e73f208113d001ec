// Files, read whole and written so that nobody ever sees half of one.
//
// Every failure is an Error whose message names the path and what the operating system said: NotFound (the file, or the
// folder it should go into, does not exist), ResourceExhausted (disk, quota, file size limit or memory), Unavailable
// (no permission, read-only, an I/O error), InvalidArgument (the path is something else than a regular file).
#ifndef BITGATE_RUNTIME_BASE_FILE_H_
#define BITGATE_RUNTIME_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace bitgate {

// The whole content. Throws InvalidArgument if there is more of it than max_bytes.
std::string ReadFile(const std::string& path, uint64_t max_bytes = std::numeric_limits<uint64_t>::max());

// A file read piece by piece, so that its beginning can be judged before memory is taken for the rest.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }  // when it was opened

  // The next `bytes` bytes. Throws DataLoss if the file ends before.
  void Read(void* data, uint64_t bytes);

 private:
  std::string path_;
  int descriptor_;
  uint64_t size_;
};

// A file under construction. The bytes go to `<path>.tmp` in the same folder; Commit flushes them to the disk, renames
// the temporary to `path`, replacing what was there, and flushes the folder. So at any moment, a power cut included,
// `path` holds all of the old content or all of the new.
//
// If anything fails, or the object dies before Commit, the temporary is removed and `path` is as it was. A process that
// is killed leaves its temporary behind; the next writer of the same path takes it over and overwrites it, so at most
// one lies around. Two writers at once are kept apart by a lock on the temporary: the second one gets Unavailable. A
// symbolic link at `path` is replaced, not followed.
class AtomicFile {
 public:
  // Throws, before anything is written, if `path` exists and is not a regular file (a folder, /dev/null).
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Appends; unbuffered, so meant for large pieces (a tensor each). After an exception only destruction makes sense.
  void Write(const void* data, size_t bytes);
  void Write(std::string_view bytes) { Write(bytes.data(), bytes.size()); }

  // Once, last. (Should only flushing the folder fail, that is reported, but the new content is already in place.)
  void Commit();

 private:
  void OpenTemporary();
  void Discard() noexcept;

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;  // -1: committed or discarded
};

// An AtomicFile with these bytes.
void WriteFileAtomically(const std::string& path, std::string_view bytes);

// A file that grows piece by piece; created if it is missing. A symbolic link is followed.
class AppendFile {
 public:
  explicit AppendFile(const std::string& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  // On the disk when it returns. A failure may leave the first part of the bytes there.
  void Append(std::string_view bytes);

 private:
  std::string path_;
  int descriptor_;
};

// Keeps others away that lock the same file: whoever comes second, in this process or another, gets Unavailable. The
// file is created if it is missing, and removed in the end if it is empty then. In between it must not be removed or
// replaced. Reading, writing and cutting it back in other ways is not hindered. The lock goes with the process, however
// that ends.
class FileLock {
 public:
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::string path_;
  int descriptor_;
};

// Whether anything is at `path` (a symbolic link counts by what it points to); false also where one may not look.
bool FileExists(const std::string& path);

// The folder and all above it, as far as they are missing.
void MakeDirectories(const std::string& path);

// Cuts a file back to its first `bytes` bytes, on the disk when it returns. Throws DataLoss if it is shorter than that.
void TruncateFile(const std::string& path, uint64_t bytes);

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_BASE_FILE_H_
