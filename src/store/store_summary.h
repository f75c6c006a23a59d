#pragma once
// The state of a store in numbers, for metrics and `rapporteur stats`, and how the names of its
// intake counters are read.

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/delivery.h"
#include "model/received.h"
#include "model/window.h"

namespace rapporteur {

struct StoreSummary {
  Time now;  // when it was made

  // What intake has counted since the store was made, by name; see read_intake_counters().
  std::map<std::string, std::uint64_t> counters;

  std::map<WindowState, std::uint64_t> windows;  // every state
  // Collecting and due windows that could have been run by now.
  std::uint64_t windows_overdue = 0;
  std::optional<Time> overdue_since;  // since when the oldest of them could
  // Due windows that wait for another try after a temporary failure.
  std::uint64_t windows_waiting = 0;

  std::map<DeliveryState, std::uint64_t> deliveries;  // every state
  // How often a delivery has ended in each final state since the store was made; one that was tried
  // again counts each time.
  std::map<DeliveryState, std::uint64_t> deliveries_ended;
  // When the one that has waited longest became due; absent: none is due.
  std::optional<Time> mail_due_since;
  std::optional<Time> https_due_since;
  // When the oldest report was assembled of which deliveries are still open.
  std::optional<Time> open_since;

  std::uint64_t suppressed_automatically = 0;  // destinations and patterns, in force
  std::uint64_t suppressed_by_hand = 0;

  std::map<Trust, std::uint64_t> received;  // reports of others that are kept; every class

  bool paused_everything = false;  // what holds at `now`
  bool paused_smtp = false;        // also by `everything`
  bool paused_https = false;

  std::uint64_t session_ids = 0;  // remembered
  std::uint64_t database_bytes = 0;
  std::uint64_t free_bytes = 0;                  // of these: in pages that hold nothing
  std::uint64_t wal_bytes = 0;                   // the write-ahead log beside it
  std::optional<std::uint64_t> disk_free_bytes;  // absent: the store is on no disk
  int schema_version = 0;
};

// What one source of sessions (datagram, http, elasticsearch, file) has brought.
struct SourceCounts {
  std::uint64_t accepted = 0;
  std::uint64_t late = 0;                         // of these: opened or joined a supplement
  std::map<std::string, std::uint64_t> rejected;  // by reason
  std::map<std::string, std::uint64_t> ignored;
  std::map<std::string, std::uint64_t> dropped;
};

struct IntakeCounts {
  std::map<std::string, SourceCounts> sources;
  std::uint64_t recipient_domain_guessed = 0;
};

// Counters of what early lookups dropped: windows of domains without a TLSRPT record, and the
// sessions that had been counted in them.
inline constexpr std::string_view kDroppedWindows = "dropped.windows";
inline constexpr std::string_view kDroppedSessions = "dropped.sessions";

// Counters are named "SOURCE.accepted", "SOURCE.late", "SOURCE.rejected.REASON",
// "SOURCE.ignored.REASON", "SOURCE.dropped.REASON" and "SOURCE.recipient_domain_guessed". Those of
// older stores lack the source: theirs is "unknown". Other names are left out.
IntakeCounts read_intake_counters(const std::map<std::string, std::uint64_t>& counters);

// What became of the reports that others sent, since the store was made.
struct ReceivedCounts {
  std::map<std::string, std::uint64_t> stored;   // by class
  std::map<std::string, std::uint64_t> refused;  // by reason
  std::uint64_t duplicates = 0;
  std::uint64_t new_failures = 0;
};

// Of the counters "received.stored.CLASS", "received.refused.REASON", "received.duplicate" and
// "received.new-failures".
ReceivedCounts read_received_counters(const std::map<std::string, std::uint64_t>& counters);

std::uint64_t sum(const std::map<std::string, std::uint64_t>& by_reason);

}  // namespace rapporteur
