#pragma once
// What a question is in the DNS, and what the data of its records say: RFC 1035, section 3. No I/O
// here. Record data comes from strangers.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dns/resolver.h"

namespace rapporteur {

// The number of the record type (RFC 1035, section 3.2.2; RFC 3596, section 2.1).
int type_number(DnsType type);

// The name to ask for; nullopt if there can be none. Lengths are not checked.
std::optional<std::string> query_name(const DnsQuestion& question);

// The records of one answer, as DnsAnswer promises them, of their data in any order. Names in the
// data are uncompressed. What is malformed is left out.
std::vector<std::string> read_record_data(DnsType type, std::span<const std::string_view> data);

// Whether the data of MX records are a null MX (RFC 7505, section 3): one record, whose host is the
// root. Its preference is not looked at.
bool is_null_mx(std::span<const std::string_view> data);

}  // namespace rapporteur
