#include "cli/context.h"

#include <algorithm>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/domain.h"
#include "base/text.h"
#include "cli/print.h"
#include "dns/tlsrpt_record.h"
#include "schedule/dns_answers.h"
#include "schedule/keeping.h"
#include "schedule/runner.h"

namespace rapporteur {

namespace {

constexpr std::size_t kPage = 1000;  // rows asked of the store at once

class StreamLog final : public Log {
 public:
  StreamLog(const World& world, LogLevel least, LogFormat format)
      : world_(world), least_(least), format_(format) {}

  void write(LogLevel level, std::string_view event,
             std::initializer_list<LogField> fields) override {
    if (level < least_) return;
    const auto time = format_rfc3339(world_.clock.now());
    world_.err << format_log_line(format_, time, level, event, fields) << '\n';
  }

 private:
  const World& world_;
  LogLevel least_;
  LogFormat format_;
};

bool is_error(const ConfigDiagnostic& diagnostic) {
  return diagnostic.severity == expr::Severity::kError;
}

}  // namespace

int fail(const Context& context, std::string_view text, int code) {
  if (context.json) context.print(Json::object().set("error", text));
  context.world.err << "rapporteur: " << printable(text) << '\n';
  return code;
}

int fail(const Context& context, const Error& error) {
  return fail(context, error.text, error.fault == Fault::kConfig ? kExitConfig : kExitFailed);
}

Json diagnostic_json(const ConfigDiagnostic& diagnostic) {
  return Json::object()
      .set("file", diagnostic.where.file)
      .set("line", diagnostic.where.line)
      .set("column", diagnostic.where.column)
      .set("severity", is_error(diagnostic) ? "error" : "advice")
      .set("message", diagnostic.message)
      .set("suggestion", Json::text_or_null(diagnostic.suggestion));
}

std::shared_ptr<const Config> load(const Context& context) {
  auto loaded = load_config(context.config_path);
  if (loaded.config) return loaded.config;
  auto diagnostics = Json::array();
  std::size_t errors = 0;
  for (const auto& diagnostic : loaded.diagnostics) {
    if (!is_error(diagnostic)) continue;
    ++errors;
    context.world.err << diagnostic.text() << '\n';
    diagnostics.add(diagnostic_json(diagnostic));
  }
  if (context.json) {
    const auto text = fmt::format("{} has {}", context.config_path, count_text(errors, "error"));
    context.print(Json::object().set("error", text).set("diagnostics", std::move(diagnostics)));
  }
  return nullptr;
}

Opened open(const Context& context) {
  Opened opened;
  opened.config = load(context);
  if (!opened.config) {
    opened.exit_code = kExitConfig;
    return opened;
  }
  auto store = context.world.open_store(opened.config->store.url, store_options(*opened.config));
  if (store) {
    opened.store = *std::move(store);
  } else {
    opened.exit_code = fail(context, store.error());
  }
  return opened;
}

Result<std::unique_ptr<Resolver>> make_resolver(const Context& context, const DnsConfig& dns) {
  return context.world.make_resolver(resolver_options(dns));
}

DnsAnswer look_up(Resolver& resolver, const std::string& domain) {
  const auto name = tlsrpt_name(domain);
  auto answers = resolver.txt(std::span(&name, 1));
  return std::move(answers.front());
}

std::unique_ptr<Log> make_log(const Context& context, const LogConfig& config) {
  const auto least = std::max(config.level, LogLevel::kWarning);
  return std::make_unique<StreamLog>(context.world, least, config.format);
}

bool is_glob(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

Result<std::string> domain_pattern(std::string_view text) {
  if (!is_glob(text)) return normalise_domain(text);
  // The labels below a leading wildcard may still be U-labels.
  if (text.starts_with("*.") && !is_glob(text.substr(2))) {
    auto below = normalise_domain(text.substr(2));
    if (!below) return below;
    return "*." + *below;
  }
  return to_lower(text);
}

bool may_touch(const Context& context, std::size_t rows, bool yes, std::string_view question) {
  if (rows <= kRowsWithoutAsking || yes) return true;
  context.world.err << fmt::format("This will {}. Go on? [y/N] ", question) << std::flush;
  return context.world.confirm();
}

Result<std::optional<PauseNotice>> pause_notice(const Context& context, Store& store) {
  const auto pause = store.pause();
  if (!pause) return pause.error();
  const auto held = held_by(*pause, context.now());
  if (!held.everything && !held.smtp && !held.https) return std::optional<PauseNotice>();

  PauseNotice notice;
  notice.json = Json::object()
                    .set("everything", held.everything)
                    .set("smtp", held.smtp)
                    .set("https", held.https)
                    .set("until", Json::time_or_null(pause->until));
  const std::string_view what = held.everything           ? "nothing is assembled or delivered"
                                : held.smtp && held.https ? "nothing is delivered"
                                : held.smtp               ? "nothing is delivered by SMTP"
                                                          : "nothing is delivered by HTTPS";
  const auto until = pause->until ? " until " + with_relative(*pause->until, context.now()) : "";
  notice.text = fmt::format("PAUSED{}: {}", until, what);
  return std::optional<PauseNotice>(std::move(notice));
}

Result<std::vector<Window>> all_windows(Store& store, WindowFilter filter) {
  std::vector<Window> all;
  std::set<WindowId> known;  // a window whose due time changes meanwhile may come twice
  filter.limit = kPage;
  for (;;) {
    auto page = store.windows(filter);
    if (!page) return page;
    const bool last = page->size() < kPage;
    if (!page->empty()) filter.after = {page->back().due, page->back().id};
    for (auto& window : *page) {
      if (known.insert(window.id).second) all.push_back(std::move(window));
    }
    if (last) return all;
  }
}

Result<std::optional<Time>> silent_until(Store& store, const std::string& domain, Time now) {
  const auto places = store.places(std::span(&domain, 1), now, now);
  if (!places) return places.error();
  return places->at(0).silent_until;
}

std::string silence_text(Time until, Time now) {
  return "it publishes no TLSRPT record; until " + with_relative(until, now) +
         " its sessions are only counted in a metric, unless one brings a record";
}

Result<std::vector<Delivery>> all_deliveries(Store& store, DeliveryFilter filter) {
  std::vector<Delivery> all;
  filter.limit = kPage;
  for (;;) {
    auto page = store.deliveries(filter);
    if (!page) return page;
    const bool last = page->size() < kPage;
    if (!page->empty()) filter.after = page->back().id;
    std::move(page->begin(), page->end(), std::back_inserter(all));
    if (last) return all;
  }
}

void sort_by_period(std::vector<Window>& windows) {
  std::ranges::sort(windows, {}, [](const Window& window) {
    return std::tuple(window.period.start, window.supplement, window.id);
  });
}

}  // namespace rapporteur
