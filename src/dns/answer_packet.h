#pragma once
// What a DNS message says in answer to a question: RFC 1035, section 4. No I/O here.

#include <string>
#include <string_view>

#include "dns/resolver.h"

namespace rapporteur {

// Of a whole message with the answer to a question of this type, aliases and all. What answers no
// such question, a response code that is neither NOERROR nor NXDOMAIN among it, is kTemporary with
// its problem. `secure` is left to the caller.
DnsAnswer read_answer_packet(std::string_view packet, DnsType type);

// Nothing is known, and why.
DnsAnswer temporary_answer(std::string problem);

// There is nothing, and it is not known for how long; so of what can be no name.
DnsAnswer no_records();

// "SERVFAIL", "REFUSED", …, for people.
std::string rcode_name(int rcode);

}  // namespace rapporteur
