#pragma once
// What becomes of a report that others sent, told from what is kept already, for every store
// (ReceivedStore::add_received() has the promises).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/received.h"
#include "store/received_store.h"
#include "store/rows.h"

namespace rapporteur {

// A kept report of the same key.
struct KeptTwin {
  std::int64_t number = 0;
  std::string id;
  std::string digest;
  std::string part;
  std::string signer;
  Trust trust = Trust::kUnverified;
  Time received;
  std::int64_t new_failures = 0;
};

// The columns that read_twin() expects, from column 0.
inline constexpr std::string_view kTwinColumns =
    "number, id, digest, part, signer, trust, received, new_failures";

// The columns that read_kept() expects, from column 0, of table received as r.
inline constexpr std::string_view kReceivedColumns =
    "r.number, r.id, r.organization, r.contact, r.report_id, r.starts, r.ends, r.received,"
    " r.trust, r.signer, r.voucher, r.source, r.successful, r.failed, r.domains, r.oddities,"
    " r.new_failures";

struct ReceivedFate {
  ReceivedAdded::Kind kind = ReceivedAdded::Kind::kStored;
  const KeptTwin* kept = nullptr;  // what it is found to be, or replaces; absent for kStored
  bool same = true;                // it tells the same as that
};

// `twins` are the kept reports of the addition's key, the oldest first.
ReceivedFate fate_of(const ReceivedAddition& addition, std::span<const KeptTwin> twins);

// The ids that a report may get, one after the other: the first that no other report has is its.
// They are short enough for somebody to make two of them collide.
class ReceivedIds {
 public:
  // `first`: no other report of its key is kept.
  ReceivedIds(const ReceivedAddition& addition, bool first);
  std::string next();

 private:
  std::string digest_;
};

// Whether failures that a report of this class tells of are news.
bool is_counted(const ReceivedAddition& addition, Trust trust);

// Whether a filter's id means all ids that begin with it: those that are less than it with a "g".
bool is_beginning_of_id(const std::string& id);

template <class Database>
Trust read_trust(Database& database, const std::string& text) {
  const auto trust = parse_trust(text);
  if (!trust) database.fail(Fault::kCorrupt, "a report has the unknown class '" + text + "'");
  return trust.value_or(Trust::kUnverified);
}

// `digest` is the row's, in bytes.
template <class Database, class Row>
KeptTwin read_twin(Database& database, const Row& row, std::string digest) {
  return {row.integer(0), row.text(1),   std::move(digest),
          row.text(3),    row.text(4),   read_trust(database, row.text(5)),
          row.time(6),    row.integer(7)};
}

template <class Database>
std::vector<std::string> read_list(Database& database, const std::string& packed) {
  auto list = unpack(packed);
  if (!list) database.fail(Fault::kCorrupt, "a received report is unreadable");
  return list ? *std::move(list) : std::vector<std::string>();
}

template <class Database, class Row>
KeptReport read_kept(Database& database, const Row& row) {
  KeptReport report;
  report.number = row.integer(0);
  report.id = row.text(1);
  report.organization = row.text(2);
  report.contact = row.text(3);
  report.report_id = row.text(4);
  report.start = row.time(5);
  report.end = row.time(6);
  report.received = row.time(7);
  report.trust = read_trust(database, row.text(8));
  report.signer = row.text(9);
  report.voucher = row.text(10);
  report.source = row.text(11);
  report.successful = row.count(12);
  report.failed = row.count(13);
  report.domains = read_list(database, row.text(14));
  report.oddities = read_list(database, row.text(15));
  report.new_failures = row.count(16);
  return report;
}

}  // namespace rapporteur
