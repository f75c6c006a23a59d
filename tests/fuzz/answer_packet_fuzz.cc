// Any bytes as a DNS message: what read_answer_packet() promises. The first byte chooses the type
// of the question.

#include <chrono>
#include <cstdint>
#include <string>

#include "dns/answer_packet.h"
#include "fuzz/dns_texts.h"
#include "fuzz/require.h"

using namespace rapporteur;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto type = static_cast<DnsType>(data[0] % 5);
  const std::string packet(data + 1, data + size);
  const auto answer = read_answer_packet(packet, type);
  using Status = DnsAnswer::Status;
  require((answer.status == Status::kFound) == !answer.records.empty(), "what is found is there");
  require((answer.status == Status::kTemporary) == !answer.problem.empty(), "problems are told");
  require(answer.ttl >= Seconds(0), "no time is negative");
  require(answer.status != Status::kTemporary || answer.ttl == Seconds(0), "failures do not hold");
  require(!answer.null_mx || (type == DnsType::kMx && answer.status == Status::kNone),
          "a null MX is no host");
  require(!answer.secure, "who validates says so");
  for (const auto& one : answer.records) fuzz::check_text(type, one);
  return 0;
}
