// rapporteur schedule show: everything that the store knows of one domain.

#include <fmt/format.h>

#include "base/domain.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "report/json.h"

namespace rapporteur {

namespace {

constexpr std::size_t kPolicyTextBytes = 400;  // shown to people

// Of one policy, for people: the most frequent come first.
constexpr std::size_t kShownDetails = 20;

// Everything about one window.
struct Shown {
  Window window;
  WindowCounts counts;
  std::vector<Delivery> deliveries;
  std::string deciding_record;
};

Result<std::vector<Shown>> collect(Store& store, const std::string& domain) {
  WindowFilter filter;
  filter.domain = domain;
  auto windows = all_windows(store, filter);
  if (!windows) return std::move(windows).error();
  sort_by_period(*windows);
  std::vector<Shown> all;
  for (auto& window : *windows) {
    auto counts = store.counts(window.id);
    if (!counts) return std::move(counts).error();
    DeliveryFilter of_window;
    of_window.window = window.id;
    auto deliveries = all_deliveries(store, of_window);
    if (!deliveries) return std::move(deliveries).error();
    auto record = store.deciding_record(window.id);
    if (!record) return std::move(record).error();
    all.push_back(
        {std::move(window), *std::move(counts), *std::move(deliveries), *std::move(record)});
  }
  return all;
}

// The fields of a failure detail that are there, by their RFC 8460 names.
std::vector<std::pair<std::string_view, std::string_view>> texts_before_count(
    const FailureDetail& detail) {
  return {{"sending-mta-ip", detail.sending_mta_ip},
          {"receiving-mx-hostname", detail.receiving_mx_hostname},
          {"receiving-mx-helo", detail.receiving_mx_helo},
          {"receiving-ip", detail.receiving_ip}};
}

std::vector<std::pair<std::string_view, std::string_view>> texts_after_count(
    const FailureDetail& detail) {
  return {{"additional-information", detail.additional_information},
          {"failure-reason-code", detail.failure_reason_code}};
}

Json detail_object(const DetailCount& counted) {
  auto json = Json::object().set("result-type", to_string(counted.detail.result_type));
  for (const auto& [name, text] : texts_before_count(counted.detail)) {
    if (!text.empty()) json.set(name, text);
  }
  json.set("failed-session-count", counted.count);
  for (const auto& [name, text] : texts_after_count(counted.detail)) {
    if (!text.empty()) json.set(name, text);
  }
  return json;
}

Json policy_object(const PolicyCounts& counts) {
  auto details = Json::array();
  for (const auto* detail : details_in_order(counts)) details.add(detail_object(*detail));
  return Json::object()
      .set("policy-type", to_string(counts.policy.type))
      .set("policy-domain", counts.policy.domain)
      .set("policy-string", Json::strings(counts.policy.strings))
      .set("mx-host", Json::strings(counts.policy.mx_hosts))
      .set("successful", counts.successful)
      .set("failed", counts.failed)
      .set("failure-details", std::move(details));
}

Json window_object(const Shown& shown) {
  const auto& window = shown.window;
  auto policies = Json::array();
  for (const auto* policy : policies_in_order(shown.counts)) policies.add(policy_object(*policy));
  auto deliveries = Json::array();
  for (const auto& delivery : shown.deliveries) deliveries.add(delivery_json(delivery));
  auto object = Json::object();
  object.set("start", window.period.start)
      .set("end", window.period.end)
      .set("frequency", to_string(window.frequency))
      .set("state", to_string(window.state))
      .set("reason", Json::text_or_null(window.reason))
      .set("due", window.due)
      .set("successful-sessions", window.successful)
      .set("failed-sessions", window.failed)
      .set("policies", std::move(policies))
      .set("deliveries", std::move(deliveries));
  if (window.supplement > 0) object.set("supplement", window.supplement);
  if (!shown.deciding_record.empty()) {
    object.set("record", Json::object()
                             .set("seen", Json::text_or_null(window.tlsrpt_record))
                             .set("deciding", shown.deciding_record));
  }
  return object;
}

void print_policy(std::ostream& out, const PolicyCounts& counts) {
  out << fmt::format("  policy {} for {}: {} successful, {} failed\n",
                     to_string(counts.policy.type), printable(counts.policy.domain),
                     counts.successful, counts.failed);
  if (!counts.policy.strings.empty()) {
    const auto text = printable(join(counts.policy.strings, " | "));
    out << "    says: " << truncate_utf8(text, kPolicyTextBytes) << '\n';
  }
  if (!counts.policy.mx_hosts.empty()) {
    const auto text = printable(join(counts.policy.mx_hosts, ", "));
    out << "    mx hosts: " << truncate_utf8(text, kPolicyTextBytes) << '\n';
  }
  std::size_t shown = 0;
  for (const auto* counted : details_in_order(counts)) {
    if (++shown > kShownDetails) {
      out << fmt::format("    … {} more kinds of failure; --json shows all\n",
                         counts.details.size() - kShownDetails);
      break;
    }
    out << fmt::format("    {} × {}", counted->count, to_string(counted->detail.result_type));
    for (const auto& texts :
         {texts_before_count(counted->detail), texts_after_count(counted->detail)}) {
      for (const auto& [name, text] : texts) {
        if (!text.empty()) out << fmt::format(", {} {}", name, printable(text));
      }
    }
    out << '\n';
  }
}

void print_window(const Context& context, const Shown& shown) {
  Screen screen(context.world);
  auto& out = screen.out();
  const auto& window = shown.window;
  out << fmt::format("\n{}, {}: {}\n", period_text(window), to_string(window.frequency),
                     screen.state(to_string(window.state)));
  if (!window.reason.empty()) out << "  reason: " << printable(window.reason) << '\n';
  out << "  due: " << with_relative(window.due, context.now()) << '\n';
  if (window.retry) {
    out << "  tried again: " << with_relative(*window.retry, context.now()) << '\n';
  }
  out << fmt::format("  sessions: {} successful, {} failed\n", window.successful, window.failed);
  if (!window.tlsrpt_record.empty()) {
    out << "  record that the MTA saw: " << printable(window.tlsrpt_record) << '\n';
  }
  if (!shown.deciding_record.empty()) {
    out << "  record that decided: " << printable(shown.deciding_record) << '\n';
  }
  for (const auto* policy : policies_in_order(shown.counts)) print_policy(out, *policy);
  if (!shown.deliveries.empty()) {
    out << "  deliveries:\n";
    print_deliveries(context, shown.deliveries, "    ");
  }
}

}  // namespace

int schedule_show(const Context& context, const std::string& name) {
  const auto domain = normalise_domain(name);
  if (!domain) return fail(context, domain.error().text, kExitUsage);
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto windows = collect(*opened.store, *domain);
  if (!windows) return fail(context, windows.error());
  const auto silent = silent_until(*opened.store, *domain, context.now());
  if (!silent) return fail(context, silent.error());
  if (windows->empty() && !*silent) {
    return fail(context, "no window of " + *domain + " is known", kExitNotFound);
  }
  auto notice = pause_notice(context, *opened.store);
  if (!notice) return fail(context, notice.error());

  if (context.json) {
    auto json = Json::object();
    if (*notice) json.set("paused", std::move((*notice)->json));
    auto list = Json::array();
    for (const auto& shown : *windows) list.add(window_object(shown));
    json.set("domain", *domain);
    if (*silent) json.set("silent-until", **silent);
    context.print(json.set("windows", std::move(list)));
    return kExitDone;
  }
  if (*notice) context.world.out << (*notice)->text << '\n';
  context.world.out << Screen(context.world).heading(*domain) << '\n';
  if (*silent) context.world.out << silence_text(**silent, context.now()) << '\n';
  for (const auto& shown : *windows) print_window(context, shown);
  return kExitDone;
}

}  // namespace rapporteur
