#pragma once
// From a row of tlsrpt-collectd's database to the sessions that it sums up. The collector has added
// up a day's datagrams: how many had a policy, how many of these failed, and how often each failure
// detail came. Which details came together is not known; any sessions that give these sums do.
// Pure.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/decoder.h"
#include "ingest/sys4_database.h"
#include "model/session.h"

namespace rapporteur {

// Equal sessions of a row.
struct Sys4Share {
  bool success = false;
  std::uint64_t count = 0;           // at least 1
  std::vector<std::size_t> details;  // which of the row's, ascending
};

// Sessions with these sums: `successes` and `failures`, and each detail as often as `details` says,
// in failed ones if there are enough of them. A detail is in a session once at most, so one that
// came more often than there are sessions is cut to their number.
std::vector<Sys4Share> share_out(std::uint64_t successes, std::uint64_t failures,
                                 std::span<const std::uint64_t> details);

// What could not be understood.
struct Sys4Rejection {
  std::string_view reason;  // one stable word, in static storage
  std::string text;         // what stood there
};

struct Sys4Decoded {
  std::vector<Session> sessions;  // of the row; their time is the beginning of its UTC day
  // The row itself, if there are no sessions; else single details, whose sessions are counted
  // without them.
  std::vector<Sys4Rejection> rejections;
};

// Understands hostile rows: any texts and numbers give a verdict. One thread.
class Sys4Decoder {
 public:
  Sys4Decoder() : decoder_(Format::kTlsrpt) {}
  Sys4Decoded decode(const Sys4Row& row);

 private:
  struct Details;
  Details details_of(const Sys4Row& row, std::vector<Sys4Rejection>& rejections);

  Decoder decoder_;
};

}  // namespace rapporteur
