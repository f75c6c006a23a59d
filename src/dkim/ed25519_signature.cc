#include "dkim/ed25519_signature.h"

#include <vector>

#include "base/hash.h"
#include "base/text.h"
#include "dkim/canonical.h"

namespace rapporteur {

namespace {

constexpr std::string_view kFold = "\r\n\t";

// White space within base64 does not count (RFC 6376, section 3.5).
std::string folded_base64(std::string_view text) {
  constexpr std::size_t kWidth = 66;
  std::string out;
  for (; text.size() > kWidth; text.remove_prefix(kWidth)) {
    out.append(text.substr(0, kWidth)).append(kFold);
  }
  return out.append(text);
}

// "From:To:…", folded behind colons.
std::string folded_names(const std::vector<std::string>& names) {
  constexpr std::size_t kWidth = 72;
  std::string out;
  std::size_t column = 2;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) {
      out += ':';
      ++column;
      if (column + names[i].size() > kWidth) {
        out += kFold;
        column = 1;
      }
    }
    out += names[i];
    column += names[i].size();
  }
  return out;
}

}  // namespace

std::string ed25519_signature(const SigningKey& key, const Message& message, Time date) {
  const auto fields = header_fields(message.header);
  std::vector<std::string> names;
  std::string signed_text;
  for (const auto* name : kSignedFields) {
    // From the last one upwards, as a verifier looks them up (RFC 6376, section 5.4.2).
    for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
      const auto canonical = relaxed_field(*field);
      if (!canonical.starts_with(to_lower(name) + ":")) continue;
      names.emplace_back(name);
      signed_text += canonical + "\r\n";
    }
  }
  names.insert(names.end(), kOversignedFields.begin(), kOversignedFields.end());

  std::string field = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;";
  field.append(kFold).append("d=").append(key.domain).append(";");
  field.append(kFold).append("s=").append(key.selector).append("; t=");
  field.append(std::to_string(date.time_since_epoch().count())).append(";");
  field.append(kFold).append("h=").append(folded_names(names)).append(";");
  field.append(kFold).append("bh=").append(base64(sha256(relaxed_body(message.body)))).append(";");
  field.append(kFold).append("b=");

  // What is signed is the hash (RFC 8463, section 3).
  const auto signature = key.key.sign_ed25519(sha256(signed_text + relaxed_field(field)));
  return field + folded_base64(base64(signature)) + "\r\n";
}

}  // namespace rapporteur
