// The schema, docs/configuration.md and the installed file say the same.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "config/config_fixture.h"
#include "config/schema.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::config_of;
using testing_support::shown;
using testing_support::TemporaryFiles;
using testing_support::with_system;

std::string content_of(const std::string& path) {
  std::ifstream file(std::string(SOURCE_ROOT) + "/" + path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

// The lines between the heading of a table and the next one.
std::vector<std::string> section(const std::string& text, const std::string& heading,
                                 std::string_view next) {
  std::vector<std::string> lines;
  bool inside = false;
  for (const auto line : split(text, '\n')) {
    if (line == heading) {
      inside = true;
    } else if (inside && line.starts_with(next)) {
      break;
    } else if (inside) {
      lines.emplace_back(line);
    }
  }
  return lines;
}

// What the page says of one key.
struct Row {
  std::string form;
  std::string fallback;
  std::string example;
  std::string meaning;
};

std::string heading_in_page(std::string_view table) {
  if (table == "dkim") return "## [[dkim]]";
  if (table == "lookup") return "## [lookup.NAME]";
  return "## [" + std::string(table) + "]";
}

std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> texts;
  for (const auto cell : split(line, '|')) texts.emplace_back(trim(cell));
  return texts;
}

// "`x`" without the backticks; empty for anything else.
std::string code(const std::string& cell) {
  const bool is_code = cell.size() > 2 && cell.front() == '`' && cell.back() == '`';
  return is_code ? cell.substr(1, cell.size() - 2) : std::string();
}

// The first table below the heading: its rows by their keys.
std::map<std::string, Row, std::less<>> rows_of(std::string_view table) {
  static const auto page = content_of("docs/configuration.md");
  std::map<std::string, Row, std::less<>> rows;
  bool inside = false;
  for (const auto& line : section(page, heading_in_page(table), "##")) {
    const auto columns = cells(line);
    if (line.starts_with("| key |")) {
      const auto kind = table == "report.tls" ? "result" : "form";
      EXPECT_THAT(columns, ElementsAre("", "key", kind, "default", "example", "meaning", ""))
          << table;
      inside = true;
    } else if (inside && line.starts_with("| `")) {
      if (columns.size() != 7) {
        ADD_FAILURE() << line;
        continue;
      }
      const Row row{columns[2], columns[3], columns[4], columns[5]};
      EXPECT_TRUE(rows.emplace(code(columns[1]), row).second) << line;
    }
  }
  return rows;
}

// The page's row of a key; what is missing is reported.
Row row_of(const KeySpec& spec) {
  const auto rows = rows_of(spec.table);
  const auto found = rows.find(spec.key);
  if (found != rows.end()) return found->second;
  ADD_FAILURE() << full_name(spec) << " is not on the page";
  return {};
}

TEST(ConfigurationPage, DescribesEveryKeyWithItsDefault) {
  for (const auto& spec : key_specs()) {
    const auto row = row_of(spec);
    const auto fallback = default_as_toml(spec);
    if (spec.required) {
      EXPECT_EQ(row.fallback, "required") << full_name(spec);
    } else if (!fallback.empty()) {
      EXPECT_EQ(code(row.fallback), fallback) << full_name(spec);
    } else {
      EXPECT_NE(row.fallback, "") << full_name(spec);
      EXPECT_EQ(code(row.fallback), "") << full_name(spec) << " has no default of its own";
    }
    EXPECT_NE(row.meaning, "") << full_name(spec);
  }
}

// "10000" as "10,000".
std::string grouped(std::int64_t number) {
  auto text = std::to_string(number);
  for (auto at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

// A part of the cell that says how a value of the form is written.
std::string form_in_page(const KeySpec& spec) {
  switch (spec.form) {
    case Form::kText:
      return "text";
    case Form::kPath:
      return spec.table == "dkim" ? "secret file" : "path";
    case Form::kReadable:
      return "file";
    case Form::kSecret:
      return "secret file";
    case Form::kDomain:
      return "domain";
    case Form::kMailDomain:
      return "domain of two labels or more";
    case Form::kDuration:
      return "time";
    case Form::kSize:
      return "size";
    case Form::kNumber:
      return grouped(spec.least) + " to " + grouped(spec.most);
    case Form::kTruth:
      return "truth value";
    case Form::kMode:
      return "octal digits in quotes";
    case Form::kListen:
      return "listener";
    case Form::kStoreUrl:
    case Form::kProxyUrl:
      return "URL";
    case Form::kRelayUrl:
      return "`smtp://host:port`, `smtps://host:port`";
    case Form::kTexts:
    case Form::kDomains:
    case Form::kServers:
    case Form::kAllowed:
    case Form::kChoices:
      return "array of";
    case Form::kAddresses:
      return "table of addresses";
    case Form::kChoice:
    case Form::kExpression:
      return "";
  }
  return "no form";
}

TEST(ConfigurationPage, SaysOfEveryKeyHowItIsWritten) {
  for (const auto& spec : key_specs()) {
    const auto form = row_of(spec).form;
    EXPECT_NE(form, "") << full_name(spec);
    EXPECT_THAT(form, HasSubstr(form_in_page(spec))) << full_name(spec);
    for (const auto choice : split(spec.choices, ',')) {
      if (choice.empty()) continue;
      EXPECT_THAT(form, HasSubstr("`\"" + std::string(choice) + "\"`")) << full_name(spec);
    }
  }
}

TEST(ConfigurationPage, DescribesNoKeyThatDoesNotExist) {
  for (const auto& table : table_specs()) {
    for (const auto& [key, row] : rows_of(table.name)) {
      EXPECT_NE(find_key_spec(table.name, key), nullptr) << table.name << "." << key;
    }
  }
}

// The examples' files are those below this folder; each is put into a temporary one instead.
constexpr std::string_view kExampleFolder = "/etc/rapporteur/";

std::string with_files(std::string example, const TemporaryFiles& files) {
  const auto begin = example.find(kExampleFolder);
  if (begin == example.npos) return example;
  const auto name_begin = begin + kExampleFolder.size();
  const auto name = example.substr(name_begin, example.find('"', name_begin) - name_begin);
  const auto content_like = [&]() -> std::string {
    const auto copy_of = [&](const char* data) {
      std::ifstream file(files.key(data), std::ios::binary);
      return std::string{std::istreambuf_iterator<char>(file), {}};
    };
    if (name.ends_with(".users")) return "user:{bearer}" + std::string(64, '0') + "\n";
    if (name.ends_with(".key")) return copy_of("listener.key");
    if (name == "http.pem" || name == "received.pem") return copy_of("listener.pem");
    return name.ends_with(".pem") ? copy_of("ed25519.pem") : "a.example text\n";
  };
  const auto path = files.write(name, content_like());
  return example.replace(begin, kExampleFolder.size() + name.size(), path);
}

// Nothing is wrong with the text below [system], whose value is an example, too.
void expect_no_error(const std::string& text) {
  const auto loaded = parse_config(text, "examples.toml");
  EXPECT_TRUE(loaded.config) << shown(loaded) << text;
}

// The examples of one table hold together; those of a list are set one by one, as either will do.
TEST(ConfigurationPage, HasAnExampleOfEveryKeyThatLoads) {
  const TemporaryFiles files;
  for (const auto& table : table_specs()) {
    if (table.kind == TableKind::kOverrides) continue;
    std::string header = "[" + std::string(table.name) + "]\n";
    if (table.kind == TableKind::kArray) header = "[" + header.substr(0, header.size() - 1) + "]\n";
    std::string text;
    for (const auto key : keys_of(table.name)) {
      const auto example = code(row_of(*find_key_spec(table.name, key)).example);
      EXPECT_NE(example, "") << table.name << "." << key << " has no example";
      const auto line = std::string(key) + " = " + with_files(example, files) + "\n";
      if (table.kind == TableKind::kNamed) {
        expect_no_error(with_system("[lookup.x]\n" + line));
      } else {
        text += line;
      }
    }
    expect_no_error(table.name == "system" ? header + text : with_system(header + text));
  }
}

// What an example sets is not what holds anyway.
TEST(ConfigurationPage, HasExamplesThatChangeSomething) {
  for (const auto& spec : key_specs()) {
    if (spec.key == "transport") continue;  // the other examples of the table are those of a relay
    EXPECT_NE(code(row_of(spec).example), default_as_toml(spec)) << full_name(spec);
  }
}

TEST(ConfigurationPage, LoadsInItsExamples) {
  int examples = 0;
  std::string example;
  bool inside = false;
  const auto page = content_of("docs/configuration.md");
  for (const auto line : split(page, '\n')) {
    if (line == "```toml") {
      inside = true;
      example.clear();
    } else if (inside && line == "```") {
      inside = false;
      ++examples;
      EXPECT_TRUE(config_of("[report.tls]\n" + example)) << example;
    } else if (inside) {
      example += std::string(line) + "\n";
    }
  }
  EXPECT_EQ(examples, 6);
}

// Every variable of a schema stands in the table of variables, with the settings that know it.
TEST(ConfigurationPage, NamesEveryVariableWithTheSettingsThatKnowIt) {
  std::map<std::string, std::string> known_in;
  const auto page = content_of("docs/configuration.md");
  for (const auto& line : section(page, "### Variables", "#")) {
    if (!line.starts_with("| `")) continue;
    const auto columns = cells(line);
    ASSERT_EQ(columns.size(), 5U) << line;
    for (const auto name : split(columns[1], ',')) {
      const auto same = columns[3] == "the same" ? known_in["window_start"] : columns[3];
      known_in[code(std::string(trim(name)))] = same;
    }
  }
  EXPECT_EQ(known_in.size(), kVariableCount);
  for (const auto setting : kSettings) {
    for (const auto& variable : schema_for(setting, {}).variables) {
      const auto& where = known_in[variable.name];
      const auto name = "`" + std::string(to_string(setting)) + "`";
      const bool known = where.starts_with("every setting")
                             ? where.find("but " + name) == where.npos
                             : where.find(name) != where.npos;
      EXPECT_TRUE(known) << variable.name << " in " << name << ": " << where;
    }
  }
}

// The installed file with the one key that it must be given.
std::string edited_file() {
  auto text = content_of("config/rapporteur.toml");
  const std::string key = "#domain = \"example.org\"\n";
  return text.erase(text.find(key), 1);
}

TEST(InstalledFile, IsRefusedAsLongAsNobodyHasEditedIt) {
  const auto loaded = parse_config(content_of("config/rapporteur.toml"), "rapporteur.toml");
  EXPECT_FALSE(loaded.config);
  ASSERT_EQ(loaded.diagnostics.size(), 1U) << shown(loaded);
  EXPECT_THAT(shown(loaded), HasSubstr("name the domain that the reports come from"));
}

TEST(InstalledFile, LoadsWithADomain) {
  const auto loaded = parse_config(edited_file(), "rapporteur.toml");
  ASSERT_TRUE(loaded.config) << shown(loaded);
  ASSERT_EQ(loaded.diagnostics.size(), 1U) << shown(loaded);
  EXPECT_THAT(loaded.diagnostics[0].message, HasSubstr("no [[dkim]] key"));
  EXPECT_TRUE(loaded.config->ingest.datagram);
  EXPECT_EQ(loaded.config->settings.rule(Setting::kSubject, "a.example")->block.otherwise.source(),
            "'Report Domain: ' + rcpt_domain + ' Submitter: ' + submitter + ' Report-ID: <' + "
            "report_id + '>'");
}

// A file whose every disabled line is enabled.
std::string all_enabled(const std::string& text) {
  std::string enabled;
  for (const auto line : split(text, '\n')) {
    const bool disabled = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    enabled += std::string(line.substr(disabled ? 1 : 0)) + "\n";
  }
  return enabled;
}

TEST(InstalledFile, NamesEveryKeyWithItsDefault) {
  const auto text = all_enabled(content_of("config/rapporteur.toml"));
  for (const auto& spec : key_specs()) {
    if (spec.table == "lookup") continue;
    const auto header = spec.table == "dkim" ? "[[dkim]]" : "[" + std::string(spec.table) + "]";
    std::string found;
    for (const auto& line : section(text, header, "[")) {
      if (line.starts_with(std::string(spec.key) + " = ")) found = line;
    }
    EXPECT_FALSE(found.empty()) << full_name(spec) << " is not in the file";
    const auto fallback = default_as_toml(spec);
    if (fallback.empty() || spec.key == "subject") continue;
    EXPECT_EQ(found, std::string(spec.key) + " = " + fallback);
  }
}

TEST(InstalledFile, LoadsWithEveryLineEnabled) {
  const TemporaryFiles files;
  auto text = all_enabled(content_of("config/rapporteur.toml"));
  const std::string path = "/etc/rapporteur/example.org.pem";
  text.replace(text.find(path + "\"\n"), path.size(), files.key("ed25519.pem"));
  const auto loaded = parse_config(text, "rapporteur.toml");
  EXPECT_TRUE(loaded.config);
  EXPECT_EQ(shown(loaded), "");
}

}  // namespace
}  // namespace rapporteur
