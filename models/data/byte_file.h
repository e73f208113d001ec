// A file read from front to back, plain or gzip; which of the two its first bytes tell, not its name.
#ifndef BITGATE_MODELS_DATA_BYTE_FILE_H_
#define BITGATE_MODELS_DATA_BYTE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace bitgate {

class ByteFile {
 public:
  // Throws Unavailable when the file cannot be opened or read.
  explicit ByteFile(const std::string& path);
  ~ByteFile();
  ByteFile(const ByteFile&) = delete;
  ByteFile& operator=(const ByteFile&) = delete;

  const std::string& path() const { return path_; }

  // The most bytes that Read can ever give: the size of a plain file, or a gzip file's size times deflate's best
  // ratio. No size that a header declares needs to be believed beyond it.
  uint64_t max_size() const { return max_size_; }

  // Reads up to `size` unpacked bytes into `data` and returns how many; fewer than `size` only at the end of the file.
  // Throws DataLoss for a gzip stream that is damaged, cut short or followed by something else.
  size_t Read(void* data, size_t size);

 private:
  struct Inflater;

  size_t ReadRaw(void* data, size_t size);
  size_t ReadGzip(void* data, size_t size);

  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::unique_ptr<Inflater> inflater_;  // null for a plain file
  uint64_t max_size_ = 0;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_BYTE_FILE_H_
