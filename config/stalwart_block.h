#pragma once
// One setting of Stalwart's: its value as conditions and results, and its expressions in our
// language. Whether an expression can work is judged by whoever loads what is written.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/stalwart_find.h"

namespace rapporteur::stalwart {

struct Block {
  struct Branch {
    std::string condition;
    std::string result;
  };
  std::vector<Branch> branches;
  std::string otherwise;
};

// A block, or one sentence that says why there is none.
struct ReadBlock {
  std::optional<Block> block;
  std::string problem;
};

// The forms: a scalar; { match, else }, match being a list or numbered; a list of { if, then } and
// one last { else }, which may be numbered, too.
ReadBlock read_block(const Item& item);

// Rewrites what has another name here: config_get('report.domain') is system('domain'). Returns the
// reason if some of it has no counterpart or means something else; the block is not to be used
// then.
std::string translate(Block& block, Setting setting, Generation generation);

}  // namespace rapporteur::stalwart
