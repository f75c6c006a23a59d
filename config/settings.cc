#include "config/settings.h"

#include <exception>
#include <utility>

namespace rapporteur {

namespace {

std::size_t index_of(Setting setting) {
  return static_cast<std::size_t>(setting);
}

struct Variable {
  std::string_view name;
  expr::Type type;
};

// What is known as soon as a window is assembled.
constexpr std::array kAssembly = {
    Variable{"window_start", expr::Type::kInteger},
    Variable{"window_end", expr::Type::kInteger},
    Variable{"frequency", expr::Type::kConstant},
    Variable{"successful_sessions", expr::Type::kInteger},
    Variable{"failed_sessions", expr::Type::kInteger},
    Variable{"policy_types", expr::Type::kArray},
    Variable{"result_types", expr::Type::kArray},
    Variable{"rua", expr::Type::kArray},
};

// What is known of one part.
constexpr std::array kPart = {
    Variable{"submitter", expr::Type::kString},
    Variable{"report_id", expr::Type::kString},
    Variable{"part", expr::Type::kInteger},
    Variable{"parts", expr::Type::kInteger},
};

constexpr Variable kDelivery{"delivery_id", expr::Type::kString};

void offer(expr::Schema& schema, Variable variable, bool available, const std::string& reason) {
  if (available) {
    schema.variables.push_back({std::string(variable.name), variable.type});
  } else {
    schema.unavailable.emplace(variable.name, reason);
  }
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

expr::Schema schema_for(Setting setting, const std::map<std::string, std::string>& system) {
  expr::Schema schema;
  schema.system = system;
  schema.constants = {"hourly", "daily", "weekly", "never", "disable"};
  schema.variables.push_back({"rcpt_domain", expr::Type::kString});

  const bool at_intake = setting == Setting::kSendFrequency;
  for (const auto variable : kAssembly) {
    offer(schema, variable, !at_intake, "is known only when a report is assembled");
  }
  for (const auto variable : kPart) {
    offer(schema, variable, setting == Setting::kSubject, "is known only in subject");
  }
  offer(schema, kDelivery, setting == Setting::kEnvelopeFrom, "is known only in envelopeFrom");
  return schema;
}

const Rule* SettingTable::rule(Setting setting, std::string_view domain) const {
  const Row* row = nullptr;
  if (const auto exact = exact_.find(domain); exact != exact_.end()) {
    row = &exact->second;
  } else if (const auto suffix = longest_suffix(domain); suffix != below_.end()) {
    row = &suffix->second;
  }
  if (row != nullptr && (*row)[index_of(setting)]) return &*(*row)[index_of(setting)];
  return common(setting);
}

SettingTable::Rows::const_iterator SettingTable::longest_suffix(std::string_view domain) const {
  if (below_.empty()) return below_.end();
  for (auto dot = domain.find('.'); dot != domain.npos; dot = domain.find('.')) {
    domain.remove_prefix(dot + 1);
    if (const auto found = below_.find(domain); found != below_.end()) return found;
  }
  return below_.end();
}

const Rule* SettingTable::common(Setting setting) const {
  const auto& rule = common_[index_of(setting)];
  return rule ? &*rule : nullptr;
}

const Rule* SettingTable::override_rule(Setting setting, std::string_view pattern) const {
  const bool suffix = pattern.starts_with("*.");
  const auto& rows = suffix ? below_ : exact_;
  const auto row = rows.find(suffix ? pattern.substr(2) : pattern);
  if (row == rows.end() || !row->second[index_of(setting)]) return nullptr;
  return &*row->second[index_of(setting)];
}

std::vector<std::string> SettingTable::patterns() const {
  std::vector<std::string> patterns;
  patterns.reserve(exact_.size() + below_.size());
  for (const auto& [domain, row] : exact_) patterns.push_back(domain);
  for (const auto& [domain, row] : below_) patterns.push_back("*." + domain);
  return patterns;
}

std::string SettingTable::pattern_for(std::string_view domain) const {
  if (exact_.find(domain) != exact_.end()) return std::string(domain);
  const auto suffix = longest_suffix(domain);
  return suffix == below_.end() ? std::string() : "*." + suffix->first;
}

void SettingTable::set(Setting setting, Rule rule) {
  common_[index_of(setting)] = std::move(rule);
}

void SettingTable::set(Setting setting, const std::string& pattern, Rule rule) {
  row(pattern)[index_of(setting)] = std::move(rule);
}

void SettingTable::add_override(const std::string& pattern) {
  row(pattern);
}

SettingTable::Row& SettingTable::row(const std::string& pattern) {
  return pattern.starts_with("*.") ? below_[pattern.substr(2)] : exact_[pattern];
}

}  // namespace rapporteur
