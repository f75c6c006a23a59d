#include "model/session.h"

#include <algorithm>
#include <array>

namespace rapporteur {

namespace {

constexpr std::array<std::string_view, 11> kResultTypes = {
    "starttls-not-supported",  "certificate-host-mismatch",
    "certificate-expired",     "tlsa-invalid",
    "dnssec-invalid",          "dane-required",
    "certificate-not-trusted", "sts-policy-invalid",
    "sts-webpki-invalid",      "validation-failure",
    "sts-policy-fetch-error"};

constexpr std::array<std::string_view, 3> kPolicyTypes = {"tlsa", "sts", "no-policy-found"};

template <class Enum, std::size_t size>
std::optional<Enum> find(const std::array<std::string_view, size>& names, std::string_view text) {
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view to_string(ResultType type) {
  return kResultTypes.at(static_cast<std::size_t>(type));
}

std::optional<ResultType> parse_result_type(std::string_view text) {
  return find<ResultType>(kResultTypes, text);
}

std::string_view to_string(PolicyType type) {
  return kPolicyTypes.at(static_cast<std::size_t>(type));
}

std::optional<PolicyType> parse_policy_type(std::string_view text) {
  return find<PolicyType>(kPolicyTypes, text);
}

}  // namespace rapporteur
