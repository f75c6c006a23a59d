#include "ingest/sys4.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"

namespace rapporteur {

namespace {

// Counts that no mail server reaches in a day.
constexpr std::int64_t kMostSessions = std::int64_t{1} << 40;

std::string json_text(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : to_valid_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xFU];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// A datagram of libtlsrpt with one policy, which succeeded.
std::string datagram(const Sys4Row& row) {
  auto policy = trim(row.policy);
  const bool object = policy.size() >= 2 && policy.front() == '{' && policy.back() == '}';
  if (!object) return row.policy;  // the decoder tells what it is
  policy = trim(policy.substr(1, policy.size() - 2));
  std::string line = "{\"d\":" + json_text(row.domain) + ",\"pr\":" + json_text(row.record) +
                     ",\"policies\":[{\"f\":0,\"failure-details\":[]";
  if (!policy.empty()) line.append(",").append(policy);
  return line + "}]}";
}

// A datagram for the sake of one failure detail.
std::string datagram(const Sys4Failure& failure) {
  return "{\"d\":\"a.example\",\"policies\":[{\"policy-type\":9,\"f\":1,\"failure-details\":[" +
         failure.reason + "]}]}";
}

std::optional<Time> day_of(const std::string& text) {
  constexpr std::size_t kLength = 10;
  if (text.size() != kLength || text[4] != '-') return std::nullopt;
  return parse_time(text);
}

bool is_count(const std::optional<std::int64_t>& number, std::int64_t least) {
  return number && *number >= least && *number <= kMostSessions;
}

}  // namespace

std::vector<Sys4Share> share_out(std::uint64_t successes, std::uint64_t failures,
                                 std::span<const std::uint64_t> details) {
  const auto all = successes + failures;
  const auto most = details.empty() ? 0 : *std::ranges::max_element(details);
  // The sessions stand in a row, the failed ones first, and the details are laid over them one
  // behind the other, beginning anew where the row ends.
  const auto length = most <= failures ? failures : all;
  std::set<std::uint64_t> borders = {0, failures, all};
  std::multimap<std::uint64_t, std::size_t> begins;
  std::multimap<std::uint64_t, std::size_t> ends;
  const auto lay = [&](std::uint64_t from, std::uint64_t to, std::size_t detail) {
    if (from == to) return;
    borders.insert({from, to});
    begins.emplace(from, detail);
    ends.emplace(to, detail);
  };
  std::uint64_t place = 0;
  for (std::size_t i = 0; i < details.size() && length > 0; ++i) {
    const auto count = std::min(details[i], length);
    const auto before_end = std::min(count, length - place);
    lay(place, place + before_end, i);
    lay(0, count - before_end, i);
    place = (place + count) % length;
  }
  std::vector<Sys4Share> shares;
  std::set<std::size_t> present;
  for (auto border = borders.begin(); std::next(border) != borders.end(); ++border) {
    for (auto [at, end] = ends.equal_range(*border); at != end; ++at) present.erase(at->second);
    for (auto [at, end] = begins.equal_range(*border); at != end; ++at) present.insert(at->second);
    shares.push_back({.success = *border >= failures,
                      .count = *std::next(border) - *border,
                      .details = {present.begin(), present.end()}});
  }
  return shares;
}

// Equal details of a row are one.
struct Sys4Decoder::Details {
  std::vector<FailureDetail> kinds;
  std::vector<std::uint64_t> counts;
};

Sys4Decoder::Details Sys4Decoder::details_of(const Sys4Row& row,
                                             std::vector<Sys4Rejection>& rejections) {
  std::map<FailureDetail, std::uint64_t> sums;
  for (const auto& failure : row.details) {
    if (!is_count(failure.count, 1)) {
      rejections.push_back({"bad-count", failure.reason});
      continue;
    }
    const auto decoded = decoder_.decode(datagram(failure));
    const bool good = decoded.verdict == Verdict::kSession &&
                      decoded.session.outcomes.front().failure_details.size() == 1;
    if (!good) {
      const auto reason = decoded.reason.empty() ? "bad-failure-details" : decoded.reason;
      rejections.push_back({reason, failure.reason});
      continue;
    }
    sums[decoded.session.outcomes.front().failure_details.front()] +=
        static_cast<std::uint64_t>(*failure.count);
  }
  Details details;
  for (auto& [kind, count] : sums) {
    details.kinds.push_back(kind);
    details.counts.push_back(count);
  }
  return details;
}

Sys4Decoded Sys4Decoder::decode(const Sys4Row& row) {
  Sys4Decoded result;
  const auto reject = [&](std::string_view reason, const std::string& text) {
    result.rejections = {{reason, text}};
    return result;
  };
  const auto day = day_of(row.day);
  if (!day) return reject("bad-time", row.day);
  if (!is_count(row.total, 1) || !is_count(row.failures, 0) || *row.failures > *row.total) {
    return reject("bad-count", row.policy);
  }
  auto decoded = decoder_.decode(datagram(row));
  if (decoded.verdict != Verdict::kSession || decoded.session.outcomes.size() != 1) {
    return reject(decoded.reason.empty() ? "bad-policies" : decoded.reason, row.policy);
  }
  auto session = std::move(decoded.session);
  session.time = *day;
  const auto details = details_of(row, result.rejections);
  const auto failures = static_cast<std::uint64_t>(*row.failures);
  const auto successes = static_cast<std::uint64_t>(*row.total) - failures;
  for (const auto& share : share_out(successes, failures, details.counts)) {
    auto& outcome = session.outcomes.front();
    outcome.success = share.success;
    outcome.failure_details.clear();
    for (const auto detail : share.details) {
      outcome.failure_details.push_back(details.kinds[detail]);
    }
    session.count = share.count;
    result.sessions.push_back(session);
  }
  return result;
}

}  // namespace rapporteur
