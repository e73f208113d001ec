#include "models/data/byte_file.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr int kGzipWindow = 15 + 16;         // zlib: largest window, gzip header and checksum expected
constexpr uint64_t kMaxDeflateRatio = 1032;  // 258 bytes from two bits

}  // namespace

struct ByteFile::Inflater {
  Inflater() {
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw ResourceExhausted("gzip: no memory for an inflate state");
  }
  ~Inflater() { inflateEnd(&stream); }

  z_stream stream = {};
  bool in_member = true;  // between the first and the last byte of a gzip member; a file may hold several
  unsigned char input[1 << 16];
};

ByteFile::ByteFile(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb"), &std::fclose) {
  if (!file_) throw Unavailable(path_, ": expected a readable file, got: ", std::strerror(errno));
  unsigned char head[2] = {};
  const size_t head_size = ReadRaw(head, sizeof(head));
  if (std::fseek(file_.get(), 0, SEEK_END) != 0) {
    throw Unavailable(path_, ": expected a file of known size, got: ", std::strerror(errno));
  }
  max_size_ = static_cast<uint64_t>(std::max(std::ftell(file_.get()), 0L));
  std::rewind(file_.get());
  if (head_size == 2 && head[0] == 0x1f && head[1] == 0x8b) {
    inflater_ = std::make_unique<Inflater>();
    max_size_ *= kMaxDeflateRatio;
  }
}

ByteFile::~ByteFile() = default;

size_t ByteFile::Read(void* data, size_t size) { return inflater_ ? ReadGzip(data, size) : ReadRaw(data, size); }

size_t ByteFile::ReadRaw(void* data, size_t size) {
  const size_t count = std::fread(data, 1, size, file_.get());
  if (count < size && std::ferror(file_.get())) {
    throw Unavailable(path_, ": expected a readable file, got: ", std::strerror(errno));
  }
  return count;
}

size_t ByteFile::ReadGzip(void* data, size_t size) {
  z_stream& stream = inflater_->stream;
  size_t done = 0;
  while (done < size) {
    if (stream.avail_in == 0) {
      stream.next_in = inflater_->input;
      stream.avail_in = static_cast<uInt>(ReadRaw(inflater_->input, sizeof(inflater_->input)));
      if (stream.avail_in == 0) {
        if (inflater_->in_member) throw DataLoss(path_, ": expected a whole gzip stream, got one that is cut short");
        break;
      }
    }
    if (!inflater_->in_member) inflateReset(&stream);
    const size_t room = std::min<size_t>(size - done, std::numeric_limits<uInt>::max());
    stream.next_out = static_cast<unsigned char*>(data) + done;
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END) {
      throw DataLoss(path_, ": expected a gzip stream, got a damaged one (",
                     stream.msg ? stream.msg : "no reason given", ")");
    }
    done += room - stream.avail_out;
    inflater_->in_member = result != Z_STREAM_END;
  }
  return done;
}

}  // namespace bitgate
