#include "report/policy_text.h"

#include <utility>

#include "report/json.h"
#include "report/shorten.h"

namespace rapporteur {

Result<std::optional<std::string>> policy_text(CountsSource& source, std::size_t index,
                                               std::size_t most) {
  const auto& heading = source.policies()[index];
  auto text = open_policy(heading.policy, heading.successful, heading.failed);
  if (text.size() > most) return std::optional<std::string>();
  bool first = true;
  const auto read = source.details(index, 0, [&](const DetailCount& detail) {
    if (!first) text += ',';
    first = false;
    append_detail(text, detail);
    return text.size() <= most;
  });
  if (!read) return read.error();
  text += kClosePolicy;
  if (text.size() > most) return std::optional<std::string>();
  return std::optional(std::move(text));
}

Result<DetailsText> details_text(CountsSource& source, std::size_t index, std::uint64_t first,
                                 std::uint64_t count, std::size_t most) {
  DetailsText details;
  const auto read = source.details(index, first, [&](const DetailCount& detail) {
    if (details.count > 0) details.text += ',';
    append_detail(details.text, detail);
    ++details.count;
    return details.count < count && details.text.size() < most;
  });
  if (!read) return read.error();
  return details;
}

Result<std::string> widest_detail(CountsSource& source, std::size_t index, std::size_t cap) {
  std::string widest;
  const auto read = source.details(index, 0, [&](const DetailCount& detail) {
    auto json = detail_json({shortened(detail.detail, cap), detail.count});
    if (json.size() > widest.size()) widest = std::move(json);
    return true;
  });
  if (!read) return read.error();
  return widest;
}

double roughly_long(const CountsSource::Heading& heading) {
  constexpr double kFrame = 200;
  constexpr double kDetail = 260;
  double length = kFrame + kDetail * static_cast<double>(heading.details);
  for (const auto& text : heading.policy.strings) length += static_cast<double>(text.size() + 3);
  for (const auto& text : heading.policy.mx_hosts) length += static_cast<double>(text.size() + 3);
  return length;
}

}  // namespace rapporteur
