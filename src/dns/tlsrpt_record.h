#pragma once
// The TXT record at "_smtp._tls.<domain>" with which a domain asks for TLS reports: RFC 8460,
// section 3. No I/O here; see dns/resolver.h for the lookup.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

struct SkippedUri {
  std::string uri;  // as published, controls removed
  std::string why;  // "not a mailto or https URI", "more than one @ …"
};

enum class RecordStatus {
  kOk,
  kNone,       // no TXT record that begins like a TLSRPT record
  kSeveral,    // more than one: the domain does not take part (RFC 8460, section 3)
  kInvalid,    // exactly one, malformed or without a usable URI
  kTemporary,  // the lookup gave no definite answer
};

std::string_view to_string(RecordStatus status);  // "ok", "none", …

struct TlsrptRecord {
  RecordStatus status = RecordStatus::kNone;
  std::string text;     // the record, or empty
  std::string problem;  // kInvalid, kSeveral: one sentence
  // Usable destinations in published order, each once: "mailto:local@domain" percent-decoded but
  // for '%' and '?' in the local part (model/delivery.h has the address), with A-labels and without
  // "?…"; "https://host…" with the host in A-labels.
  std::vector<std::string> rua;
  std::vector<SkippedUri> skipped;
};

// The name to look up: "_smtp._tls.example.org".
std::string tlsrpt_name(std::string_view domain);

// Chooses among all TXT answers for the name and parses the one. Hostile input is expected.
TlsrptRecord read_tlsrpt_answers(std::span<const std::string> answers);

// Parses one record whose character-strings are already joined.
TlsrptRecord parse_tlsrpt_record(std::string_view text);

// Brings one destination into its usable form, as for `rua` above; also for reportTo and the
// command line. `why` says what is wrong if it has none.
struct UsableUri {
  std::string uri;  // empty: unusable
  std::string why;
};
UsableUri usable_destination(std::string_view uri);

}  // namespace rapporteur
