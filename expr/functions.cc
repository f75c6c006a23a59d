#include "expr/functions.h"

#include <utility>

#include "expr/lookups.h"

namespace expr {
namespace {

using Reason = std::pair<std::string_view, std::string_view>;

constexpr auto kText = Accepts::kText;

constexpr std::array<Function, 7> kSpecialForms = {{
    {"matches", 2, {}, Gives::kTruth, nullptr, {}, Special::kMatches},
    {"system", 1, {}, Gives::kString, nullptr, {}, Special::kSystem},
    {"if_then", 3, {}, Gives::kAnything, nullptr, {}, Special::kIfThen},
    {"key_exists", 2, {kText, kText}, Gives::kTruth, nullptr, {}, Special::kKeyExists},
    {"key_get", 2, {kText, kText}, Gives::kString, nullptr, {}, Special::kKeyGet},
    {"is_local_domain", 1, {kText}, Gives::kTruth, nullptr, {}, Special::kIsLocalDomain},
    {"dns_query",
     2,
     {kText, Accepts::kWord},
     Gives::kAnything,
     nullptr,
     kDnsTypes,
     Special::kDnsQuery},
}};

constexpr std::string_view kNoCounters = "is not available: there are no counters";
constexpr std::array<Reason, 7> kMissingFunctions = {{
    {"is_local_address", "is not available: the addresses of local users are not known"},
    {"metric", "is not available: a setting cannot read metrics"},
    {"config_get", "is not available: a setting cannot read the configuration"},
    {"counter_get", kNoCounters},
    {"counter_incr", kNoCounters},
    {"key_set", "is not available: evaluating a setting changes nothing"},
    {"sql_query", "is not available: a setting cannot query a database"},
}};

constexpr std::string_view kNoMessage = "is not available: a report is about no single message";
constexpr std::string_view kNoSession = "is not available: a report is about no single connection";
constexpr std::string_view kNoRequest = "is not available: there is no request to answer";
constexpr std::array<Reason, 32> kMissingVariables = {{
    {"sender", kNoMessage},
    {"sender_domain", kNoMessage},
    {"rcpt", kNoMessage},
    {"recipients", kNoMessage},
    {"priority", kNoMessage},
    {"retry_num", kNoMessage},
    {"notify_num", kNoMessage},
    {"expires_in", kNoMessage},
    {"last_status", kNoMessage},
    {"last_error", kNoMessage},
    {"queue_name", kNoMessage},
    {"queue_age", kNoMessage},
    {"source", kNoMessage},
    {"size", kNoMessage},
    {"mx", kNoSession},
    {"remote_ip", kNoSession},
    {"remote_port", kNoSession},
    {"local_ip", kNoSession},
    {"local_port", kNoSession},
    {"received_from_ip", kNoSession},
    {"received_via_port", kNoSession},
    {"helo_domain", kNoSession},
    {"authenticated_as", kNoSession},
    {"listener", kNoSession},
    {"protocol", kNoSession},
    {"is_tls", kNoSession},
    {"asn", kNoSession},
    {"country", kNoSession},
    {"url", kNoRequest},
    {"path", kNoRequest},
    {"headers", kNoRequest},
    {"method", kNoRequest},
}};

std::array<std::span<const Function>, 5> parts() {
  return {kSpecialForms, text_functions(), case_functions(), array_functions(),
          address_functions()};
}

template <std::size_t kSize>
std::string_view look_up(const std::array<Reason, kSize>& reasons, std::string_view name) {
  for (const auto& [known, reason] : reasons) {
    if (known == name) return reason;
  }
  return {};
}

}  // namespace

const Function* find_function(std::string_view name) {
  for (const auto part : parts()) {
    for (const Function& function : part) {
      if (function.name == name) return &function;
    }
  }
  return nullptr;
}

std::vector<std::string_view> function_names() {
  std::vector<std::string_view> names;
  for (const auto part : parts()) {
    for (const Function& function : part) names.push_back(function.name);
  }
  return names;
}

std::string_view why_no_function(std::string_view name) {
  return look_up(kMissingFunctions, name);
}

std::string_view why_no_variable(std::string_view name) {
  return look_up(kMissingVariables, name);
}

}  // namespace expr
