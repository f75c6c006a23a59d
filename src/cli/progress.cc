#include "cli/progress.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/print.h"

namespace rapporteur {

namespace {

constexpr std::chrono::milliseconds kSilent{500};
constexpr std::chrono::milliseconds kEvery{200};
constexpr std::chrono::seconds kEveryElsewhere{10};
constexpr std::string_view kWipe = "\r\x1b[K";

std::string grouped(std::uint64_t number) {
  auto digits = std::to_string(number);
  for (auto place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3) {
    digits.insert(static_cast<std::size_t>(place), ",");
  }
  return digits;
}

}  // namespace

std::string progress_text(std::string_view what, std::string_view unit, std::uint64_t done,
                          std::uint64_t total, std::uint64_t first,
                          std::chrono::nanoseconds elapsed) {
  std::string text(what);
  text += ": ";
  if (total > 0) {
    const auto share = 100.0 * static_cast<double>(done) / static_cast<double>(total);
    text += fmt::format("{:.0f} %, ", share);
  }
  const auto seconds = std::chrono::duration<double>(elapsed).count();
  if (seconds > 0 && done > first) {
    const auto rate = static_cast<double>(done - first) / seconds;
    const Seconds left(static_cast<std::int64_t>(static_cast<double>(total - done) / rate) + 1);
    if (total > done) text += fmt::format("{} left, ", format_duration(left));
    text += fmt::format("{} {} a second, ", grouped(static_cast<std::uint64_t>(rate)), unit);
  }
  text += grouped(done);
  if (total > 0) text += " of " + grouped(total);
  return text.append(" ").append(unit);
}

Progress::Progress(const World& world, std::string what, std::string unit, Where where,
                   SteadyNow now)
    : world_(world),
      what_(printable(what)),
      unit_(std::move(unit)),
      at_terminal_(world.err_terminal.columns > 0),
      told_elsewhere_(!at_terminal_ && where == Where::kEverywhere),
      now_(std::move(now)),
      began_(now_()),
      written_(began_) {}

Progress::~Progress() {
  wipe();
  if (told_elsewhere_ && behind_) write(now_());
}

void Progress::wipe() {
  if (std::exchange(shown_, false)) world_.err << kWipe << std::flush;
}

void Progress::tell(std::uint64_t done, std::uint64_t total, std::optional<std::uint64_t> from) {
  if (!at_terminal_ && !told_elsewhere_) return;
  const auto now = now_();
  if (!first_at_ || (from && *from != first_)) {
    first_ = from.value_or(done);
    first_at_ = now;
  }
  done_ = done;
  total_ = total;
  behind_ = true;
  if (is_time(now)) write(now);
}

bool Progress::is_time(SteadyTime now) const {
  if (told_elsewhere_) return now - written_ >= kEveryElsewhere;
  return now - began_ >= kSilent && (!shown_ || now - written_ >= kEvery);
}

void Progress::write(SteadyTime now) {
  written_ = now;
  behind_ = false;
  const auto text = progress_text(what_, unit_, done_, total_, first_, now - *first_at_);
  if (told_elsewhere_) {
    world_.err << text << std::endl;
    return;
  }
  shown_ = true;
  // A line that is longer than the terminal could not be written over. What matters most comes
  // first.
  const auto columns = std::max<std::size_t>(world_.err_terminal.columns, 2);
  world_.err << kWipe << truncate_utf8(text, columns - 1) << std::flush;
}

}  // namespace rapporteur
