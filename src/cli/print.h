#pragma once
// Texts for people at a terminal. What comes from outside passes printable() before it is shown.

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/screen.h"
#include "model/window.h"

namespace rapporteur {

// Valid UTF-8 without control characters: nothing in it moves a terminal's cursor, breaks a line or
// turns its direction.
std::string printable(std::string_view text);

// The text as one word of a shell's command: "'it'\''s'" for "it's".
std::string shell_word(std::string_view text);

// "in 3h12m", "5m ago", "now": rounded to the two largest units.
std::string relative(Time time, Time now);

// "2026-11-21T01:13:07Z (in 3h12m)".
std::string with_relative(Time time, Time now);

// "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z", and which supplement it is.
std::string period_text(const Window& window);

// "1 window", "2 windows".
std::string count_text(std::size_t count, std::string_view noun);

// Rows under a head, columns aligned by characters. Cells are shown as printable().
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // These columns, from 0, find room before the others where there is not enough of it.
  void prefer(std::vector<std::size_t> columns) { preferred_ = std::move(columns); }
  bool empty() const { return rows_.size() == 1; }
  std::size_t size() const { return rows_.size() - 1; }
  void print(std::ostream& out, std::string_view indent = "") const;
  // At a terminal that is too narrow for all columns, those that find no room stand below their
  // row, each with its head; so does a cell that is much wider than its column, with "…" in its
  // place. A row's first cell may be as long as it is, and the others then follow below it. What
  // stands under a head "state" is coloured.
  void print(Screen& screen, std::string_view indent = "") const;

 private:
  struct Layout {
    std::vector<std::vector<std::string>> cells;  // as they are shown
    std::vector<std::size_t> widths;
    std::vector<bool> beside;  // in the row; the others stand below it
  };
  Layout layout(std::size_t columns, std::size_t indent) const;
  static void print_row(Screen& screen, const Layout& layout, std::size_t row,
                        std::string_view indent);

  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> preferred_;
};

}  // namespace rapporteur
