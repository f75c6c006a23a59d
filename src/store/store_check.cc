#include "store/store_check.h"

#include <array>
#include <cstddef>

namespace rapporteur {

namespace {

struct KindWords {
  std::string_view name;
  std::string_view advice;
};

constexpr std::array<KindWords, 10> kKinds = {{
    {"database", "stop the daemon and put a backup in place"},
    {"unknown-word",
     "a newer program or a foreign hand wrote it: use the newer program, or put a "
     "backup in place"},
    {"impossible", "a foreign hand wrote it: put a backup in place"},
    {"window-sums",
     "reports tell the counts of the policies; cancel the window if these are wrong, too"},
    {"detail-number",
     "reports tell the details that are there; the bound of [ingest] "
     "detailsPerPolicy is judged by the wrong number"},
    {"orphan", "nothing is sent of these rows; put a backup in place to have what they belong to"},
    {"window-state",
     "`rapporteur schedule cancel` ends the window; `rapporteur delivery retry` "
     "sends its report"},
    {"delivery-state",
     "`rapporteur delivery retry` sends it, `rapporteur delivery abandon` ends "
     "it"},
    {"overlap", "sessions of that time may be told twice: cancel one of the two"},
    {"state-count", "`stats` and the metrics tell a wrong number; nothing else uses it"},
}};

}  // namespace

std::string_view to_string(FindingKind kind) {
  return kKinds.at(static_cast<std::size_t>(kind)).name;
}

std::string_view advice(FindingKind kind) {
  return kKinds.at(static_cast<std::size_t>(kind)).advice;
}

}  // namespace rapporteur
