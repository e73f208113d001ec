// Gzip files for tests.
#ifndef BITGATE_MODELS_DATA_TEST_GZIP_H_
#define BITGATE_MODELS_DATA_TEST_GZIP_H_

#include <zlib.h>

#include <string>

#include "gtest/gtest.h"

namespace bitgate {

// A file of one member that unpacks to `content`.
inline std::string Gzip(const std::string& content) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(&packed[0]);
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_TEST_GZIP_H_
