#include "config/stalwart_block.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "base/text.h"
#include "config/reporter.h"
#include "config/values.h"

namespace rapporteur::stalwart {

namespace {

// The rows of a block in their order, or what is wrong with it.
struct Rows {
  std::vector<const Item*> rows;
  std::string problem;
};

Rows numbered_rows(const Item& item) {
  std::map<std::uint64_t, const Item*> ordered;
  for (const auto& [key, value] : item.fields) {
    const auto number = branch_number(key);
    if (!number) return {{}, quoted(key) + " is no number of a branch"};
    if (!ordered.emplace(*number, &value).second) {
      return {{}, "two branches are number " + std::to_string(*number)};
    }
  }
  Rows result;
  for (const auto& [number, row] : ordered) result.rows.push_back(row);
  return result;
}

Rows rows_of(const Item& item) {
  if (item.kind == Item::Kind::kNull) return {};
  if (item.kind == Item::Kind::kObject) return numbered_rows(item);
  if (item.kind != Item::Kind::kList) return {{}, "match is neither an object nor an array"};
  Rows result;
  for (const auto& row : item.items) result.rows.push_back(&row);
  return result;
}

// What is wrong with the keys of an object; empty: nothing.
std::string unknown_key(const Item& item, std::initializer_list<std::string_view> known) {
  std::vector<std::string_view> seen;
  for (const auto& [key, value] : item.fields) {
    if (key.starts_with('@')) continue;
    if (std::ranges::find(known, key) == known.end()) {
      return quoted(key) + " is not known in a condition";
    }
    if (std::ranges::find(seen, key) != seen.end())
      return "'" + key + "' stands twice in a condition";
    seen.push_back(key);
  }
  return {};
}

// Adds one row. Returns what is wrong with it.
std::string add_row(const Item& row, Block& block, bool& has_else) {
  if (has_else) return "'else' is not the last of its branches";
  if (row.kind != Item::Kind::kObject) return "it is a list, but not of { if, then }";
  if (auto problem = unknown_key(row, {"if", "then", "else"}); !problem.empty()) return problem;
  const auto* condition = row.find("if");
  const auto* result = row.find("then");
  const auto* otherwise = row.find("else");
  for (const auto* part : {condition, result, otherwise}) {
    if (part != nullptr && !part->is_scalar()) return "a part of a condition is no expression";
  }
  if (otherwise != nullptr && (condition != nullptr || result != nullptr)) {
    return "'else' stands beside 'if' or 'then'";
  }
  if (otherwise != nullptr) {
    has_else = true;
    block.otherwise = otherwise->text;
    return {};
  }
  if (condition == nullptr) return "'if' is missing in a condition";
  if (result == nullptr) return "'then' is missing in a condition";
  block.branches.push_back({condition->text, result->text});
  return {};
}

ReadBlock block_of(const Rows& rows, const Item* otherwise) {
  if (!rows.problem.empty()) return {std::nullopt, rows.problem};
  Block block;
  bool has_else = false;
  for (const auto* row : rows.rows) {
    auto problem = add_row(*row, block, has_else);
    if (!problem.empty()) return {std::nullopt, std::move(problem)};
    if (has_else && otherwise != nullptr) return {std::nullopt, "a second 'else'"};
  }
  if (otherwise != nullptr) {
    if (!otherwise->is_scalar()) return {std::nullopt, "'else' is no expression"};
    block.otherwise = otherwise->text;
    has_else = true;
  }
  if (!has_else) return {std::nullopt, "'else' is missing, and Stalwart takes its default then"};
  return {std::move(block), {}};
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '$';
}

// Reads an expression from its beginning to its end.
class Rewriter {
 public:
  Rewriter(std::string_view text, Setting setting, Generation generation)
      : text_(text), setting_(setting), generation_(generation) {}

  // Returns the reason if it has no counterpart.
  std::string run() {
    while (at_ < text_.size() && problem_.empty()) {
      const char c = text_[at_];
      if (c == '\'' || c == '"') {
        out_ += string_here();
      } else if (is_name_character(c)) {
        name_here();
      } else {
        out_ += c;
        ++at_;
      }
    }
    return std::move(problem_);
  }

  std::string take() { return std::move(out_); }

 private:
  // The string literal that begins here, with its quotes. Goes behind it.
  std::string_view string_here() {
    const auto begin = at_;
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote)
      at_ += text_[at_] == '\\' ? std::size_t{2} : 1;
    at_ = std::min(at_ + 1, text_.size());
    return text_.substr(begin, at_ - begin);
  }

  void skip_space() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  bool skip(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // The string literals that are all the arguments of the call whose name ends here; empty: they
  // are something else.
  std::vector<std::string> literal_arguments() {
    const auto before = at_;
    std::vector<std::string> arguments;
    bool more = skip('(');
    while (more) {
      skip_space();
      if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) break;
      const auto literal = string_here();
      if (literal.size() < 2) break;
      arguments.emplace_back(literal.substr(1, literal.size() - 2));
      if (skip(')')) return arguments;
      more = skip(',');
    }
    at_ = before;
    return {};
  }

  void name_here() {
    const auto begin = at_;
    while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
    const auto name = text_.substr(begin, at_ - begin);
    if (name == "config_get" || name == "key_get" || name == "key_exists") return lookup(name);
    if (generation_ == Generation::kKeys && name == "sort") {
      problem_ = "sort orders the other way round here: swap its second argument";
    }
    out_ += generation_ == Generation::kKeys && setting_ == Setting::kSendFrequency
                ? frequency_named(name)
                : name;
  }

  // What names domain and host is system() here; Stalwart's other settings and its stores are not
  // known.
  void lookup(std::string_view name) {
    const auto arguments = literal_arguments();
    std::string_view known;
    if (name == "config_get" && arguments.size() == 1) {
      if (arguments[0] == "report.domain") known = "domain";
      if (arguments[0] == "server.hostname") known = "hostname";
    } else if (name == "key_get" && arguments.size() == 2 && arguments[0] == "default") {
      if (arguments[1] == "domain" || arguments[1] == "hostname") known = arguments[1];
    }
    if (!known.empty()) {
      out_ += "system('" + std::string(known) + "')";
    } else if (name == "config_get") {
      problem_ = arguments.size() == 1
                     ? "config_get(" + quoted(arguments[0]) + ") has no counterpart"
                     : "config_get has no counterpart";
    } else {
      problem_ = std::string(name) +
                 " asks a store of Stalwart's: write the list as [lookup.NAME], " +
                 "and NAME as the first argument";
    }
  }

  // The synonyms of 0.15.
  static std::string_view frequency_named(std::string_view name) {
    if (name == "hour") return "hourly";
    if (name == "day") return "daily";
    if (name == "week") return "weekly";
    return name;
  }

  std::string_view text_;
  Setting setting_;
  Generation generation_;
  std::size_t at_ = 0;
  std::string out_;
  std::string problem_;
};

// A result that is no expression of its own, but stands for a frequency: false sends nothing, and
// 0.15 has numbers for constants.
std::string_view frequency_of(std::string_view result, Generation generation) {
  result = trim(result);
  if (result == "false") return "never";
  if (generation == Generation::kObjects) return {};
  constexpr std::array<std::string_view, 5> kNumbers = {"never", "", "hourly", "daily", "weekly"};
  if (result.size() != 1 || result.front() < '0' || result.front() > '4') return {};
  return kNumbers.at(static_cast<std::size_t>(result.front() - '0'));
}

// Values such as "%{env:NAME}%" are replaced when Stalwart 0.15 reads its file.
std::string macro_in(std::string_view text) {
  const auto begin = text.find("%{");
  if (begin == text.npos) return {};
  const auto end = text.find("}%", begin);
  if (end == text.npos) return {};
  return quoted(text.substr(begin, end + 2 - begin)) + " is filled in by Stalwart, not here";
}

std::string translate_one(std::string& text, Setting setting, Generation generation) {
  if (generation == Generation::kKeys) {
    if (auto problem = macro_in(text); !problem.empty()) return problem;
  }
  Rewriter rewriter(text, setting, generation);
  auto problem = rewriter.run();
  if (problem.empty()) text = rewriter.take();
  return problem;
}

std::string translate_result(std::string& text, Setting setting, Generation generation) {
  if (setting == Setting::kSendFrequency) {
    if (const auto name = frequency_of(text, generation); !name.empty()) {
      text = name;
      return {};
    }
  }
  return translate_one(text, setting, generation);
}

}  // namespace

ReadBlock read_block(const Item& item) {
  switch (item.kind) {
    case Item::Kind::kText:
    case Item::Kind::kNumber:
    case Item::Kind::kTruth:
      return {Block{{}, item.text}, {}};
    case Item::Kind::kList:
      return block_of(rows_of(item), nullptr);
    case Item::Kind::kObject:
      break;
    default:
      return {std::nullopt, "it is no expression"};
  }
  const bool is_numbered =
      !item.fields.empty() && std::ranges::all_of(item.fields, [](const auto& field) {
        return branch_number(field.key).has_value();
      });
  if (is_numbered) return block_of(numbered_rows(item), nullptr);
  if (auto problem = unknown_key(item, {"match", "else"}); !problem.empty()) {
    return {std::nullopt, std::move(problem)};
  }
  const auto* match = item.find("match");
  return block_of(match == nullptr ? Rows{} : rows_of(*match), item.find("else"));
}

std::string translate(Block& block, Setting setting, Generation generation) {
  for (auto& [condition, result] : block.branches) {
    if (auto problem = translate_one(condition, setting, generation); !problem.empty())
      return problem;
    if (auto problem = translate_result(result, setting, generation); !problem.empty())
      return problem;
  }
  return translate_result(block.otherwise, setting, generation);
}

}  // namespace rapporteur::stalwart
