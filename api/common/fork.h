// A process that was forked from one in which the library had been used: OpenMP's threads and the loaders' are not in
// it, and waiting for them would be for ever. Front doors refuse to work there.
#ifndef BITGATE_API_COMMON_FORK_H_
#define BITGATE_API_COMMON_FORK_H_

#include <stdexcept>
#include <string>

namespace bitgate::api {

class ForkedError : public std::runtime_error {
 public:
  ForkedError()
      : std::runtime_error("bitgate: expected the process that first used the library, got a child that was forked " +
                           std::string("from it; fork before the first use, or start the child anew (spawn)")) {}
};

// Every entry calls it: remembers that the library is in use, and throws ForkedError in a child forked since.
void CheckNotForked();

// Whether this is such a child: handles that are freed in it are left alone.
bool IsForkedChild() noexcept;

}  // namespace bitgate::api

#endif  // BITGATE_API_COMMON_FORK_H_
