#pragma once
// Tallies as bytes: a tally with very many sessions is on disk sooner as one piece of bytes than as
// counts in windows, so it is journalled first and recorded a few seconds later, together with
// others. docs/design.md, "Counting".

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aggregate/tally.h"
#include "base/result.h"

namespace rapporteur {

// What a session says is written once; later pieces refer to earlier ones. One thread.
class JournalWriter {
 public:
  // The next piece of the journal. The tallies of the pieces that it may refer to must be alive.
  std::string write(const Tally& tally);

  // The next piece refers to none before it: they are gone, or were not kept.
  void begin_anew() { written_.clear(); }

 private:
  std::unordered_map<const char*, std::uint64_t> written_;  // packed session to its number
};

// The tallies of a journal's pieces. Fails with Fault::kCorrupt if they are none.
Result<std::vector<std::unique_ptr<Tally>>> read_journal(std::span<const std::string> pieces);

}  // namespace rapporteur
