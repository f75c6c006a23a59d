#include "config/stalwart_signer.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/domain.h"
#include "base/text.h"
#include "config/schema.h"

namespace rapporteur::stalwart {

namespace {

// Stands for [system] domain while ids are computed: no signature has it in its id.
constexpr std::string_view kDomain = "domain.invalid";
constexpr std::array<std::string_view, 2> kAlgorithms = {"rsa-", "ed25519-"};

// The ids, if they are known beforehand.
std::vector<std::string> ids_of(std::string_view expression) {
  const auto schema = schema_for(Setting::kDkimSignDomain, {{"domain", std::string(kDomain)},
                                                            {"hostname", "hostname.invalid"}});
  const auto compiled = expr::compile(expression, schema);
  const auto* value = compiled.program ? compiled.program->constant() : nullptr;
  if (value == nullptr) return {};
  if (const auto* text = std::get_if<std::string>(value)) return {*text};
  std::vector<std::string> ids;
  if (const auto* array = std::get_if<expr::Array>(value)) {
    for (const auto& item : *array) {
      const auto* text = std::get_if<std::string>(&item);
      if (text == nullptr) return {};
      ids.push_back(*text);
    }
  }
  return ids;
}

// "example.org" of "rsa-example.org", as Stalwart's own assistant names signatures; else empty.
std::string domain_in_id(std::string_view id) {
  for (const auto algorithm : kAlgorithms) {
    if (!id.starts_with(algorithm)) continue;
    const auto domain = normalise_domain(id.substr(algorithm.size()));
    if (domain && domain->find('.') != domain->npos) return *domain;
  }
  return {};
}

std::string signature_text(const Item& root, const std::string& id, std::string_view key) {
  const auto item = at_path(root, "signature." + id + "." + std::string(key));
  return item && item->kind == Item::Kind::kText ? item->text : std::string();
}

}  // namespace

bool is_unsigned(const Block& block) {
  if (!block.branches.empty()) return false;
  const auto text = trim(block.otherwise);
  constexpr std::array<std::string_view, 5> kNone = {"false", "0", "", "''", "[]"};
  return std::ranges::find(kNone, text) != kNone.end();
}

Signer signer_of(const Block& block, const Item& root) {
  constexpr std::string_view kProblem =
      "it names DKIM signatures; write the domain whose [[dkim]] keys sign";
  Signer signer;
  const auto ids = block.branches.empty() ? ids_of(block.otherwise) : std::vector<std::string>();
  std::set<std::string> domains;
  bool guessed = false;
  for (const auto& id : ids) {
    const auto written = normalise_domain(signature_text(root, id, "domain"));
    const auto selector = signature_text(root, id, "selector");
    auto domain = written ? *written : domain_in_id(id);
    guessed |= !written && domain != kDomain;
    if (written) {
      signer.keys.push_back("[[dkim]] with domain = " + toml_string(domain) +
                            (selector.empty() ? "" : ", selector = " + toml_string(selector)));
    }
    domains.insert(std::move(domain));
  }
  if (domains.size() != 1 || domains.begin()->empty()) {
    signer.problem = kProblem;
    return signer;
  }
  const auto& domain = *domains.begin();
  signer.is_default = domain == kDomain;
  signer.expression = signer.is_default ? "system('domain')" : "'" + domain + "'";
  if (guessed) signer.remark = "the domain is taken from the names of the signatures";
  return signer;
}

}  // namespace rapporteur::stalwart
