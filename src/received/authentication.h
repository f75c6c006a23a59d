#pragma once
// What an MTA that we believe says about a mail's DKIM signatures (RFC 8601).

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

struct AuthenticationResult {
  bool passed = false;
  std::string authserv_id;  // of the field that decided; empty: there was none
  std::string domain;       // that signed, if passed
};

// Of the fields "Authentication-Results", topmost first as one line each, the first that an
// authserv-id of `trusted` wrote decides: it must say dkim=pass for `from_domain` or a parent of
// it. What stands below may be the sender's own words. Names are compared without regard to case.
AuthenticationResult read_authentication_results(std::span<const std::string> fields,
                                                 std::span<const std::string> trusted,
                                                 std::string_view from_domain);

// Whether a signature by `signer` speaks for mail from `from_domain`: it is the same domain or a
// parent of it, of at least two labels. Both normalised.
bool speaks_for(std::string_view signer, std::string_view from_domain);

}  // namespace rapporteur
