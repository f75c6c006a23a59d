#include "schedule/keeping.h"

#include <algorithm>
#include <array>

#include <unistd.h>

namespace rapporteur {

namespace {

constexpr Seconds kRememberIds{7 * 86'400};
constexpr Seconds kRememberReports{8 * 86'400};

constexpr Seconds kRarestBeat{20};
constexpr int kMissedBeats = 9;

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

StoreOptions store_options(const Config& config) {
  return {.node = config.store.node.empty() ? host_name() : config.store.node,
          .lease = config.store.lease};
}

Seconds beat_every(Seconds lease) {
  return std::clamp(lease / 3, Seconds(1), kRarestBeat);
}

Seconds silence_of_the_dead(Seconds lease) {
  return kMissedBeats * beat_every(lease);
}

Expiry expiry(const Config& config, Time now) {
  const auto keep = std::max({config.store.keep_reports, config.ingest.max_age, kRememberReports});
  return {.finished_before = now - keep,
          .ids_before = now - kRememberIds,
          .received_before = now - config.received.keep};
}

}  // namespace rapporteur
