#pragma once
// What every subcommand stands on: the world, the configuration, the store, and how failures are
// told.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "config/config.h"

namespace rapporteur {

struct Context {
  const World& world;
  std::string config_path;
  bool json = false;

  Time now() const { return world.clock.now(); }
  void print(const Json& json_value) const { world.out << json_value.text() << '\n'; }
};

// One line on standard error and, for programs, {"error": …} on standard output. Returns `code`.
int fail(const Context& context, std::string_view text, int code = kExitFailed);
// The same for what a room reports: kExitConfig if the administrator must edit a file.
int fail(const Context& context, const Error& error);

// A diagnostic as an object: file, line, column, severity, message, suggestion.
Json diagnostic_json(const ConfigDiagnostic& diagnostic);

// The configuration, or null after its errors were printed: the command ends with kExitConfig then.
std::shared_ptr<const Config> load(const Context& context);

// Configuration and store. Without a store, everything was said and `exit_code` is what to end
// with.
struct Opened {
  std::shared_ptr<const Config> config;
  std::unique_ptr<Store> store;
  int exit_code = kExitDone;

  explicit operator bool() const { return store != nullptr; }
};
Opened open(const Context& context);

// As [dns] says.
Result<std::unique_ptr<Resolver>> make_resolver(const Context& context, const DnsConfig& dns);

// What the DNS says about the domain's TLSRPT record.
DnsAnswer look_up(Resolver& resolver, const std::string& domain);

// Warnings and errors of the rooms below, as log lines on standard error.
std::unique_ptr<Log> make_log(const Context& context, const LogConfig& config);

// A recipient domain as it was typed ("Bücher.Example"), or a glob ("*.example.org") if it holds
// '*' or
// '?', in the form in which the store knows it. Fails with Fault::kInput.
Result<std::string> domain_pattern(std::string_view text);
bool is_glob(std::string_view text);

// Bulk actions ask before they touch more rows than this.
inline constexpr std::size_t kRowsWithoutAsking = 100;

// Bulk actions change so many rows in one transaction: one at a time would wait for the disk each
// time, and all at once would keep others from the store.
inline constexpr std::size_t kRowsAtOnce = 100;

// Views of `rows`, one transaction each.
template <class Row>
std::vector<std::span<Row>> pages_of(std::vector<Row>& rows) {
  std::vector<std::span<Row>> pages;
  for (std::span<Row> left(rows); !left.empty(); left = left.subspan(pages.back().size())) {
    pages.push_back(left.first(std::min(kRowsAtOnce, left.size())));
  }
  return pages;
}

// Whether an action on so many rows may go on: they are few, `yes` was given, or the person agrees.
// `question` is what would happen: "hold 240 windows of 13 domains".
bool may_touch(const Context& context, std::size_t rows, bool yes, std::string_view question);

// The pause as listings tell it. Nullopt: nothing is paused.
struct PauseNotice {
  Json json;
  std::string text;  // "PAUSED until …: nothing is assembled or delivered"
};
Result<std::optional<PauseNotice>> pause_notice(const Context& context, Store& store);

// All rows that a filter finds, whatever its limit.
Result<std::vector<Window>> all_windows(Store& store, WindowFilter filter);

// Until when the domain is known to publish no TLSRPT record, so that its sessions are only counted
// in a metric. Absent: it is not.
Result<std::optional<Time>> silent_until(Store& store, const std::string& domain, Time now);
// The same in words.
std::string silence_text(Time until, Time now);
Result<std::vector<Delivery>> all_deliveries(Store& store, DeliveryFilter filter);

// Oldest first, supplements after their window.
void sort_by_period(std::vector<Window>& windows);

}  // namespace rapporteur
