// What Store says about one window or delivery, in terms of what it says about several.

#include "store/store.h"

#include <span>
#include <utility>

namespace rapporteur {

namespace {

// What was said of the one that was asked about.
Result<bool> only(Result<std::vector<bool>> answers) {
  if (!answers) return std::move(answers).error();
  return static_cast<bool>(answers->at(0));
}

}  // namespace

Result<bool> Store::conclude(const Conclusion& conclusion) {
  return only(conclude(std::span(&conclusion, 1)));
}
Result<bool> Store::retry_delivery(const std::string& delivery, Time now) {
  return only(retry_deliveries(std::span(&delivery, 1), now));
}
Result<bool> Store::abandon_delivery(const std::string& delivery, const std::string& reason,
                                     Time now) {
  return only(abandon_deliveries(std::span(&delivery, 1), reason, now));
}
Result<bool> Store::hold(WindowId window, const std::string& reason, Time now) {
  return only(hold(std::span(&window, 1), reason, now));
}
Result<bool> Store::release(WindowId window, Time now) {
  return only(release(std::span(&window, 1), now));
}
Result<bool> Store::cancel(WindowId window, const std::string& reason, Time now) {
  return only(cancel(std::span(&window, 1), reason, now));
}
Result<bool> Store::send_now(WindowId window, Time now) {
  return only(send_now(std::span(&window, 1), now));
}

}  // namespace rapporteur
