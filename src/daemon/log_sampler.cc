#include "daemon/log_sampler.h"

namespace rapporteur {

bool LogSampler::due(std::string_view event, std::string_view kind) {
  auto key = std::string(event) + '/' + std::string(kind);
  const auto now = clock_.now();
  const std::lock_guard lock(mutex_);
  if (last_.size() >= kMostKinds && !last_.contains(key)) key = std::string(event);
  const auto [last, fresh] = last_.try_emplace(std::move(key), now);
  if (fresh) return true;
  // Ahead of now: the clock was set back.
  if (last->second <= now && now - last->second < kEvery) return false;
  last->second = now;
  return true;
}

void LogSampler::warning(std::string_view event, std::string_view kind,
                         std::initializer_list<LogField> fields) {
  if (due(event, kind)) log_.write(LogLevel::kWarning, event, fields);
}

}  // namespace rapporteur
