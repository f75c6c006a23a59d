// Any bytes as a piece of the journal: it is refused, or what was read is written and read again as
// the same.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "aggregate/journal.h"
#include "fuzz/require.h"

namespace {

using rapporteur::Tally;

std::vector<std::string> shown(const Tally& tally) {
  std::vector<std::string> all;
  tally.for_each([&](const Tally::Entry& entry) {
    all.push_back(std::string(entry.packed) + '|' + std::string(entry.id) + '|' +
                  std::to_string(entry.count) + '|' +
                  std::to_string(entry.last.time_since_epoch().count()));
  });
  std::ranges::sort(all);  // the order may be another
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::string> pieces = {std::string(data, data + size)};
  const auto read = rapporteur::read_journal(pieces);
  if (!read) return 0;
  rapporteur::JournalWriter writer;
  const auto again = rapporteur::read_journal(std::vector{writer.write(*read->at(0))});
  fuzz::require(static_cast<bool>(again), "what was written can be read");
  fuzz::require(shown(*again->at(0)) == shown(*read->at(0)), "it is the same");
  return 0;
}
