#pragma once
// Datagrams as libtlsrpt writes them, made beforehand, and processes that send them.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rapporteur::bench {

struct DatagramMix {
  std::size_t domains = 1000;
  std::size_t bytes = 300;  // of a datagram without failures; those have about 250 more
  unsigned failures = 6;    // so many of a hundred domains always fail, at one of two hosts
  bool garbage = false;     // bytes of the same length that are no session
};

class Datagrams {
 public:
  explicit Datagrams(const DatagramMix& mix);

  // The datagram number `i` of an endless, always equal sequence.
  const std::string& at(std::uint64_t i) const;

 private:
  std::vector<std::string> texts_;  // two for each domain
};

// Processes that wait for start() and then send a share each of the first `count` datagrams.
// `blocking`: they wait for room in the socket's queue; else they drop what finds none.
class SenderGroup {
 public:
  SenderGroup(const Datagrams& datagrams, const std::string& path, std::uint64_t count,
              unsigned processes, bool blocking);
  ~SenderGroup();
  SenderGroup(const SenderGroup&) = delete;
  SenderGroup& operator=(const SenderGroup&) = delete;

  void start();
  // Until all have sent their share.
  void wait();

 private:
  std::vector<pid_t> processes_;
  int start_ = -1;
};

}  // namespace rapporteur::bench
