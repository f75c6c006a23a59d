#include "report/whole_report.h"

#include <algorithm>
#include <utility>

#include "report/gzip.h"
#include "report/json.h"
#include "report/policy_text.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMostText = 1 << 20;
// Shorter ones are compressed whatever the room, longer ones if a sample promises that they fit.
constexpr std::size_t kShortText = 1 << 16;
constexpr std::size_t kSampleShare = 16;

Result<std::optional<std::string>> whole_text(CountsSource& source, std::string_view head) {
  constexpr std::uint64_t kLeastDetail = 50;
  const auto& headings = source.policies();
  std::optional<std::string> none;
  std::uint64_t least = 0;
  for (const auto& heading : headings) least += kLeastDetail * (1 + heading.details);
  if (least > kMostText) return none;
  std::string whole(head);
  for (std::size_t i = 0; i < headings.size(); ++i) {
    if (i > 0) whole += ',';
    if (whole.size() > kMostText) return none;
    auto text = policy_text(source, i, kMostText - whole.size());
    if (!text) return std::move(text).error();
    if (!*text) return none;
    whole += **text;
  }
  whole += kCloseReport;
  return std::optional(std::move(whole));
}

bool promises_to_fit(std::string_view text, std::size_t room, std::uint64_t& work) {
  if (text.size() <= std::max(kShortText, room)) return true;
  const auto sample = text.substr(0, text.size() / kSampleShare);
  work += sample.size();
  return gzip(sample).size() * kSampleShare <= room;
}

}  // namespace

Result<std::optional<std::string>> whole_report(CountsSource& source, std::string_view head,
                                                std::size_t room, std::uint64_t& work) {
  const auto text = whole_text(source, head);
  if (!text) return text.error();
  std::optional<std::string> gz;
  if (*text && promises_to_fit(**text, room, work)) {
    work += (*text)->size();
    gz = gzip(**text);
    if (gz->size() > room) gz.reset();
  }
  return gz;
}

}  // namespace rapporteur
