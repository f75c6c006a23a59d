#pragma once
// From one line or datagram of an MTA to a Session: docs/formats.md describes the formats, section
// "Counting" of docs/design.md how values are normalised. Decides nothing about windows or time.

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "model/session.h"

namespace rapporteur {

enum class Format { kAuto, kTlsrpt, kMomentum, kHalon, kNative };

// "auto", "tlsrpt", "momentum", "halon", "native".
std::string_view to_string(Format format);
std::optional<Format> parse_format(std::string_view text);

enum class Verdict {
  kSession,   // `session` is to be counted (or dropped, if it is marked as an own report)
  kIgnored,   // nothing to count, and nothing wrong
  kRejected,  // not understood
};

struct Decoded {
  Verdict verdict = Verdict::kRejected;
  Session session;          // only with kSession; complete and normalised
  std::string_view reason;  // why it is ignored or rejected: one stable word such as "not-json",
                            // for metrics, in static storage; empty with kSession
  Format format = Format::kAuto;  // what it was read as; kAuto: it was not recognised
};

// Longer lines are rejected as "line-too-long".
inline constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;

// Understands hostile input: any bytes give a verdict. A line holds one JSON object, after a log
// prefix if there is one. Where a key occurs twice in an object the first one counts. One thread;
// its buffers are reused from line to line.
class Decoder {
 public:
  // With kAuto every line's format is recognised by its keys.
  explicit Decoder(Format format = Format::kAuto);
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  Decoded decode(std::string_view line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rapporteur
