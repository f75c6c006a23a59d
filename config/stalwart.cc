#include "config/stalwart.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/domain.h"
#include "base/text.h"
#include "config/config.h"
#include "config/reporter.h"
#include "config/schema.h"
#include "config/stalwart_block.h"
#include "config/stalwart_find.h"
#include "config/stalwart_signer.h"
#include "config/stalwart_source.h"

namespace rapporteur {

namespace {

using stalwart::Block;
using stalwart::Generation;
using Status = ImportedSetting::Status;

constexpr std::size_t kColumns = 100;
constexpr std::size_t kMaxOriginal = 4096;  // bytes of a source in a comment
constexpr std::size_t kMaxUnknown = 50;     // fields that are named one by one
constexpr std::size_t kMaxErrors = 3;       // of one setting

// A setting as it goes into the answer.
struct Entry {
  ImportedSetting told;
  std::vector<std::string> comments;  // paragraphs that stand above it
  std::string key;
  std::string value;  // empty: nothing but comments is written
};

// Words in lines that begin with "# ".
std::string comment(std::string_view paragraph) {
  std::string text;
  std::string line = "#";
  for (const auto word : split(paragraph, ' ')) {
    if (word.empty()) continue;
    if (line.size() > 1 && line.size() + 1 + word.size() > kColumns) {
      text += line + "\n";
      line = "#";
    }
    line += " " + std::string(word);
  }
  return text + line + "\n";
}

// An expression as the TOML string that is read most easily.
std::string expression_as_toml(std::string_view text) {
  const bool plain = text.find_first_of("\\\"") == text.npos;
  const bool one_line = std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (plain || !one_line) return toml_string(text);
  if (text.find('\'') == text.npos) return "'" + std::string(text) + "'";
  if (text.find("'''") == text.npos && !text.ends_with('\''))
    return "'''" + std::string(text) + "'''";
  return toml_string(text);
}

// A branch on each line.
std::string block_as_toml(const Block& block) {
  if (block.branches.empty()) return expression_as_toml(block.otherwise);
  std::string text = "[\n";
  for (const auto& [condition, result] : block.branches) {
    text += "  { if = " + expression_as_toml(condition) + ", then = " + expression_as_toml(result) +
            " },\n";
  }
  return text + "  { else = " + expression_as_toml(block.otherwise) + " },\n]";
}

std::string_view table_of(Setting setting) {
  return setting == Setting::kOutboundReportSubmitter ? "report" : "report.tls";
}

// What holds where a setting is not written.
std::string default_of(Setting setting) {
  if (setting == Setting::kContactInfo) return "the value of fromAddress";
  if (setting == Setting::kOutboundReportSubmitter) return "the domain of contactInfo";
  return std::string(find_key_spec(table_of(setting), to_string(setting))->fallback);
}

// A quoted frequency is a string, which Stalwart takes for none and sends nothing.
bool has_quoted_frequency(const Block& block) {
  const auto is_quoted = [](std::string_view text) {
    text = trim(text);
    if (text.size() < 2 || (text.front() != '\'' && text.front() != '"')) return false;
    const auto word = text.substr(1, text.size() - 2);
    return word == "hourly" || word == "daily" || word == "weekly";
  };
  return is_quoted(block.otherwise) ||
         std::ranges::any_of(block.branches, is_quoted, &Block::Branch::result);
}

bool says_nothing(const Block& block) {
  constexpr std::array<std::string_view, 5> kNothing = {"", "false", "0", "''", "\"\""};
  return block.branches.empty() &&
         std::ranges::find(kNothing, trim(block.otherwise)) != kNothing.end();
}

class Importer {
 public:
  Importer(const stalwart::Source& source, const stalwart::Found& found, std::string name,
           std::string system)
      : source_(source), found_(found), name_(std::move(name)), system_(std::move(system)) {}

  StalwartImport run() {
    for (const auto setting : stalwart::known_settings()) entries_.push_back(entry(setting));
    add_unknown();
    StalwartImport result;
    result.toml = header() + table("report") + "\n" + table("report.tls");
    for (auto& entry : entries_) result.settings.push_back(std::move(entry.told));
    return result;
  }

 private:
  Entry entry(Setting setting) const {
    Entry entry;
    entry.key = to_string(setting);
    entry.told.setting = entry.key;
    const auto found = found_.settings.find(setting);
    if (found == found_.settings.end() || found->second.value.kind == stalwart::Item::Kind::kNull) {
      fill_absent(setting, entry);
    } else {
      entry.told.source = stalwart::as_written(found->second.value, source_.syntax);
      fill(setting, found->second, entry);
    }
    if (setting == Setting::kSubject) {
      entry.comments.emplace_back(
          "The installed rapporteur.toml has the subject of RFC 8460, section 5.3, by which "
          "receivers "
          "recognise a report.");
    }
    return entry;
  }

  // Where Stalwart's default is not ours, it is written out.
  void fill_absent(Setting setting, Entry& entry) const {
    const bool keys = found_.generation == Generation::kKeys;
    if (setting == Setting::kOutboundReportSubmitter)
      entry.value = toml_string("system('hostname')");
    if (setting == Setting::kFromName && keys) entry.value = toml_string("'TLS Aggregate Report'");
    if (setting == Setting::kMaxReportSize && keys) entry.value = toml_string("26214400");
    if (!entry.value.empty()) {
      entry.told.reason = "Stalwart's default.";
      entry.comments.emplace_back(entry.told.reason);
    }
    if (setting == Setting::kContactInfo) fill_no_contact(entry);
  }

  static void fill_no_contact(Entry& entry) {
    entry.told.reason =
        "Stalwart names no contact; RFC 8460, section 4.4, wants one: it is the value of "
        "fromAddress.";
    entry.comments.push_back("contactInfo: " + entry.told.reason);
  }

  void fill(Setting setting, const stalwart::FoundSetting& found, Entry& entry) const {
    if (found.twice) return leave_out(setting, found, "the source names it twice", entry);
    auto [block, problem] = stalwart::read_block(found.value);
    if (!block) return leave_out(setting, found, problem, entry);
    if (setting == Setting::kContactInfo && says_nothing(*block)) return fill_no_contact(entry);
    if (setting == Setting::kDkimSignDomain && stalwart::is_unsigned(*block)) {
      return leave_out(setting, found,
                       "Stalwart does not sign its reports; RFC 8460, section 3, wants it: give a "
                       "[[dkim]] key, or relaySigns = true if the relay signs",
                       entry);
    }
    problem = stalwart::translate(*block, setting, found_.generation);
    if (!problem.empty()) return leave_out(setting, found, problem, entry);
    std::string remark;
    if (setting == Setting::kDkimSignDomain && found_.generation == Generation::kKeys) {
      const auto signer = stalwart::signer_of(*block, source_.root);
      if (!signer.problem.empty()) return leave_out(setting, found, signer.problem, entry);
      for (const auto& key : signer.keys) entry.comments.push_back("A key: " + key + ".");
      if (signer.is_default) return fill_default_signer(found, entry);
      *block = {{}, signer.expression};
      remark = signer.remark;
    }
    if (setting == Setting::kSendFrequency && has_quoted_frequency(*block)) {
      remark = "Stalwart takes a frequency in quotes for none and sends nothing; here it counts";
    }
    auto value = block_as_toml(*block);
    problem = refusal(setting, value, block->branches.size());
    if (!problem.empty()) return leave_out(setting, found, problem, entry);
    entry.value = std::move(value);
    entry.told.status = Status::kImported;
    if (remark.empty()) return;
    entry.told.reason = remark + ".";
    entry.comments.push_back(entry.key + ": " + entry.told.reason);
  }

  static void fill_default_signer(const stalwart::FoundSetting& found, Entry& entry) {
    entry.told.reason =
        "The signatures of the default domain; here every [[dkim]] key of system('domain') signs.";
    entry.comments.push_back(found.name + ": " + entry.told.reason);
  }

  // The original stays as a comment: a rule is never changed silently.
  void leave_out(Setting setting, const stalwart::FoundSetting& found, const std::string& problem,
                 Entry& entry) const {
    entry.told.status = Status::kLeftOut;
    entry.told.reason = problem + ".";
    entry.comments = {entry.key + " is left out: " + entry.told.reason,
                      "    " + found.name + " = " + entry.told.source,
                      "Without it our default holds: " + default_of(setting) + "."};
  }

  // What the configuration says against the value alone; empty: nothing.
  std::string refusal(Setting setting, const std::string& value, std::size_t branches) const {
    const auto text = system_ + "[" + std::string(table_of(setting)) + "]\n" +
                      std::string(to_string(setting)) + " = " + value + "\n";
    const auto key_line = static_cast<int>(std::ranges::count(system_, '\n')) + 2;
    const std::string prefix = std::string(to_string(setting)) + " ";
    std::vector<std::string> problems;
    for (const auto& diagnostic : parse_config(text, "").diagnostics) {
      if (diagnostic.severity != expr::Severity::kError || problems.size() == kMaxErrors) continue;
      std::string_view message = diagnostic.message;
      if (message.starts_with(prefix)) message.remove_prefix(prefix.size());
      std::string place;
      if (branches > 0) {
        const auto row = std::max(diagnostic.where.line - key_line, 1);
        const bool is_else = static_cast<std::size_t>(row) > branches;
        place = is_else ? "else: " : "branch " + std::to_string(row) + ": ";
      }
      problems.push_back(place + std::string(message) +
                         (diagnostic.suggestion.empty() ? "" : " (" + diagnostic.suggestion + ")"));
    }
    return join(problems, "; ");
  }

  void add_unknown() {
    const auto& unknown = found_.unknown;
    for (std::size_t i = 0; i < std::min(unknown.size(), kMaxUnknown); ++i) {
      Entry entry;
      entry.told = {without_controls(unknown[i].name), Status::kLeftOut,
                    stalwart::as_written(unknown[i].value, source_.syntax),
                    "it is not known here."};
      entry.comments = {entry.told.setting + " is left out: " + entry.told.reason,
                        "    " + entry.told.setting + " = " + entry.told.source};
      entries_.push_back(std::move(entry));
    }
    if (unknown.size() <= kMaxUnknown) return;
    Entry rest;
    rest.told = {std::to_string(unknown.size() - kMaxUnknown) + " more", Status::kLeftOut, "",
                 "they are not known here."};
    rest.comments = {rest.told.setting + " are left out: " + rest.told.reason};
    entries_.push_back(std::move(rest));
  }

  std::string header() const {
    auto text = comment("Imported from " + name_ + ", settings of Stalwart " +
                        (found_.generation == Generation::kKeys ? "0.15." : "0.16."));
    text += comment(
        "Put these tables into rapporteur.toml in the place of its [report] and [report.tls]. The "
        "file also needs [system] with the domain, and a [[dkim]] table for each key that signs. "
        "What is still wrong then is told by");
    text += "#   rapporteur config check\n";
    std::string system;
    for (const auto& [key, value] :
         {std::pair{"domain", found_.domain}, {"hostname", found_.hostname}}) {
      const auto domain = normalise_domain(value);
      if (domain) system += "# " + std::string(key) + " = " + toml_string(*domain) + "\n";
    }
    if (!system.empty()) text += "#\n# [system]\n" + system;
    return text + "\n";
  }

  std::string table(std::string_view name) const {
    std::size_t width = 0;
    for (const auto& entry : entries_) {
      if (is_in(entry, name) && !entry.value.empty()) width = std::max(width, entry.key.size());
    }
    std::string text = "[" + std::string(name) + "]\n";
    for (const auto& entry : entries_) {
      if (!is_in(entry, name)) continue;
      for (const auto& paragraph : entry.comments) {
        // The original keeps its spaces, and is one line.
        text += paragraph.starts_with(' ') ? "# " + truncate_utf8(paragraph, kMaxOriginal) + "\n"
                                           : comment(paragraph);
      }
      if (entry.value.empty()) continue;
      text += entry.key + std::string(width - entry.key.size(), ' ') + " = " + entry.value + "\n";
    }
    return text;
  }

  static bool is_in(const Entry& entry, std::string_view table) {
    const bool submitter = entry.key == to_string(Setting::kOutboundReportSubmitter);
    return submitter == (table == "report");
  }

  const stalwart::Source& source_;
  const stalwart::Found& found_;
  std::string name_;
  std::string system_;  // a [system] table
  std::vector<Entry> entries_;
};

}  // namespace

std::string_view to_string(ImportedSetting::Status status) {
  switch (status) {
    case Status::kImported:
      return "imported";
    case Status::kLeftOut:
      return "left-out";
    case Status::kDefault:
      return "default";
  }
  std::terminate();
}

Result<StalwartImport> import_stalwart(std::string_view text, const std::string& name,
                                       const std::string& domain, const std::string& hostname) {
  if (text.size() > kMaxStalwartFile) {
    return Error{Fault::kInput, name + " is larger than 1 MiB: give the settings of reports alone"};
  }
  const auto source = stalwart::read_source(text, name);
  if (!source) return source.error();
  const auto found = stalwart::find_settings(*source, name);
  if (!found) return found.error();
  const auto slash = name.rfind('/');
  auto short_name =
      without_controls(to_valid_utf8(name.substr(slash == name.npos ? 0 : slash + 1)));
  auto system =
      "[system]\ndomain = " + toml_string(domain) + "\nhostname = " + toml_string(hostname) + "\n";
  return Importer(*source, *found, std::move(short_name), std::move(system)).run();
}

}  // namespace rapporteur
