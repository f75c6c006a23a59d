#pragma once
// Tables of what strangers write, each with its one outcome. A row more is a line more in one of
// the *_rows.cc files; table_test.cc says how outcomes are written.

#include <string>
#include <vector>

namespace rapporteur::hostile {

// The TXT answers for one name, each as its character-strings (one that is longer than 255 bytes
// stands for as many as it needs). `want` has the status and the problem on its first line, then
// "+ URI" for each destination, "- URI: why" for each that is skipped.
struct RecordRow {
  const char* name;
  std::vector<std::vector<std::string>> answers;
  std::string want;
};
std::vector<RecordRow> record_rows();

// One destination. `want` is its usable form, or "refused: why"; behind the form of an https URI
// with an address in it stands what the guard says of the address.
struct UriRow {
  const char* name;
  std::string uri;
  std::string want;
};
std::vector<UriRow> mailto_rows();
std::vector<UriRow> https_rows();

// One line or datagram. `want` is "rejected FORMAT WHY", "ignored FORMAT WHY", or the session as
// outcome() in table_test.cc writes it.
struct EventRow {
  const char* name;
  std::string line;
  std::string want;
};
std::vector<EventRow> frame_rows();
std::vector<EventRow> libtlsrpt_rows();
std::vector<EventRow> momentum_rows();
std::vector<EventRow> halon_rows();
std::vector<EventRow> native_rows();

// One text of its own and what it becomes; empty: it is absent.
enum class Word {
  kDomain,     // normalise_domain()
  kMxPattern,  // normalise_mx_pattern()
  kMxRecord,   // a host's name in the data of an MX record, in wire form
  kHelo,
  kIp,
  kReason,       // failure-reason-code
  kUriOrReason,  // additional-information: "uri …" or "reason …"
  kStsLines,     // one text of policy-string, its lines joined by "|", then " mx " and the patterns
  kTlsaRecord,
  kSeenRecord,  // the TXT record that an MTA saw
  kReply,       // an SMTP server's line, as it is stored
};
struct WordRow {
  const char* name;
  Word word;
  std::string text;
  std::string want;
};
std::vector<WordRow> word_rows();

}  // namespace rapporteur::hostile
