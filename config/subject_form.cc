#include "config/subject_form.h"

#include <cstdint>
#include <utility>

#include "base/text.h"
#include "config/address.h"
#include "config/one_form.h"
#include "config/settings.h"

namespace rapporteur {

namespace {

// Takes the text apart from its front. Each function leaves it alone if it returns false.
class SubjectParser {
 public:
  explicit SubjectParser(std::string_view rest) : rest_(rest) {}

  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  // FWS of a line that is not folded yet.
  bool take_spaces() {
    const auto end = std::min(rest_.find_first_not_of(' '), rest_.size());
    rest_.remove_prefix(end);
    return end > 0;
  }

  bool take_domain() {
    const auto end = std::min(rest_.find(' '), rest_.size());
    const auto domain = rest_.substr(0, end);
    if (domain.find('.') == domain.npos || !is_normal_domain(to_lower(domain))) return false;
    rest_.remove_prefix(end);
    return true;
  }

  // msg-id (RFC 5322, section 3.6.4).
  bool take_id() {
    const auto end = rest_.find('>');
    if (!rest_.starts_with('<') || end == rest_.npos) return false;
    const auto id = rest_.substr(1, end - 1);
    const auto at = id.find('@');
    if (at == id.npos || !is_dot_atom(id.substr(0, at))) return false;
    const auto right = id.substr(at + 1);
    if (!is_dot_atom(right) && !is_literal(right)) return false;
    rest_.remove_prefix(end + 1);
    return true;
  }

  // White space and comments (RFC 5322, section 3.2.2) up to the end.
  bool ends() const {
    std::size_t depth = 0;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '(') {
        ++depth;
      } else if (c == ')' && depth > 0) {
        --depth;
      } else if (c == '\\' && depth > 0) {
        ++i;
      } else if (depth == 0 && c != ' ') {
        return false;
      }
    }
    return depth == 0;
  }

 private:
  // no-fold-literal
  static bool is_literal(std::string_view text) {
    return text.size() >= 2 && text.front() == '[' && text.back() == ']' &&
           text.substr(1, text.size() - 2).find_first_of("[]\\ ") == text.npos;
  }

  std::string_view rest_;
};

expr::Array texts(std::initializer_list<const char*> items) {
  expr::Array array;
  for (const auto* item : items) array.emplace_back(std::string(item));
  return array;
}

expr::MapEnvironment sample(const std::string& domain, std::int64_t part, std::int64_t parts) {
  constexpr std::int64_t kStart = 1'767'225'600;  // 2026-01-01
  expr::MapEnvironment environment;
  environment.set("rcpt_domain", domain);
  environment.set("window_start", kStart);
  environment.set("window_end", kStart + 86'400);
  environment.set("frequency", expr::Constant{"daily"});
  environment.set("successful_sessions", std::int64_t{100});
  environment.set("failed_sessions", std::int64_t{1});
  environment.set("policy_types", texts({"sts"}));
  environment.set("result_types", texts({"certificate-expired"}));
  environment.set("rua", texts({"mailto:tlsrpt@example.com"}));
  environment.set("submitter", std::string("example.org"));
  environment.set("report_id", std::string("20260101." + std::to_string(part) + "@example.org"));
  environment.set("part", part);
  environment.set("parts", parts);
  return environment;
}

}  // namespace

bool is_report_subject(std::string_view text) {
  SubjectParser parser(text);
  return parser.take("Report") && parser.take_spaces() && parser.take("Domain:") &&
         parser.take_spaces() && parser.take_domain() && parser.take_spaces() &&
         parser.take("Submitter:") && parser.take_spaces() && parser.take_domain() &&
         parser.take_spaces() && parser.take("Report-ID:") && parser.take_spaces() &&
         parser.take_id() && parser.ends();
}

std::optional<std::string> stray_subject(const expr::Program& result, const std::string& domain) {
  if (result.reads_captures() || result.asks_lookups()) {
    return std::nullopt;
  }
  for (const auto& [part, parts] : {std::pair{1, 1}, {2, 3}}) {
    const auto environment = sample(domain, part, parts);
    auto outcome = expr::evaluate(result, environment);
    auto* value = std::get_if<expr::Value>(&outcome);
    if (value == nullptr) return std::nullopt;
    auto conformed = conform(Setting::kSubject, std::move(*value)).value;
    if (!conformed) return std::nullopt;
    auto& text = std::get<std::string>(*conformed);
    if (!is_report_subject(text)) return std::move(text);
  }
  return std::nullopt;
}

}  // namespace rapporteur
