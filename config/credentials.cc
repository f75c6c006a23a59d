#include "config/credentials.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "config/reporter.h"

namespace rapporteur {

namespace {

constexpr std::size_t kLongestName = 200;
constexpr std::string_view kBearer = "{bearer}";
constexpr std::string_view kPasswordHint = "make the hash with: mkpasswd -m yescrypt";
constexpr std::string_view kTokenHint = "make the digest with: printf %s \"$TOKEN\" | sha256sum";

bool all_of_alphabet(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '/';
  });
}

// Whether it is a whole hash of crypt(5) by one of the methods that are taken.
bool is_password_hash(std::string_view hash) {
  const auto parts = split(hash, '$');  // the first is empty
  if (parts.size() < 4 || !parts[0].empty()) return false;
  const auto method = parts[1];
  const auto last = parts.back();
  if (!all_of_alphabet(last)) return false;
  if (method == "y") return parts.size() == 5 && last.size() == 43;
  if (method == "2a" || method == "2b" || method == "2y") {
    return parts.size() == 4 && parts[2].size() == 2 && last.size() == 53;
  }
  const bool with_rounds = parts.size() == 5 && parts[2].starts_with("rounds=");
  if (parts.size() != 4 && !with_rounds) return false;
  return (method == "6" && last.size() == 86) || (method == "5" && last.size() == 43);
}

bool is_digest(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return text.size() == 64 && text.find_first_not_of(kDigits) == text.npos;
}

}  // namespace

ParsedCredentials parse_credentials(std::string_view text) {
  ParsedCredentials parsed;
  std::set<std::string, std::less<>> names;
  std::size_t number = 0;
  for (const auto raw : split(text, '\n')) {
    ++number;
    const auto line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    const auto wrong = [&](std::string what, std::string_view hint = {}) {
      parsed.problems.push_back({number, std::move(what), std::string(hint)});
    };
    const auto colon = line.find(':');
    if (colon == line.npos || colon == 0) {
      wrong("the line is not of the form user:hash");
      continue;
    }
    const std::string name(line.substr(0, colon));
    auto hash = line.substr(colon + 1);
    const bool bearer = hash.starts_with(kBearer);
    if (bearer) hash.remove_prefix(kBearer.size());
    if (name.size() > kLongestName || !is_valid_utf8(name) ||
        without_controls(name).size() != name.size()) {
      wrong("the name is longer than 200 bytes, or no text");
    } else if (bearer && !is_digest(hash)) {
      wrong("what follows {bearer} for " + quoted(name) + " is no SHA-256 in hexadecimal digits",
            kTokenHint);
    } else if (!bearer && !is_password_hash(hash)) {
      wrong("what follows " + quoted(name) +
                " is no hash by yescrypt, bcrypt, SHA-512 or SHA-256 of crypt(5)",
            kPasswordHint);
    } else if (!names.insert(name).second) {
      wrong("the name " + quoted(name) + " stands here twice");
    } else {
      parsed.entries.push_back({name, bearer, std::string(hash)});
    }
  }
  return parsed;
}

}  // namespace rapporteur
