#pragma once
// What follows from the end of a delivery for the others of its part: settled in memory on rows
// that are locked by their window's, and written back in one statement.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "model/delivery.h"
#include "store/pg.h"

namespace rapporteur {

// Of tables d, w and p, as kDeliveryColumns names them, and a column for what is submitted.
inline const std::string kDeliveryTables =
    " FROM deliveries AS d JOIN windows AS w ON w.domain = d.domain AND w.id = d.window_id"
    " JOIN parts AS p ON p.domain = d.domain AND p.window_id = d.window_id AND p.number = d.part ";
inline const std::string kDeliveryBody = "CASE WHEN d.mail THEN p.mail_body ELSE p.gz END";

// Why the fallbacks of a part were abandoned: the only reason that a bounce takes back.
inline constexpr std::string_view kNotNeeded =
    "not needed: another destination has accepted the report";

// Where a delivery belongs.
struct DeliveryPlace {
  std::string domain;
  WindowId window = 0;
  int part = 1;

  friend auto operator<=>(const DeliveryPlace&, const DeliveryPlace&) = default;
};

// What changes in a row of deliveries.
struct DeliveryRow {
  std::string id;
  int rank = 0;
  DeliveryState state = DeliveryState::kPending;
  bool fallback = false;
  bool waiting = false;
  std::int64_t attempts = 0;
  std::optional<Time> first_attempt;
  std::optional<Time> next_attempt;
  std::optional<Time> ended;
  std::optional<Time> handed_over;
  bool blamed = false;
  std::string last_response;
  bool begun = false;    // an attempt has
  bool foreign = false;  // another node holds it
  bool changed = false;
};

// How often deliveries have ended in each final state: counters "ended.STATE".
using EndedCounts = std::map<std::string, std::uint64_t>;

// A row of a delivery that is to be stored for the first time; it is counted if it has ended.
DeliveryRow row_of(const Delivery& delivery, EndedCounts& ended);

// Once a destination has accepted the part, its waiting fallbacks are not needed. While none has
// and none is being tried, the next of them begins. `rows` are all of the part.
void settle_part(std::span<DeliveryRow> rows, Time now, EndedCounts& ended);

bool any_open(std::span<const DeliveryRow> rows);

// The deliveries of some parts, within one transaction that writes.
class DeliveryBook {
 public:
  // Locks the windows of the places, then reads all deliveries of the parts. `node` is this one's
  // name.
  DeliveryBook(PgDatabase& database, const std::set<DeliveryPlace>& places,
               const std::string& node);

  // nullptr: there is none such.
  DeliveryRow* find(const DeliveryPlace& place, std::string_view id);

  // Changes the state, and counts it if it is final.
  void move(DeliveryRow& row, DeliveryState state);

  void settle(const DeliveryPlace& place, Time now);
  // The success for which fallbacks were abandoned was none.
  void revive_fallbacks(const DeliveryPlace& place);
  // The window is assembled again, if it was done, with or without its reason.
  void reopen(const DeliveryPlace& place, bool without_reason);

  // Writes what has changed, and ends windows that have no open delivery any more. Returns what is
  // to be added to the counters.
  EndedCounts store();

 private:
  void lock_windows(const std::set<DeliveryPlace>& places);
  void read(const std::set<DeliveryPlace>& places);
  void write_rows();
  void write_reopened();
  void write_done();

  using WindowPlace = std::pair<std::string, WindowId>;

  PgDatabase& database_;
  const std::string& node_;
  std::map<DeliveryPlace, std::vector<DeliveryRow>> parts_;
  std::map<WindowPlace, bool> reopened_;  // true: without its reason
  std::map<WindowPlace, Time> settled_;   // when
  EndedCounts ended_;
};

}  // namespace rapporteur
