#include "dkim/key_record.h"

#include <algorithm>
#include <utility>

#include "base/domain.h"
#include "base/text.h"
#include "dkim/tag_list.h"

namespace rapporteur {

namespace {

std::string_view type_name(PrivateKey::Type type) {
  return type == PrivateKey::Type::kRsa ? "rsa" : "ed25519";
}

// Whether a list such as "sha1:sha256" holds the word.
bool lists(std::string_view list, std::string_view word) {
  return std::ranges::any_of(split(list, ':'),
                             [&](std::string_view item) { return trim(item) == word; });
}

// White space within base64 does not count.
std::string without_blanks(std::string_view text) {
  std::string out;
  std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return c != ' ' && c != '\t'; });
  return out;
}

// Every string of the record in quotes, `before` before each (RFC 1035, section 5.1).
std::string quoted_strings(std::string_view text, std::string_view before) {
  std::string quoted;
  for (const auto& piece : character_strings(text)) {
    quoted.append(before) += '"';
    for (const char c : piece) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    quoted += '"';
  }
  return quoted;
}

KeyVerdict verdict(KeyVerdict::State state, std::string why = {}) {
  KeyVerdict verdict;
  verdict.state = state;
  verdict.why = std::move(why);
  return verdict;
}

}  // namespace

Result<std::string> key_record_name(std::string_view selector, std::string_view domain) {
  std::string name(selector);
  name.append("._domainkey.").append(domain);
  auto normal = normalise_domain(name);
  if (!normal) return Error{Fault::kInput, normal.error().text};
  return normal;
}

std::string key_record(const PrivateKey& key, std::string_view service) {
  std::string text = "v=DKIM1; k=";
  text.append(type_name(key.type()));
  if (!service.empty()) text.append("; s=").append(service);
  return text.append("; p=").append(key.dns_public_key());
}

std::vector<std::string> character_strings(std::string_view text) {
  std::vector<std::string> strings;
  do {
    strings.emplace_back(text.substr(0, kMostStringBytes));
    text.remove_prefix(strings.back().size());
  } while (!text.empty());
  return strings;
}

std::string zone_entry(std::string_view name, std::string_view text) {
  return std::string(name) + ". IN TXT (" + quoted_strings(text, "\n  ") + " )\n";
}

std::string zone_line(std::string_view name, std::string_view text) {
  return std::string(name) + ". IN TXT" + quoted_strings(text, " ");
}

KeyVerdict judge_key_records(std::span<const std::string> records, const PrivateKey& key) {
  using State = KeyVerdict::State;
  if (records.empty()) return verdict(State::kNone);
  if (records.size() > 1) return verdict(State::kSeveral);
  const auto& record = records.front();
  const TagList tags(record);
  if (tags.has("v") && tags.value("v") != "DKIM1") {
    return verdict(State::kUnusable, "its version is not DKIM1");
  }
  if (!tags.has("p")) return verdict(State::kUnusable, "it has no p= tag");
  if (tags.has("h") && !lists(tags.value("h"), "sha256")) {
    return verdict(State::kUnusable, "its h= tag does not allow sha256");
  }
  const auto published = without_blanks(tags.value("p"));
  if (published.empty()) return verdict(State::kRevoked);
  const auto type = tags.has("k") ? tags.value("k") : std::string("rsa");
  if (type != type_name(key.type())) {
    return verdict(State::kOther, "it holds a key of type " + type +
                                      ", the private key is of type " +
                                      std::string(type_name(key.type())));
  }
  if (published != key.dns_public_key()) {
    return verdict(State::kOther, "it holds the public half of another key");
  }
  auto fits = verdict(State::kMatches);
  fits.service = service_of(record);
  const auto services = tags.has("s") ? tags.value("s") : std::string("*");
  fits.for_email = lists(services, "*") || lists(services, "email");
  fits.under_test = tags.has("t") && lists(tags.value("t"), "y");
  return fits;
}

}  // namespace rapporteur
