#include "daemon/metrics.h"

#include <algorithm>

namespace rapporteur {

void DurationHistogram::observe(std::chrono::nanoseconds duration) {
  const auto positive = std::max(duration, std::chrono::nanoseconds(0));
  const auto seconds = std::chrono::duration<double>(positive).count();
  const auto bound = std::ranges::lower_bound(kBounds, seconds);
  const auto place = static_cast<std::size_t>(bound - kBounds.begin());
  counts_.at(place).fetch_add(1, std::memory_order_relaxed);
  nanoseconds_.fetch_add(static_cast<std::uint64_t>(positive.count()), std::memory_order_relaxed);
}

DurationHistogram::Reading DurationHistogram::read() const {
  Reading reading;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    reading.counts.at(i) = counts_.at(i).load(std::memory_order_relaxed);
  }
  constexpr double kNanosecond = 1e-9;
  reading.sum = static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) * kNanosecond;
  return reading;
}

void HttpRouteMetrics::answered(int status, std::chrono::nanoseconds took) {
  duration.observe(took);
  const auto status_class = std::clamp(status / 100, 1, 5) - 1;
  by_class.at(static_cast<std::size_t>(status_class)).add();
}

HttpRouteMetrics& DaemonMetrics::http_route(std::string_view name) {
  const std::lock_guard lock(routes_mutex_);
  return routes_.try_emplace(std::string(name)).first->second;
}

std::vector<std::pair<std::string, const HttpRouteMetrics*>> DaemonMetrics::http_routes() const {
  const std::lock_guard lock(routes_mutex_);
  std::vector<std::pair<std::string, const HttpRouteMetrics*>> found;
  for (const auto& [name, route] : routes_) found.emplace_back(name, &route);
  return found;
}

BuildInfo build_info() {
#if defined(__clang__)
  return {RAPPORTEUR_VERSION, "clang " __clang_version__};
#else
  return {RAPPORTEUR_VERSION, "gcc " __VERSION__};
#endif
}

}  // namespace rapporteur
