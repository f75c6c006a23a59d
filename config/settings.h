#pragma once
// The settings of [report] and [report.tls]: expressions, evaluated for each recipient domain, with
// overrides per domain. What they mean is in docs/configuration.md, their language in
// docs/expressions.md.

#include <array>
#include <bitset>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.h"
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

// What expressions may ask, in the order of the table in docs/configuration.md. The number is the
// slot in every schema, whatever the setting.
enum class Variable : std::size_t {
  kRcptDomain,
  kWindowStart,
  kWindowEnd,
  kFrequency,
  kSuccessfulSessions,
  kFailedSessions,
  kPolicyTypes,
  kResultTypes,
  kRua,
  kSubmitter,
  kReportId,
  kPart,
  kParts,
  kDeliveryId,
};
inline constexpr std::size_t kVariableCount = 14;

// The names that the setting's expressions may mention. `system` gives system('domain') and
// system('hostname'), `lookups` the lists of [lookup.NAME].
expr::Schema schema_for(Setting setting, const std::map<std::string, std::string>& system,
                        std::shared_ptr<const expr::Lookups> lookups = nullptr);

// Checks a value against what the setting must be, and brings it into its one form: an address or
// domain with A-labels, a frequency as Constant, a size as integer, a truth value as 1 or 0, URIs
// as an array of strings. Fails with one sentence such as "yields 'nobody', which is no mail
// address". A value that is moved in and has its one form already comes back without a copy.
struct Conformed {
  std::optional<expr::Value> value;
  std::string problem;  // empty if there is a value
};
Conformed conform(Setting setting, expr::Value value);

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
  // The results that depend on nothing, as conform() gives them: of each branch, then `otherwise`.
  // May be shorter.
  std::vector<std::optional<expr::Value>> settled = {};

  // The result of the branch, if it is known without evaluating; else null. The number of the
  // branches stands for `otherwise`.
  const expr::Value* settled_result(std::size_t branch) const;
};

// What one place says of each setting; null: nothing.
using RuleRow = std::array<std::shared_ptr<const Rule>, kSettingCount>;

// The rules that hold for one domain. Valid as long as the table that gave it is not changed.
class RuleSet {
 public:
  // The rows outlive this object. `overrides` may be null.
  RuleSet(const RuleRow* overrides, const RuleRow& common)
      : overrides_(overrides), common_(&common) {}

  // As SettingTable::rule().
  const Rule* operator[](Setting setting) const;

 private:
  const RuleRow* overrides_;
  const RuleRow* common_;
};

// All rules. Immutable after loading; read from any thread. Copies share the rules.
class SettingTable {
 public:
  // Finds the override that holds for the domain: the one of this exact name, else the one of the
  // longest suffix. `domain` is normalised. What it costs does not depend on the number of
  // overrides.
  RuleSet rules(std::string_view domain) const;

  // The rule that holds for the domain: what its override says, else [report.tls], else the
  // built-in default. Null where the default is another setting's value (contactInfo and
  // envelopeFrom: fromAddress; outboundReportSubmitter: the domain of contactInfo).
  const Rule* rule(Setting setting, std::string_view domain) const;

  // The rule of [report.tls], else the built-in default, else null.
  const Rule* common(Setting setting) const;
  // What the override itself says; null if it says nothing. `pattern` as patterns() gives it.
  const Rule* override_rule(Setting setting, std::string_view pattern) const;
  // The overrides in alphabetical order, exact names first: "example.org", "*.example.org".
  std::vector<std::string> patterns() const;
  // The override that holds for the domain; empty if none does.
  std::string pattern_for(std::string_view domain) const;
  // Whether any rule calls dns_query().
  bool asks_dns() const { return asking_ > 0; }

  void set(Setting setting, Rule rule);
  // `pattern` is a normalised domain, or "*." and one.
  void set(Setting setting, const std::string& pattern, Rule rule);
  // An override that says nothing so far. It holds for its domains all the same.
  void add_override(const std::string& pattern);

 private:
  // Most domains have no override. The bits of those that have one fit into the processor's nearest
  // cache, where a table of some thousand rows does not.
  class Rows {
   public:
    using Map = std::unordered_map<std::string, RuleRow, TextHash, std::equal_to<>>;

    // Null if there is none.
    const Map::value_type* find(std::string_view name) const;
    RuleRow& operator[](std::string_view name);
    const Map& all() const { return rows_; }

   private:
    static constexpr std::size_t kBits = std::size_t{1} << 16;
    Map rows_;
    std::bitset<kBits> marks_;
  };

  void put(RuleRow& row, Setting setting, Rule&& rule);
  RuleRow& row(std::string_view pattern);
  const Rows::Map::value_type* longest_suffix(std::string_view domain) const;

  RuleRow common_;
  Rows exact_;
  Rows below_;              // "example.org" for "*.example.org"
  std::size_t asking_ = 0;  // how many rules call dns_query()
};

}  // namespace rapporteur
