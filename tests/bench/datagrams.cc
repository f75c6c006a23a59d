#include "bench/datagrams.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace rapporteur::bench {

namespace {

constexpr std::size_t kHosts = 2;
constexpr std::uint64_t kFailureMark = std::uint64_t{1} << 40U;

std::uint64_t mixed(std::uint64_t i) {
  i = (i + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
  i ^= i >> 29U;
  i *= 0x94d049bb133111ebU;
  return i ^ (i >> 32U);
}

// Lines of an MTA-STS policy until the datagram has its length.
std::string datagram(const std::string& domain, std::size_t bytes, const std::string& details,
                     int result) {
  const std::string head = "{\"dpv\": \"1\",\"d\": \"" + domain +
                           "\",\"pr\": \"v=TLSRPTv1; rua=mailto:tls@" + domain +
                           "\",\"policies\":[{\"policy-type\":2,\"policy-domain\": \"" + domain +
                           "\",\"policy-string\":[\"version: STSv1\",\"mode: enforce\"";
  const std::string tail = "]" + details + ",\"t\":" + (result == 0 ? "0" : "1") +
                           ",\"f\":" + std::to_string(result) + "}]}";
  std::string text = head;
  for (int i = 0; text.size() + tail.size() - details.size() + 30 < bytes; ++i) {
    text += ",\"mx: mx" + std::to_string(i) + '.' + domain + '"';
  }
  return text + ",\"max_age: 604800\"" + tail;
}

std::string failure_details(const std::string& domain, std::size_t host) {
  const char* const codes[] = {"202", "205"};
  return std::string(",\"failure-details\":[{\"c\":") + codes[host % 2] +
         ",\"s\": \"203.0.113.10\",\"n\": \"mx0." + domain + "\",\"h\": \"250-mx0." + domain +
         "\\r\\n250-PIPELINING\\r\\n250-SIZE 52428800\\r\\n250-STARTTLS\\r\\n250 8BITMIME\","
         "\"r\": \"198.51.100.7\"" +
         (host % 2 == 1 ? ",\"f\": \"self-signed_certificate\"" : "") + "}]";
}

[[noreturn]] void send_share(const Datagrams& datagrams, const std::string& path,
                             std::uint64_t begin, std::uint64_t count, bool blocking, int start) {
  const int out = socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  char byte = 0;
  while (read(start, &byte, 1) < 0 && errno == EINTR) {
  }
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (connect(out, to, sizeof address) != 0) _exit(1);
  for (std::uint64_t i = begin; i < begin + count; ++i) {
    const auto& text = datagrams.at(i);
    while (send(out, text.data(), text.size(), blocking ? 0 : MSG_DONTWAIT) < 0) {
      if (!blocking && errno == EAGAIN) break;
      if (errno != EINTR) _exit(1);
    }
  }
  _exit(0);
}

}  // namespace

Datagrams::Datagrams(const DatagramMix& mix) {
  for (std::size_t i = 0; i < mix.domains; ++i) {
    const auto domain = "d" + std::to_string(mixed(i) % 100'000'000) + ".example.org";
    const bool fails = !mix.garbage && mixed(i ^ kFailureMark) % 100 < mix.failures;
    for (std::size_t host = 0; host < kHosts; ++host) {
      auto text = fails ? datagram(domain, mix.bytes, failure_details(domain, host), 1)
                        : datagram(domain, mix.bytes, "", 0);
      // What is left of a session when its end is torn off.
      if (mix.garbage) text = std::to_string(i) + text.replace(text.size() - 4, 4, "\xff\xfe{{");
      texts_.push_back(std::move(text));
    }
  }
}

const std::string& Datagrams::at(std::uint64_t i) const {
  return texts_[static_cast<std::size_t>(mixed(i) % texts_.size())];
}

SenderGroup::SenderGroup(const Datagrams& datagrams, const std::string& path, std::uint64_t count,
                         unsigned processes, bool blocking) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  for (unsigned i = 0; i < processes; ++i) {
    const auto begin = count * i / processes;
    const auto end = count * (i + 1) / processes;
    const auto process = fork();
    if (process == 0) {
      close(ends[1]);
      send_share(datagrams, path, begin, end - begin, blocking, ends[0]);
    }
    processes_.push_back(process);
  }
  close(ends[0]);
  start_ = ends[1];
}

SenderGroup::~SenderGroup() {
  start();
  wait();
}

void SenderGroup::start() {
  if (start_ >= 0) close(start_);
  start_ = -1;
}

void SenderGroup::wait() {
  for (const auto process : processes_) waitpid(process, nullptr, 0);
  processes_.clear();
}

}  // namespace rapporteur::bench
