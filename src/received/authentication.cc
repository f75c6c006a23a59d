#include "received/authentication.h"

#include <algorithm>

#include "base/domain.h"
#include "base/text.h"
#include "mime/entity.h"

namespace rapporteur {

namespace {

// The field's results: each method with its properties, without comments.
std::vector<std::string> results_of(const std::string& field) {
  std::vector<std::string> results(1);
  bool quoted = false;
  bool escaped = false;
  for (const char c : without_comments(field)) {
    if (escaped) {
      escaped = false;
      results.back() += '_';
    } else if (c == '\\') {
      escaped = true;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ';' && !quoted) {
      results.emplace_back();
    } else {
      // A blank in a quoted string must not end its word.
      results.back() += quoted && (c == ' ' || c == '=') ? '_' : c;
    }
  }
  return results;
}

std::vector<std::string> words_of(std::string_view result) {
  std::string spaced;
  for (const char c : result) spaced += c == '\t' ? ' ' : c;
  std::vector<std::string> words;
  for (const auto word : split(spaced, ' ')) {
    if (word.empty()) continue;
    // "dkim = pass" is one word, too.
    const bool joins = !words.empty() && (word.starts_with('=') || words.back().ends_with('='));
    if (joins) {
      words.back() += word;
    } else {
      words.emplace_back(word);
    }
  }
  return words;
}

bool is_dkim_pass(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == word.npos) return false;
  const auto method = word.substr(0, equals);
  return equals_ignoring_case(method.substr(0, method.find('/')), "dkim") &&
         equals_ignoring_case(word.substr(equals + 1), "pass");
}

// The domain that a result is about: header.d, else what follows the '@' of header.i.
std::string signer_of(const std::vector<std::string>& words) {
  std::string identity;
  for (const auto& word : words) {
    if (starts_with_ignoring_case(word, "header.d=")) {
      const auto domain = normalise_domain(word.substr(9));
      return domain ? *domain : std::string();
    }
    if (starts_with_ignoring_case(word, "header.i=")) identity = word.substr(9);
  }
  const auto domain = normalise_domain(identity.substr(identity.rfind('@') + 1));
  return domain ? *domain : std::string();
}

}  // namespace

bool speaks_for(std::string_view signer, std::string_view from_domain) {
  return !from_domain.empty() && signer.find('.') != signer.npos &&
         is_same_or_below(from_domain, signer);
}

AuthenticationResult read_authentication_results(std::span<const std::string> fields,
                                                 std::span<const std::string> trusted,
                                                 std::string_view from_domain) {
  for (const auto& field : fields) {
    const auto results = results_of(field);
    const auto head = words_of(results.front());
    if (head.empty()) continue;
    const bool believed = std::ranges::any_of(
        trusted, [&](const std::string& name) { return equals_ignoring_case(name, head.front()); });
    if (!believed) continue;
    AuthenticationResult verdict{.passed = false, .authserv_id = head.front(), .domain = {}};
    for (const auto& result : std::span(results).subspan(1)) {
      const auto words = words_of(result);
      if (words.empty() || !is_dkim_pass(words.front())) continue;
      auto signer = signer_of(words);
      if (!speaks_for(signer, from_domain)) continue;
      verdict.passed = true;
      verdict.domain = std::move(signer);
      return verdict;
    }
    return verdict;
  }
  return {};
}

}  // namespace rapporteur
