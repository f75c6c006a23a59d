#include "aggregate/spilled_counts.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "aggregate/journal.h"
#include "base/hash.h"
#include "base/varint.h"

namespace rapporteur {

namespace {

constexpr std::string_view kMagic = "RPTSPILL";
constexpr char kVersion = 1;
constexpr std::size_t kHashBytes = 32;

Error corrupt(std::string_view why) {
  return {Fault::kCorrupt, "no file of spilled counts: " + std::string(why)};
}

struct Body {
  FlushId flush;
  std::vector<std::string> pieces;
};

std::optional<Body> read_body(std::string_view rest) {
  Body body;
  const auto source = take_text(rest);
  const auto number = take_number(rest);
  const auto count = take_number(rest);
  if (!source || !number || !count || source->empty() || *number > INT64_MAX) return std::nullopt;
  body.flush = {std::string(*source), static_cast<std::int64_t>(*number)};
  for (auto left = *count; left > 0; --left) {
    const auto piece = take_text(rest);
    if (!piece) return std::nullopt;
    body.pieces.emplace_back(*piece);
  }
  if (!rest.empty()) return std::nullopt;
  return body;
}

}  // namespace

std::string write_spilled_counts(const FlushId& flush, std::span<const Tally* const> tallies) {
  std::string body;
  put_text(flush.source, body);
  put_number(static_cast<std::uint64_t>(flush.number), body);
  put_number(tallies.size(), body);
  JournalWriter writer;
  for (const auto* tally : tallies) put_text(writer.write(*tally), body);

  std::string bytes(kMagic);
  bytes += kVersion;
  bytes += sha256(body);
  bytes += body;
  return bytes;
}

Result<SpilledCounts> read_spilled_counts(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return corrupt("it begins otherwise");
  bytes.remove_prefix(kMagic.size());
  if (bytes.empty() || bytes.front() != kVersion) return corrupt("its version is another one");
  bytes.remove_prefix(1);
  if (bytes.size() < kHashBytes) return corrupt("it is cut off");
  const auto hash = bytes.substr(0, kHashBytes);
  bytes.remove_prefix(kHashBytes);
  if (sha256(bytes) != hash) return corrupt("its checksum is wrong");
  auto body = read_body(bytes);
  if (!body) return corrupt("it cannot be read");
  auto tallies = read_journal(body->pieces);
  if (!tallies) return corrupt("it cannot be read");
  return SpilledCounts{std::move(body->flush), *std::move(tallies)};
}

}  // namespace rapporteur
