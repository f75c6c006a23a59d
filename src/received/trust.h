#pragma once
// How far the sender of a mailed report is known: our own look at its DKIM signatures, and what an
// MTA that we believe says of them. RFC 8460, section 3; docs/received.md, "Whom to believe".

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "dkim/verifier.h"
#include "dns/resolver.h"
#include "model/received.h"
#include "received/mail.h"

namespace rapporteur {

struct TrustVerdict {
  Trust trust = Trust::kUnverified;  // kDkim, kMta or kUnverified
  std::string signer;                // the domain whose signature was verified
  std::string voucher;               // kMta: the authserv-id that says so
  std::string why;                   // kUnverified: one line
  bool undecided = false;            // a key could not be looked up: another try may come to more
  bool for_email_only = false;
};

// Asks the resolver for keys, and waits for its answers. `mail` is what was read of `message`.
TrustVerdict judge_mail(std::string_view message, const MailedReport& mail,
                        std::span<const std::string> trusted_authserv_ids,
                        const DkimVerifier& verifier, Resolver& resolver, Time now);

}  // namespace rapporteur
