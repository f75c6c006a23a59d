#pragma once
// Reads the JSON of a TLS report (RFC 8460, section 4.4) as reporters really write it: what can be
// understood is, and what was odd is told. docs/received.md lists the habits. Any input is allowed;
// memory is bounded by the limits here, time by the size of the text.

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "model/received.h"

namespace rapporteur {

struct ReadLimits {
  std::size_t json_bytes = std::size_t{64} << 20;
  std::size_t depth = 32;         // arrays and objects within each other
  std::size_t policies = 10'000;  // in a report
  std::size_t details = 250'000;  // in a report
  std::size_t lines = 100'000;    // of policies and their MX patterns, in a report
  std::size_t text_bytes = 4096;  // longer texts are cut at a character and marked with "…"
  std::size_t oddities = 50;
};

// Fails with Fault::kInput and one line that says why if the text is no JSON, is no report, or
// passes a limit other than those of a text's length and of oddities. Any thread.
Result<ReceivedReport> read_report(std::string_view json, const ReadLimits& limits = {});

// Adds up without passing 2^53 - 1 (I-JSON, RFC 7493, section 2.2).
std::uint64_t add_counts(std::uint64_t a, std::uint64_t b);

}  // namespace rapporteur
