#pragma once
// From the lines or datagrams of one source to a tally: decodes, applies the rules of intake, and
// counts. What a line without a time or an id said is remembered by its bytes, so that the same
// line costs no more than a hash when it comes again; so is what was none at all.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "aggregate/tally.h"
#include "ingest/decoder.h"

namespace rapporteur {

struct LineCounterOptions {
  std::string source = "file";  // first word of the counters: "datagram", "http", …
  Format format = Format::kAuto;
  IntakeRules rules;
  std::optional<Time> at;  // the time of lines that carry none; absent: when they are taken
  // While the tally takes more memory, lines that say something new are dropped and counted as
  // "SOURCE.dropped.memory-full"; what has been seen before is counted on.
  std::size_t max_bytes = std::size_t{1} << 30;
  // What is remembered of earlier lines may take so much memory. Beyond it all of it is forgotten
  // at the next hand_over().
  std::size_t max_remembered = std::size_t{128} << 20;
};

// One thread.
class LineCounter {
 public:
  explicit LineCounter(LineCounterOptions options);
  ~LineCounter();
  LineCounter(LineCounter&&) noexcept;
  LineCounter& operator=(LineCounter&&) noexcept;

  struct Taken {
    Verdict verdict = Verdict::kRejected;
    // Why it was rejected or ignored, one stable word in static storage; empty with kSession.
    std::string_view reason;
  };

  // Takes one line at the time `now` and notes what came of it in the tally's
  // counters: "SOURCE.accepted", "SOURCE.rejected.REASON", "SOURCE.ignored.REASON".
  Taken take(std::string_view line, Time now);

  // What was counted since the last call; the next line begins a new one. Never null.
  std::unique_ptr<Tally> hand_over();

  // Throws away what was counted since then, and what is remembered of earlier lines.
  void forget();

  // The present tally.
  Tally& tally() { return *tally_; }

  void set_rules(const IntakeRules& rules) { options_.rules = rules; }

 private:
  Taken take_new(std::string_view line, const Hash128& key, Time now);
  void count_again(SessionTable::Number number, Time now);
  Taken leave_out(Verdict verdict, std::string_view reason);

  LineCounterOptions options_;
  Decoder decoder_;
  std::shared_ptr<SessionTable> known_;  // by the bytes of the line
  std::unique_ptr<Tally> tally_;
  std::string packed_;   // scratch
  std::string counter_;  // scratch

  struct KeyHash {
    std::size_t operator()(const Hash128& key) const { return static_cast<std::size_t>(key.low); }
  };
  // What was no session, by the bytes of the line, so that a flood of rubbish costs no more than as
  // many sessions.
  std::unordered_map<Hash128, Taken, KeyHash> rubbish_;
};

}  // namespace rapporteur
