#include "aggregate/journal.h"

#include <optional>
#include <utility>

#include "aggregate/packed_session.h"
#include "base/varint.h"

namespace rapporteur {

namespace {

constexpr std::uint64_t kVersion = 1;

// Kinds of items in a piece. A number other than these is kFirst + the number that a session of
// this journal got, from 0.
constexpr std::uint64_t kEnd = 0;
constexpr std::uint64_t kNewSession = 1;  // its packed bytes follow
constexpr std::uint64_t kFirst = 2;

// What is said of an entry.
constexpr std::uint64_t kArrived = 1;
constexpr std::uint64_t kUnchecked = 2;
constexpr std::uint64_t kSummed = 4;

// Times in seconds since 1970: the year 10,000, and how long an entry may be.
constexpr std::uint64_t kLatest = 253'402'300'800;
constexpr std::uint64_t kLongest = 3600;

void put_time(Time time, std::string& to) {
  put_number(static_cast<std::uint64_t>(time.time_since_epoch().count()), to);
}

class PieceReader {
 public:
  PieceReader(std::string_view piece, std::vector<std::string_view>& sessions,
              std::shared_ptr<SessionTable> table)
      : rest_(piece), sessions_(sessions), table_(std::move(table)) {}

  std::unique_ptr<Tally> read() {
    if (number() != kVersion) sound_ = false;
    if (number() == 0) sessions_.clear();  // it refers to none before it
    auto tally = std::make_unique<Tally>(std::string(text()), table_);
    tally->set_key(std::string(text()));
    for (auto left = number(); sound_ && left > 0; --left) {
      const auto name = text();
      tally->note(name, number());
    }
    while (sound_) {
      const auto kind = number();
      if (!sound_ || kind == kEnd) break;
      read_entry(kind, *tally);
    }
    return sound_ && rest_.empty() ? std::move(tally) : nullptr;
  }

 private:
  void read_entry(std::uint64_t kind, Tally& tally) {
    if (kind == kNewSession) {
      sessions_.push_back(text());
      sound_ = sound_ && is_packed_session(sessions_.back());
    }
    const auto at = kind == kNewSession ? sessions_.size() - 1 : kind - kFirst;
    if (at >= sessions_.size()) sound_ = false;
    if (!sound_) return;
    Tally::Entry entry;
    entry.packed = sessions_[static_cast<std::size_t>(at)];
    const auto flags = number();
    entry.arrived = (flags & kArrived) != 0;
    entry.unchecked = (flags & kUnchecked) != 0;
    entry.summed = (flags & kSummed) != 0;
    const auto first = number();
    const auto length = number();
    if (first > kLatest || length > kLongest) sound_ = false;
    if (!sound_) return;
    entry.first = Time(Seconds(static_cast<std::int64_t>(first)));
    entry.last = entry.first + Seconds(static_cast<std::int64_t>(length));
    entry.count = number();
    entry.id = text();
    if (entry.count == 0) sound_ = false;
    if (sound_) tally.add(entry);
  }

  std::uint64_t number() {
    const auto taken = take_number(rest_);
    sound_ = sound_ && taken.has_value();
    return taken.value_or(0);
  }

  std::string_view text() {
    const auto taken = take_text(rest_);
    sound_ = sound_ && taken.has_value();
    return taken.value_or(std::string_view());
  }

  std::string_view rest_;
  std::vector<std::string_view>& sessions_;
  std::shared_ptr<SessionTable> table_;
  bool sound_ = true;
};

}  // namespace

std::string JournalWriter::write(const Tally& tally) {
  std::string piece;
  put_number(kVersion, piece);
  put_number(written_.size(), piece);
  put_text(tally.source(), piece);
  put_text(tally.key(), piece);
  const auto counters = tally.counters();
  put_number(counters.size(), piece);
  for (const auto& [name, count] : counters) {
    put_text(name, piece);
    put_number(count, piece);
  }
  tally.for_each([&](const Tally::Entry& entry) {
    const auto [known, is_new] = written_.try_emplace(entry.packed.data(), written_.size());
    if (is_new) {
      put_number(kNewSession, piece);
      put_text(entry.packed, piece);
    } else {
      put_number(kFirst + known->second, piece);
    }
    put_number((entry.arrived ? kArrived : 0) | (entry.unchecked ? kUnchecked : 0) |
                   (entry.summed ? kSummed : 0),
               piece);
    put_time(entry.first, piece);
    put_number(static_cast<std::uint64_t>((entry.last - entry.first).count()), piece);
    put_number(entry.count, piece);
    put_text(entry.id, piece);
  });
  put_number(kEnd, piece);
  return piece;
}

Result<std::vector<std::unique_ptr<Tally>>> read_journal(std::span<const std::string> pieces) {
  std::vector<std::unique_ptr<Tally>> tallies;
  std::vector<std::string_view> sessions;
  const auto table = std::make_shared<SessionTable>();
  for (const auto& piece : pieces) {
    auto tally = PieceReader(piece, sessions, table).read();
    if (!tally) return Error{Fault::kCorrupt, "the store's journal of counts cannot be read"};
    tallies.push_back(std::move(tally));
  }
  return tallies;
}

}  // namespace rapporteur
