#pragma once
// Texts of policies that are read from a CountsSource, no more of them than is asked for.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "report/counts_source.h"

namespace rapporteur {

// policy_json() of that policy; nullopt if it is longer than `most` bytes. Fails as the source
// does.
Result<std::optional<std::string>> policy_text(CountsSource& source, std::size_t index,
                                               std::size_t most);

// The details from `first` on as they stand in a report, at most `count` of them and about `most`
// bytes.
struct DetailsText {
  std::string text;
  std::uint64_t count = 0;
};
Result<DetailsText> details_text(CountsSource& source, std::size_t index, std::uint64_t first,
                                 std::uint64_t count, std::size_t most);

// The longest detail of a policy when each is shortened to `cap` (report/shorten.h); "" without
// any.
Result<std::string> widest_detail(CountsSource& source, std::size_t index, std::size_t cap);

// About how long policy_json() will be, from its heading alone.
double roughly_long(const CountsSource::Heading& heading);

}  // namespace rapporteur
