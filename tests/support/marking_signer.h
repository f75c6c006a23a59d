#pragma once
// A signer that writes a line instead of a signature.

#include <functional>
#include <set>
#include <string>

#include "dkim/signer.h"

namespace rapporteur::testing_support {

class MarkingSigner final : public Signer {
 public:
  std::set<std::string, std::less<>> domains = {"example.org"};
  std::function<void()> on_sign;  // called by sign(), if set

  bool has_keys(std::string_view domain) const override { return domains.contains(domain); }

  Result<std::string> sign(std::string_view domain, const Message&, Time date) const override {
    if (on_sign) on_sign();
    return "DKIM-Signature: d=" + std::string(domain) +
           "; t=" + std::to_string(date.time_since_epoch().count()) + "\r\n";
  }

  std::size_t signature_bytes(std::string_view domain) const override { return domain.size() + 64; }
};

}  // namespace rapporteur::testing_support
