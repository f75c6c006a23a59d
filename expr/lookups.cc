#include "expr/lookups.h"

#include <algorithm>
#include <utility>

#include "expr/literal.h"
#include "expr/value.h"

namespace expr {
namespace {

// Null if there is no lookup of this name.
const Lookup* lookup_of(const Lookups* lookups, std::string_view name) {
  if (lookups == nullptr) return nullptr;
  const auto found = lookups->by_name.find(name);
  return found == lookups->by_name.end() ? nullptr : &found->second;
}

std::string no_lookup(std::string_view name) {
  return "there is no lookup " + mention(name);
}

}  // namespace

Found key_exists(const Lookups* lookups, std::string_view list, std::string_view key) {
  const Lookup* lookup = lookup_of(lookups, list);
  if (lookup == nullptr) return no_lookup(list);
  return truth(lookup->contains(key));
}

Found key_get(const Lookups* lookups, std::string_view map, std::string_view key) {
  const Lookup* lookup = lookup_of(lookups, map);
  if (lookup == nullptr) return no_lookup(map);
  const auto found = lookup->find(key);
  return Value(found == lookup->end() ? std::string() : found->second);
}

Value is_local_domain(const Lookups* lookups, std::string_view domain) {
  const bool can_tell = lookups != nullptr && lookups->is_local_domain;
  return truth(can_tell && lookups->is_local_domain(domain));
}

Found dns_query(Dns* dns, std::string_view name, std::string_view type) {
  if (dns == nullptr) return std::string("the DNS is not asked here");
  const auto known = std::find(kDnsTypes.begin(), kDnsTypes.end(), type);
  if (known == kDnsTypes.end()) return "dns_query has no type " + mention(type);
  const auto dns_type = static_cast<DnsType>(known - kDnsTypes.begin());
  DnsResult result = dns->query(name, dns_type);
  if (!result.problem.empty()) {
    return "asking the DNS for the " + std::string(type) + " of " + mention(name) +
           " gave no answer: " + result.problem;
  }
  if (dns_type == DnsType::kTxt) {
    std::string text;
    for (std::size_t i = 0; i < result.records.size(); ++i) {
      if (i > 0) text += '\n';
      text += result.records[i];
    }
    return Value(std::move(text));
  }
  Array array;
  array.reserve(result.records.size());
  for (auto& record : result.records) array.emplace_back(std::move(record));
  return Value(std::move(array));
}

Type type_of_dns(std::string_view type) {
  return type == kDnsTypes.front() ? Type::kString : Type::kArray;
}

}  // namespace expr
