#include "config/settings.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace rapporteur {

namespace {

std::size_t index_of(Setting setting) {
  return static_cast<std::size_t>(setting);
}

// From when on a variable has a value.
enum class Known { kAlways, kAtAssembly, kOfPart, kOfDelivery };

struct Offer {
  Variable variable;
  std::string_view name;
  expr::Type type;
  Known known;
};

constexpr std::array<Offer, kVariableCount> kOffers = {{
    {Variable::kRcptDomain, "rcpt_domain", expr::Type::kString, Known::kAlways},
    {Variable::kWindowStart, "window_start", expr::Type::kInteger, Known::kAtAssembly},
    {Variable::kWindowEnd, "window_end", expr::Type::kInteger, Known::kAtAssembly},
    {Variable::kFrequency, "frequency", expr::Type::kConstant, Known::kAtAssembly},
    {Variable::kSuccessfulSessions, "successful_sessions", expr::Type::kInteger,
     Known::kAtAssembly},
    {Variable::kFailedSessions, "failed_sessions", expr::Type::kInteger, Known::kAtAssembly},
    {Variable::kPolicyTypes, "policy_types", expr::Type::kArray, Known::kAtAssembly},
    {Variable::kResultTypes, "result_types", expr::Type::kArray, Known::kAtAssembly},
    {Variable::kRua, "rua", expr::Type::kArray, Known::kAtAssembly},
    {Variable::kSubmitter, "submitter", expr::Type::kString, Known::kOfPart},
    {Variable::kReportId, "report_id", expr::Type::kString, Known::kOfPart},
    {Variable::kPart, "part", expr::Type::kInteger, Known::kOfPart},
    {Variable::kParts, "parts", expr::Type::kInteger, Known::kOfPart},
    {Variable::kDeliveryId, "delivery_id", expr::Type::kString, Known::kOfDelivery},
}};

// Why the setting may not ask; empty: it may.
std::string_view why_not(Known known, Setting setting) {
  switch (known) {
    case Known::kAlways:
      return {};
    case Known::kAtAssembly:
      return setting == Setting::kSendFrequency ? "is known only when a report is assembled" : "";
    case Known::kOfPart:
      return setting == Setting::kSubject ? "" : "is known only in subject";
    case Known::kOfDelivery:
      return setting == Setting::kEnvelopeFrom ? "" : "is known only in envelopeFrom";
  }
  std::terminate();
}

bool calls_dns_query(const Rule* rule) {
  if (rule == nullptr) return false;
  const auto& block = rule->block;
  return block.otherwise.asks_dns() ||
         std::ranges::any_of(block.branches, [](const expr::IfBlock::Branch& branch) {
           return branch.condition.asks_dns() || branch.result.asks_dns();
         });
}

}  // namespace

std::string_view to_string(Setting setting) {
  switch (setting) {
    case Setting::kFromName:
      return "fromName";
    case Setting::kFromAddress:
      return "fromAddress";
    case Setting::kEnvelopeFrom:
      return "envelopeFrom";
    case Setting::kSubject:
      return "subject";
    case Setting::kOrgName:
      return "orgName";
    case Setting::kContactInfo:
      return "contactInfo";
    case Setting::kSendFrequency:
      return "sendFrequency";
    case Setting::kMaxReportSize:
      return "maxReportSize";
    case Setting::kDkimSignDomain:
      return "dkimSignDomain";
    case Setting::kSendWhen:
      return "sendWhen";
    case Setting::kReportTo:
      return "reportTo";
    case Setting::kOutboundReportSubmitter:
      return "outboundReportSubmitter";
  }
  std::terminate();
}

Kind kind_of(Setting setting) {
  switch (setting) {
    case Setting::kFromName:
    case Setting::kSubject:
    case Setting::kOrgName:
      return Kind::kText;
    case Setting::kFromAddress:
    case Setting::kEnvelopeFrom:
    case Setting::kContactInfo:
      return Kind::kAddress;
    case Setting::kDkimSignDomain:
    case Setting::kOutboundReportSubmitter:
      return Kind::kDomain;
    case Setting::kSendFrequency:
      return Kind::kFrequency;
    case Setting::kMaxReportSize:
      return Kind::kSize;
    case Setting::kSendWhen:
      return Kind::kTruth;
    case Setting::kReportTo:
      return Kind::kUris;
  }
  std::terminate();
}

expr::Schema schema_for(Setting setting, const std::map<std::string, std::string>& system,
                        std::shared_ptr<const expr::Lookups> lookups) {
  expr::Schema schema;
  schema.system = system;
  schema.lookups = std::move(lookups);
  schema.constants = {"hourly", "daily", "weekly", "never"};
  schema.synonyms = {{"disable", "never"}};
  for (const auto& offer : kOffers) {
    const auto reason = why_not(offer.known, setting);
    if (reason.empty()) {
      schema.variables.push_back(
          {std::string(offer.name), offer.type, static_cast<std::size_t>(offer.variable)});
    } else {
      schema.unavailable.emplace(offer.name, reason);
    }
  }
  if (setting == Setting::kSendFrequency) {
    schema.unavailable.emplace("dns_query",
                               "is not allowed in sendFrequency: sessions do not wait for the DNS");
  }
  return schema;
}

const expr::Value* Rule::settled_result(std::size_t branch) const {
  return branch < settled.size() && settled[branch] ? &*settled[branch] : nullptr;
}

const Rule* RuleSet::operator[](Setting setting) const {
  if (overrides_ != nullptr) {
    if (const auto& rule = (*overrides_)[index_of(setting)]) return rule.get();
  }
  return (*common_)[index_of(setting)].get();
}

RuleSet SettingTable::rules(std::string_view domain) const {
  if (const auto* exact = exact_.find(domain)) return {&exact->second, common_};
  const auto* suffix = longest_suffix(domain);
  return {suffix == nullptr ? nullptr : &suffix->second, common_};
}

const Rule* SettingTable::rule(Setting setting, std::string_view domain) const {
  return rules(domain)[setting];
}

auto SettingTable::longest_suffix(std::string_view domain) const -> const Rows::Map::value_type* {
  if (below_.all().empty()) return nullptr;
  for (auto dot = domain.find('.'); dot != domain.npos; dot = domain.find('.')) {
    domain.remove_prefix(dot + 1);
    if (const auto* found = below_.find(domain)) return found;
  }
  return nullptr;
}

auto SettingTable::Rows::find(std::string_view name) const -> const Map::value_type* {
  if (rows_.empty() || !marks_[TextHash{}(name) % kBits]) return nullptr;
  const auto found = rows_.find(name);
  return found == rows_.end() ? nullptr : &*found;
}

RuleRow& SettingTable::Rows::operator[](std::string_view name) {
  marks_.set(TextHash{}(name) % kBits);
  return rows_[std::string(name)];
}

const Rule* SettingTable::common(Setting setting) const {
  return common_[index_of(setting)].get();
}

const Rule* SettingTable::override_rule(Setting setting, std::string_view pattern) const {
  const bool suffix = pattern.starts_with("*.");
  const auto& rows = suffix ? below_ : exact_;
  const auto* row = rows.find(suffix ? pattern.substr(2) : pattern);
  return row == nullptr ? nullptr : row->second[index_of(setting)].get();
}

std::vector<std::string> SettingTable::patterns() const {
  std::vector<std::string> patterns;
  patterns.reserve(exact_.all().size() + below_.all().size());
  for (const auto& [domain, row] : exact_.all()) patterns.push_back(domain);
  std::ranges::sort(patterns);
  const auto exact = static_cast<std::ptrdiff_t>(patterns.size());
  for (const auto& [domain, row] : below_.all()) patterns.push_back("*." + domain);
  std::sort(patterns.begin() + exact, patterns.end());
  return patterns;
}

std::string SettingTable::pattern_for(std::string_view domain) const {
  if (exact_.find(domain) != nullptr) return std::string(domain);
  const auto* suffix = longest_suffix(domain);
  return suffix == nullptr ? std::string() : "*." + suffix->first;
}

void SettingTable::set(Setting setting, Rule rule) {
  put(common_, setting, std::move(rule));
}

void SettingTable::set(Setting setting, const std::string& pattern, Rule rule) {
  put(row(pattern), setting, std::move(rule));
}

void SettingTable::put(RuleRow& row, Setting setting, Rule&& rule) {
  rule.block.captures_read = expr::captures_read_by(rule.block);
  auto& place = row[index_of(setting)];
  if (calls_dns_query(place.get())) --asking_;
  place = std::make_shared<const Rule>(std::move(rule));
  if (calls_dns_query(place.get())) ++asking_;
}

void SettingTable::add_override(const std::string& pattern) {
  row(pattern);
}

RuleRow& SettingTable::row(std::string_view pattern) {
  return pattern.starts_with("*.") ? below_[pattern.substr(2)] : exact_[pattern];
}

}  // namespace rapporteur
