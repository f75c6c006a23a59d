#include "dkim/signer.h"

#include <algorithm>
#include <utility>

#include "dkim/canonical.h"
#include "dkim/ed25519_signature.h"
#include "dkim/opendkim_signer.h"

namespace rapporteur {

namespace {

class KeyringSigner final : public Signer {
 public:
  explicit KeyringSigner(std::vector<SigningKey> keys) : keys_(std::move(keys)) {}

  bool has_keys(std::string_view domain) const override {
    return std::ranges::any_of(keys_, [&](const auto& key) { return key.domain == domain; });
  }

  Result<std::string> sign(std::string_view domain, const Message& message,
                           Time date) const override;
  std::size_t signature_bytes(std::string_view domain) const override;

 private:
  const std::vector<SigningKey> keys_;
  const OpendkimSigner rsa_;
};

Result<std::string> KeyringSigner::sign(std::string_view domain, const Message& message,
                                        Time date) const {
  std::string fields;
  for (const auto& key : keys_) {
    if (key.domain != domain) continue;
    if (key.key.type() == PrivateKey::Type::kEd25519) {
      fields += ed25519_signature(key, message, date);
      continue;
    }
    const auto field = rsa_.sign(key, message, date);
    if (!field) return field.error();
    fields += *field;
  }
  if (fields.empty()) {
    return Error{Fault::kConfig, "no DKIM key for " + std::string(domain)};
  }
  return fields;
}

std::size_t KeyringSigner::signature_bytes(std::string_view domain) const {
  constexpr std::size_t kTagsAndHash = 160;
  std::size_t names = 0;
  for (const std::string_view name : kSignedFields) names += name.size() + 1;
  for (const std::string_view name : kOversignedFields) names += name.size() + 1;
  std::size_t bytes = 0;
  for (const auto& key : keys_) {
    if (key.domain != domain) continue;
    const auto signature = key.key.type() == PrivateKey::Type::kRsa
                               ? (static_cast<std::size_t>(key.key.bits()) + 7) / 8
                               : std::size_t{64};
    const auto unfolded =
        kTagsAndHash + names + key.domain.size() + key.selector.size() + (signature + 2) / 3 * 4;
    bytes += unfolded + unfolded / 8;  // CRLF, tab and space at most every 32 bytes
  }
  return bytes;
}

}  // namespace

std::unique_ptr<Signer> make_signer(std::vector<SigningKey> keys) {
  return std::make_unique<KeyringSigner>(std::move(keys));
}

}  // namespace rapporteur
