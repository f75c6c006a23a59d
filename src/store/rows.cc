#include "store/rows.h"

#include <charconv>

#include "base/hash.h"

namespace rapporteur {

std::string pack(const std::vector<std::string>& texts) {
  std::string packed;
  for (const auto& text : texts) packed += std::to_string(text.size()) + ":" + text + ",";
  return packed;
}

std::optional<std::vector<std::string>> unpack(std::string_view packed) {
  std::vector<std::string> texts;
  while (!packed.empty()) {
    std::size_t size = 0;
    const char* const end = packed.data() + packed.size();
    const auto [stop, error] = std::from_chars(packed.data(), end, size);
    if (error != std::errc() || stop == end || *stop != ':') return std::nullopt;
    packed.remove_prefix(static_cast<std::size_t>(stop - packed.data()) + 1);
    if (packed.size() <= size || packed[size] != ',') return std::nullopt;
    texts.emplace_back(packed.substr(0, size));
    packed.remove_prefix(size + 1);
  }
  return texts;
}

std::string content_key(std::string_view content) {
  return sha256(content).substr(0, 16);
}

std::string policy_key(const Policy& policy) {
  return content_key(pack({std::string(to_string(policy.type)), policy.domain, pack(policy.strings),
                           pack(policy.mx_hosts)}));
}

std::string detail_key(const FailureDetail& detail) {
  return content_key(
      pack({std::string(to_string(detail.result_type)), detail.sending_mta_ip,
            detail.receiving_mx_hostname, detail.receiving_mx_helo, detail.receiving_ip,
            detail.additional_information, detail.failure_reason_code}));
}

FailureDetail folded(const FailureDetail& detail) {
  FailureDetail bare;
  bare.result_type = detail.result_type;
  return bare;
}

bool takes_counts(std::string_view state) {
  return state == "collecting" || state == "held" || state == "blocked";
}

}  // namespace rapporteur
