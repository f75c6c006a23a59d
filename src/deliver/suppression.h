#pragma once
// Which destinations get no reports: those that the administrator named, and those that failed for
// good again and again. docs/design.md, "Mail, DKIM, delivery".

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "model/delivery.h"
#include "store/store.h"

namespace rapporteur {

// A destination is suppressed by itself when the reports of so many windows failed, over at least
// [delivery] suppressAfter, with no success between.
constexpr std::size_t kWindowsToSuppress = 3;
// For so long at first; each time that the probe after it fails, for twice as long.
constexpr Seconds kFirstSpell = std::chrono::hours(30 * 24);
constexpr Seconds kLongestSpell = std::chrono::hours(180 * 24);

// The pattern of model/suppression.h that `text` means, brought into its one form. Fails with
// Fault::kInput and says what may be written.
Result<std::string> parse_suppression(std::string_view text);

// Every pattern that holds for reports about `domain` to `destination`, the most specific first.
std::vector<std::string> suppression_patterns(std::string_view destination,
                                              std::string_view domain);

// The pattern under which the destination alone is suppressed.
std::string pattern_of_destination(std::string_view destination);

// What the list says about a delivery.
struct Permit {
  bool go = true;
  std::string why;       // not to go: "suppressed until 2026-12-01T00:00:00Z: …"
  std::string probe_of;  // to go as the probe of this pattern
};

// One thread; used with the store's thread.
class Suppressor {
 public:
  Suppressor(Store& store, Log& log) : store_(store), log_(log) {}

  void set_suppress_after(Seconds suppress_after) { suppress_after_ = suppress_after; }

  // For each whether the list says anything about it: what it says, ask() tells.
  Result<std::vector<bool>> listed(std::span<const Store::Submission> submissions);

  // Whether a delivery may be tried. Each fails as the store does.
  Result<Permit> ask(const Delivery& delivery, Time now);

  // A delivery has been accepted that was the probe of `pattern`: the suppression is lifted.
  Result<void> probe_accepted(const std::string& pattern, Time now);

  // A delivery has failed or bounced in a way that counts, and that is recorded. `response` is what
  // the destination said last.
  Result<void> failed(const std::string& delivery, const std::string& destination,
                      const std::string& response, Time now);

 private:
  Store& store_;
  Log& log_;
  Seconds suppress_after_ = std::chrono::hours(72);
};

// Whether it holds at `now`.
bool in_force(const Suppression& suppression, Time now);

}  // namespace rapporteur
