#pragma once
// Domain names as they are stored and compared everywhere in this program: A-labels, lower case,
// no trailing dot (RFC 5890, RFC 8460 section 4.4).

#include <string>
#include <string_view>

#include "base/result.h"

namespace rapporteur {

// "Bücher.Example." becomes "xn--bcher-kva.example". Fails with Fault::kInput for what can be no
// host name: empty, over 253 bytes, a label that is empty, over 63 bytes, begins or ends with '-',
// or holds anything but letters, digits, '-' and '_' after conversion. A single label is allowed.
Result<std::string> normalise_domain(std::string_view text);

// The same for a pattern of an MTA-STS policy, which may begin with "*." (RFC 8461, section 3.2).
Result<std::string> normalise_mx_pattern(std::string_view text);

// "example.org" of "a@example.org"; empty without an '@'. A view into `address`.
std::string_view domain_of_address(std::string_view address);

// Whether `domain` is `parent` or stands below it. Both normalised.
bool is_same_or_below(std::string_view domain, std::string_view parent);

}  // namespace rapporteur
