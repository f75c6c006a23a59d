#pragma once
// Texts for people at a terminal. What comes from outside passes printable() before it is shown.

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/window.h"

namespace rapporteur {

// Valid UTF-8 without control characters: nothing in it moves a terminal's cursor, breaks a line or
// turns its direction.
std::string printable(std::string_view text);

// "in 3h12m", "5m ago", "now": the two largest units.
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
  bool empty() const { return rows_.size() == 1; }
  std::size_t size() const { return rows_.size() - 1; }
  void print(std::ostream& out, std::string_view indent = "") const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace rapporteur
