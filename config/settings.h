#pragma once
// The settings of [report] and [report.tls]: expressions, evaluated for each recipient domain, with
// overrides per domain. What they mean is in docs/configuration.md, their language in
// docs/expressions.md.

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "expr/expression.h"

namespace rapporteur {

enum class Setting {
  kFromName,
  kFromAddress,
  kEnvelopeFrom,
  kSubject,
  kOrgName,
  kContactInfo,
  kSendFrequency,
  kMaxReportSize,
  kDkimSignDomain,
  kSendWhen,
  kReportTo,
  kOutboundReportSubmitter,
};
inline constexpr std::size_t kSettingCount = 12;
inline constexpr std::array<Setting, kSettingCount> kSettings = {
    Setting::kFromName,      Setting::kFromAddress,   Setting::kEnvelopeFrom,
    Setting::kSubject,       Setting::kOrgName,       Setting::kContactInfo,
    Setting::kSendFrequency, Setting::kMaxReportSize, Setting::kDkimSignDomain,
    Setting::kSendWhen,      Setting::kReportTo,      Setting::kOutboundReportSubmitter};

std::string_view to_string(Setting setting);  // "fromName", as in the file

// What the result of a setting must be.
enum class Kind { kText, kAddress, kDomain, kFrequency, kSize, kTruth, kUris };
Kind kind_of(Setting setting);

// The names that the setting's expressions may mention. `system` gives system('domain') and
// system('hostname').
expr::Schema schema_for(Setting setting, const std::map<std::string, std::string>& system);

// Checks a value against what the setting must be, and brings it into its one form: an address or
// domain with A-labels, a frequency as Constant, a size as integer, a truth value as 1 or 0, URIs
// as an array of strings. Fails with one sentence such as "yields 'nobody', which is no mail
// address".
struct Conformed {
  std::optional<expr::Value> value;
  std::string problem;  // empty if there is a value
};
Conformed conform(Setting setting, const expr::Value& value);

struct Location {
  std::string file;  // empty: built in
  int line = 0;
  int column = 0;  // in characters, from 1
};

// One value of one setting, as it was written in one place.
struct Rule {
  expr::IfBlock block;
  std::string origin;              // "default", "report.tls", "report.tls.domain.\"*.example.org\""
  Location where;                  // of the value
  std::vector<Location> branches;  // of each branch's `if`
  Location otherwise;              // of `else`; of the value itself without an if-block
};

// All rules. Immutable after loading; read from any thread.
class SettingTable {
 public:
  // The rule that holds for the domain: the override of this exact name, else the one of the
  // longest suffix, else [report.tls], else the built-in default. Null where the default is another
  // setting's value (contactInfo and envelopeFrom: fromAddress; outboundReportSubmitter: the domain
  // of contactInfo). `domain` is normalised.
  const Rule* rule(Setting setting, std::string_view domain) const;

  // The rule of [report.tls], else the built-in default, else null.
  const Rule* common(Setting setting) const;
  // What the override itself says; null if it says nothing. `pattern` as patterns() gives it.
  const Rule* override_rule(Setting setting, std::string_view pattern) const;
  // The overrides in alphabetical order, exact names first: "example.org", "*.example.org".
  std::vector<std::string> patterns() const;
  // The override that holds for the domain; empty if none does.
  std::string pattern_for(std::string_view domain) const;

  void set(Setting setting, Rule rule);
  // `pattern` is a normalised domain, or "*." and one.
  void set(Setting setting, const std::string& pattern, Rule rule);
  // An override that says nothing so far. It holds for its domains all the same.
  void add_override(const std::string& pattern);

 private:
  using Row = std::array<std::optional<Rule>, kSettingCount>;
  using Rows = std::map<std::string, Row, std::less<>>;
  Row& row(const std::string& pattern);
  Rows::const_iterator longest_suffix(std::string_view domain) const;
  Row common_;
  Rows exact_;
  Rows below_;  // "example.org" for "*.example.org"
};

}  // namespace rapporteur
