#include "cli/print.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace rapporteur {

namespace {

// What turns the direction in which text runs, and what separates lines and paragraphs.
constexpr std::array<std::string_view, 14> kInvisible = {
    "\u061C", "\u200E", "\u200F", "\u2028", "\u2029", "\u202A", "\u202B",
    "\u202C", "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"};

// The duration rounded to its two largest units: what was set to end in two hours says so a second
// later, too.
Seconds roughly(Seconds duration) {
  constexpr std::array<std::int64_t, 4> kUnits = {86'400, 3'600, 60, 1};
  for (std::size_t unit = 0; unit + 1 < kUnits.size(); ++unit) {
    if (duration.count() >= kUnits[unit]) {
      const auto rounded = duration.count() + kUnits[unit + 1] / 2;
      return Seconds{rounded - rounded % kUnits[unit + 1]};
    }
  }
  return duration;
}

// What stands below a row: as many parts on a line as have room there.
std::vector<std::string> packed(const std::vector<std::string>& parts, std::size_t columns,
                                std::string_view indent) {
  std::vector<std::string> lines;
  for (const auto& part : parts) {
    const bool fits =
        !lines.empty() && width_on_screen(lines.back()) + 2 + width_on_screen(part) <= columns;
    if (fits) {
      lines.back() += "; " + part;
    } else {
      lines.push_back(std::string(indent) + "  " + part);
    }
  }
  return lines;
}

}  // namespace

std::string printable(std::string_view text) {
  auto shown = without_controls(to_valid_utf8(text));
  for (const auto mark : kInvisible) {
    for (auto at = shown.find(mark); at != shown.npos; at = shown.find(mark, at)) {
      shown.erase(at, mark.size());
    }
  }
  return shown;
}

std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

std::string relative(Time time, Time now) {
  if (time == now) return "now";
  if (time > now) return "in " + format_duration(roughly(time - now));
  return format_duration(roughly(now - time)) + " ago";
}

std::string with_relative(Time time, Time now) {
  return fmt::format("{} ({})", format_rfc3339(time), relative(time, now));
}

std::string period_text(const Window& window) {
  auto text = fmt::format("{} to {}", format_rfc3339(window.period.start),
                          format_rfc3339(window.period.end));
  if (window.supplement > 0) text += fmt::format(", supplement {}", window.supplement);
  return text;
}

std::string count_text(std::size_t count, std::string_view noun) {
  if (count == 1) return fmt::format("1 {}", noun);
  if (noun.ends_with('y')) return fmt::format("{} {}ies", count, noun.substr(0, noun.size() - 1));
  return fmt::format("{} {}s", count, noun);
}

void Table::print(std::ostream& out, std::string_view indent) const {
  const auto shown = layout(0, indent.size());
  for (const auto& line : shown.cells) {
    std::string text(indent);
    for (std::size_t column = 0; column < line.size(); ++column) {
      text += line[column];
      if (column + 1 == line.size()) break;
      text.append(shown.widths[column] - width_on_screen(line[column]) + 2, ' ');
    }
    out << text.substr(0, text.find_last_not_of(' ') + 1) << '\n';
  }
}

// `columns` 0: there is room for all.
Table::Layout Table::layout(std::size_t columns, std::size_t indent) const {
  Layout made;
  made.widths.resize(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    auto& line = made.cells.emplace_back();
    for (std::size_t column = 0; column < row.size(); ++column) {
      line.push_back(printable(row[column]));
      // One long name does not push everything else below every row.
      const auto width = columns == 0 ? width_on_screen(line.back())
                                      : std::min(width_on_screen(line.back()), columns / 2);
      made.widths[column] = std::max(made.widths[column], width);
    }
  }
  auto order = preferred_;
  for (std::size_t column = 0; column < made.widths.size(); ++column) {
    if (std::ranges::find(preferred_, column) == preferred_.end()) order.push_back(column);
  }
  made.beside.resize(made.widths.size());
  std::size_t taken = indent;
  for (const auto column : order) {
    const auto width = made.widths[column];
    if (columns > 0 && taken > indent && taken + width > columns) continue;
    made.beside[column] = true;
    taken += width + 2;
  }
  return made;
}

void Table::print(Screen& screen, std::string_view indent) const {
  const auto shown = layout(screen.columns(), indent.size());
  for (std::size_t row = 0; row < shown.cells.size(); ++row) print_row(screen, shown, row, indent);
}

void Table::print_row(Screen& screen, const Layout& layout, std::size_t row,
                      std::string_view indent) {
  const auto& head = layout.cells.front();
  const auto& cells = layout.cells[row];
  std::string line(indent);
  std::size_t place = indent.size();
  std::vector<std::string> below;
  for (std::size_t column = 0; column < cells.size(); ++column) {
    const auto& cell = cells[column];
    const auto name = to_lower(head[column]);
    const auto text = row == 0 ? screen.heading(cell) : name == "state" ? screen.state(cell) : cell;
    const auto width = layout.widths[column];
    const bool is_first = place == indent.size();
    const bool is_long = width_on_screen(cell) > width;
    const bool is_below = !layout.beside[column] || (is_long && !is_first);
    if (is_below && row > 0 && !cell.empty()) below.push_back(name + ' ' + text);
    if (!layout.beside[column]) continue;
    place += width + 2;
    if (is_long && is_first) {
      screen.out() << line << text << '\n';
      line.assign(place, ' ');
    } else {
      line += is_long ? "…" : text;
      line.append(width - (is_long ? 1 : width_on_screen(cell)) + 2, ' ');
    }
  }
  if (const auto end = line.find_last_not_of(' '); end != line.npos) {
    screen.out() << line.substr(0, end + 1) << '\n';
  }
  for (const auto& part : packed(below, screen.columns(), indent)) screen.out() << part << '\n';
}

}  // namespace rapporteur
