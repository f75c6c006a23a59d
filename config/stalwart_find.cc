#include "config/stalwart_find.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

#include "base/domain.h"
#include "base/text.h"

namespace rapporteur::stalwart {

namespace {

constexpr std::string_view kTable = "report.tls.aggregate";

struct Name {
  Setting setting;
  std::string_view key;  // of 0.15
};

constexpr std::array kNames = {
    Name{Setting::kOutboundReportSubmitter, "report.submitter"},
    Name{Setting::kFromName, "from-name"},
    Name{Setting::kFromAddress, "from-address"},
    Name{Setting::kSubject, "subject"},
    Name{Setting::kOrgName, "org-name"},
    Name{Setting::kContactInfo, "contact-info"},
    Name{Setting::kSendFrequency, "send"},
    Name{Setting::kMaxReportSize, "max-size"},
    Name{Setting::kDkimSignDomain, "sign"},
};

// Fields of ReportSettings that say nothing about TLS reports.
constexpr std::array<std::string_view, 4> kOtherReportFields = {
    "inboundReportAddresses", "inboundReportForwarding", "inboundReportMaxSize",
    "outboundReportDomain"};

std::optional<Setting> setting_of(std::string_view field) {
  for (const auto& name : kNames) {
    if (to_string(name.setting) == field) return name.setting;
  }
  return std::nullopt;
}

bool is_submitter(const std::optional<Setting>& setting) {
  return setting == Setting::kOutboundReportSubmitter;
}

// Fields that every object may have.
bool is_of_any_object(std::string_view field) {
  return field.starts_with('@') || field == "id";
}

enum class Type { kUnknown, kTls, kReport, kOther };

// The type that a name such as "x:TlsReportSettings/get" stands for.
Type type_of(std::string_view name) {
  if (starts_with_ignoring_case(name, "x:")) name.remove_prefix(2);
  name = name.substr(0, name.find('/'));
  if (equals_ignoring_case(name, "TlsReportSettings")) return Type::kTls;
  if (equals_ignoring_case(name, "ReportSettings")) return Type::kReport;
  return Type::kOther;
}

// The objects that may be meant, in the order of the file.
struct Objects {
  std::vector<const Item*> tls;
  std::vector<const Item*> report;
  std::vector<const Item*> unnamed;
};

bool has_tls_field(const Item& item) {
  return std::ranges::any_of(item.fields, [](const Field& field) {
    const auto setting = setting_of(field.key);
    return setting && !is_submitter(setting);
  });
}

bool has_report_field(const Item& item) {
  return std::ranges::any_of(item.fields, [](const Field& field) {
    return is_submitter(setting_of(field.key)) ||
           std::ranges::find(kOtherReportFields, field.key) != kOtherReportFields.end();
  });
}

// Too many objects have a subject.
bool may_be_tls(const Item& item) {
  return std::ranges::any_of(item.fields, [](const Field& field) {
    const auto setting = setting_of(field.key);
    return setting && !is_submitter(setting) && *setting != Setting::kSubject;
  });
}

// Other objects have names, addresses, subjects and frequencies, too, but none of these.
bool is_surely_tls(const Item& item) {
  return item.find("orgName") != nullptr || item.find("contactInfo") != nullptr ||
         item.find("maxReportSize") != nullptr;
}

void walk(const Item& item, Type type, Objects& objects);

void walk_list(const Item& item, Type type, Objects& objects) {
  // A response of JMAP is ["x:TlsReportSettings/get", {…}, "c1"] (RFC 8620, section 3.4).
  const bool response = item.items.size() == 3 && item.items.front().kind == Item::Kind::kText &&
                        item.items.front().text.find('/') != std::string::npos;
  if (response) type = type_of(item.items.front().text);
  for (const auto& entry : item.items) walk(entry, type, objects);
}

// The type that the object itself names, else the one that holds around it.
Type own_type(const Item& item, Type around) {
  for (const auto* name : {"object", "@type"}) {
    const auto* text = item.find(name);
    if (text == nullptr || text->kind != Item::Kind::kText || text->text.empty()) continue;
    const auto type = type_of(text->text);
    // In a plan "@type" is the operation, and "object" the type.
    const bool is_operation = text->text.front() >= 'a' && text->text.front() <= 'z';
    if (type != Type::kOther || !is_operation) return type;
  }
  return around;
}

void walk_fields(const Item& item, Type type, Objects& objects) {
  for (const auto& [key, value] : item.fields) {
    const auto named = type_of(key);
    if (named == Type::kOther) {
      walk(value, key.ends_with("Settings") ? Type::kOther : type, objects);
      continue;
    }
    const auto before = objects.tls.size();
    walk(value, named, objects);
    const bool is_empty = named == Type::kTls && objects.tls.size() == before;
    if (is_empty && value.kind == Item::Kind::kObject) objects.tls.push_back(&value);
  }
}

void walk(const Item& item, Type type, Objects& objects) {
  if (item.kind == Item::Kind::kList) return walk_list(item, type, objects);
  if (item.kind != Item::Kind::kObject) return;
  type = own_type(item, type);
  const bool tls = has_tls_field(item);
  const bool report = has_report_field(item);
  if (type == Type::kTls && tls) {
    objects.tls.push_back(&item);
  } else if (type == Type::kReport && report) {
    objects.report.push_back(&item);
  } else if (type == Type::kUnknown && (may_be_tls(item) || report)) {
    if (may_be_tls(item)) objects.unnamed.push_back(&item);
    if (report) objects.report.push_back(&item);
  } else {
    walk_fields(item, type, objects);
  }
}

void put(Found& found, Setting setting, FoundSetting value) {
  found.settings.insert_or_assign(setting, std::move(value));
}

// Of several objects the later one wins, field by field: plans are applied in their order.
void read_object(const Item& object, bool report, Found& found) {
  std::set<Setting> seen;
  for (const auto& [key, value] : object.fields) {
    const auto setting = setting_of(key);
    if (setting && is_submitter(setting) == report) {
      put(found, *setting, {key, value, !seen.insert(*setting).second});
    } else if (!report && !setting && !is_of_any_object(key) &&
               std::ranges::find(kOtherReportFields, key) == kOtherReportFields.end()) {
      found.unknown.push_back({key, value, false});
    }
  }
}

// Fails with what is to be said after the name of the file.
Result<Found> find_objects(const Item& root) {
  Objects objects;
  walk(root, Type::kUnknown, objects);
  auto tls = objects.tls;
  if (tls.empty()) tls = objects.unnamed;
  if (objects.tls.empty() && tls.size() > 1) {
    std::erase_if(tls, [](const Item* item) { return !is_surely_tls(*item); });
    if (tls.size() != 1) {
      return Error{Fault::kInput,
                   "several objects could be TlsReportSettings; give that object alone"};
    }
  }
  Found found;
  for (const auto* object : tls) read_object(*object, false, found);
  for (const auto* object : objects.report) {
    read_object(*object, true, found);
    const auto* domain = object->find("outboundReportDomain");
    if (domain != nullptr && domain->kind == Item::Kind::kText) found.domain = domain->text;
  }
  if (tls.empty() && found.settings.empty()) return Error{Fault::kInput, ""};
  return found;
}

// A table in which keys such as "send.0.if" are tables of tables. Nothing has more levels than
// that.
Item expanded(const Item& item, int levels = 3) {
  if (item.kind != Item::Kind::kObject || levels == 0) return item;
  Item result;
  result.kind = Item::Kind::kObject;
  std::map<std::string, std::size_t> known;  // a key to its place in the result
  for (const auto& [key, value] : item.fields) {
    const auto dot = key.find('.');
    const auto [place, is_new] = known.emplace(key.substr(0, dot), result.fields.size());
    if (is_new) result.fields.push_back({place->first, {}});
    auto& slot = result.fields[place->second].value;
    if (dot != key.npos) {
      slot.kind = Item::Kind::kObject;
      slot.fields.push_back({key.substr(dot + 1), value});
    } else if (value.kind == Item::Kind::kObject) {
      slot.kind = Item::Kind::kObject;
      slot.fields.insert(slot.fields.end(), value.fields.begin(), value.fields.end());
    } else {
      slot = value;
    }
  }
  for (auto& [key, value] : result.fields) value = expanded(value, levels - 1);
  return result;
}

std::string text_at(const Item& root, std::initializer_list<std::string_view> paths) {
  for (const auto path : paths) {
    const auto item = at_path(root, path);
    if (item && item->kind == Item::Kind::kText) return item->text;
  }
  return {};
}

Result<Found> find_keys(const Item& root) {
  Found found;
  found.generation = Generation::kKeys;
  const auto table = at_path(root, kTable);
  const auto submitter = at_path(root, "report.submitter");
  if (!submitter && (!table || table->kind != Item::Kind::kObject)) return Error{Fault::kInput, ""};
  if (submitter) {
    put(found, Setting::kOutboundReportSubmitter,
        {"report.submitter", expanded(*submitter), false});
  }
  if (table) {
    for (const auto& [key, value] : expanded(*table).fields) {
      const auto name = std::ranges::find(kNames, key, &Name::key);
      FoundSetting setting{std::string(kTable) + "." + key, value, false};
      if (name == kNames.end()) {
        found.unknown.push_back(std::move(setting));
      } else {
        put(found, name->setting, std::move(setting));
      }
    }
  }
  found.domain = text_at(root, {"report.domain", "lookup.default.domain"});
  found.hostname = text_at(root, {"server.hostname", "lookup.default.hostname"});
  return found;
}

}  // namespace

Result<Found> find_settings(const Source& source, const std::string& name) {
  if (source.syntax == Syntax::kJson) {
    auto found = find_objects(source.root);
    if (found) return found;
    if (!found.error().text.empty()) return Error{Fault::kInput, name + ": " + found.error().text};
  }
  auto found = find_keys(source.root);
  if (found) return found;
  return Error{Fault::kInput, name +
                                  ": neither TlsReportSettings, nor ReportSettings with "
                                  "outboundReportSubmitter, nor report.tls.aggregate stands in it"};
}

std::optional<Item> at_path(const Item& item, std::string_view path) {
  std::optional<Item> result;
  const auto add = [&](Item value) {
    if (result && result->kind == Item::Kind::kObject && value.kind == Item::Kind::kObject) {
      std::ranges::move(value.fields, std::back_inserter(result->fields));
    } else if (!result) {
      result = std::move(value);
    }
  };
  for (const auto& [key, value] : item.fields) {
    if (key == path) {
      add(value);
    } else if (path.size() > key.size() && path.starts_with(key) && path[key.size()] == '.') {
      if (auto inner = at_path(value, path.substr(key.size() + 1))) add(*std::move(inner));
    } else if (key.size() > path.size() && key.starts_with(path) && key[path.size()] == '.') {
      Item table;
      table.kind = Item::Kind::kObject;
      table.fields.push_back({key.substr(path.size() + 1), value});
      add(std::move(table));
    }
  }
  return result;
}

const std::vector<Setting>& known_settings() {
  static const std::vector<Setting> settings = [] {
    std::vector<Setting> all;
    for (const auto& name : kNames) all.push_back(name.setting);
    return all;
  }();
  return settings;
}

std::string name_in(Generation generation, Setting setting) {
  if (generation == Generation::kObjects) return std::string(to_string(setting));
  const auto key = std::ranges::find(kNames, setting, &Name::setting)->key;
  if (setting == Setting::kOutboundReportSubmitter) return std::string(key);
  return std::string(kTable) + "." + std::string(key);
}

}  // namespace rapporteur::stalwart
