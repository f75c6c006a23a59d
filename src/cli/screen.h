#pragma once
// How results look at a terminal: lines that fit into it, states in colour. Elsewhere everything is
// written as it is, so that programs read the same lines whatever the width of a window.

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "cli/cli.h"

namespace rapporteur {

class Screen {
 public:
  // `world` outlives it. What was written is complete when it is destroyed.
  explicit Screen(const World& world);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Lines that are too long are broken at spaces; what follows is indented.
  std::ostream& out();
  // 0: as many as there are.
  std::size_t columns() const { return terminal_.columns; }

  // The word in the colour of the state that it names: green, where all is well, yellow, where
  // something waits for somebody, red, where it has failed.
  std::string state(std::string_view word) const;
  std::string heading(std::string_view text) const;

 private:
  class Lines;

  const Terminal terminal_;
  std::ostream& direct_;
  std::unique_ptr<Lines> lines_;  // at a terminal
  std::unique_ptr<std::ostream> fitted_;
};

// How many characters the text takes on a screen: sequences that set colours take none.
std::size_t width_on_screen(std::string_view text);

// `line`, which has no line break, broken at spaces so that its lines have at most `columns`
// characters, as far as its words allow; behind a comma, semicolon or '|' or before a parenthesis
// where one is in the second half of a line.
std::string fitted(std::string_view line, std::size_t columns);

}  // namespace rapporteur
