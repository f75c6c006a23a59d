#pragma once
// What key_exists(), key_get(), is_local_domain() and dns_query() give: docs/expressions.md,
// "Lookups".

#include <array>
#include <string>
#include <string_view>
#include <variant>

#include "expr/expression.h"

namespace expr {

// A value, or one sentence that says why there is none.
using Found = std::variant<Value, std::string>;

// Null `lookups`: there are none.
Found key_exists(const Lookups* lookups, std::string_view list, std::string_view key);
Found key_get(const Lookups* lookups, std::string_view map, std::string_view key);
Value is_local_domain(const Lookups* lookups, std::string_view domain);

// `dns` may be null. `type` is one of kDnsTypes.
Found dns_query(Dns* dns, std::string_view name, std::string_view type);

// The types, in the order of DnsType.
inline constexpr std::array<std::string_view, 6> kDnsTypes = {"txt",  "mx",   "ip",
                                                              "ipv4", "ipv6", "ptr"};

// The type of what dns_query() gives for a type: text for 'txt', else an array.
Type type_of_dns(std::string_view type);

}  // namespace expr
