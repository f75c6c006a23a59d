#include "deliver/suppression.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/domain.h"
#include "base/text.h"
#include "deliver/judge.h"
#include "deliver/retry.h"

namespace rapporteur {

namespace {

constexpr std::string_view kReport = "report:";
constexpr std::string_view kHttps = "https://";
constexpr std::string_view kBelow = "*.";
constexpr std::string_view kWholeHost = "/*";

Error not_a_pattern(std::string_view text, std::string_view why) {
  return {Fault::kInput, "'" + without_controls(to_valid_utf8(text)) + "' " + std::string(why) +
                             "; write an address, @domain, https://host/ or report:DOMAIN"};
}

// A domain, or "*." and one.
Result<std::string> domain_part(std::string_view text, std::string_view whole) {
  const bool below = text.starts_with(kBelow);
  auto domain = normalise_domain(below ? text.substr(kBelow.size()) : text);
  if (!domain) return not_a_pattern(whole, "names no domain");
  return (below ? std::string(kBelow) : std::string()) + *domain;
}

// "b.example" gives "b.example", "*.example": itself, then what it stands below.
void add_domains(std::string_view prefix, std::string_view domain, std::vector<std::string>& into) {
  into.push_back(std::string(prefix) + std::string(domain));
  for (auto dot = domain.find('.'); dot != domain.npos; dot = domain.find('.', dot + 1)) {
    into.push_back(std::string(prefix) + std::string(kBelow) + std::string(domain.substr(dot + 1)));
  }
}

// "https://host/" means the whole host, more of a path one address there.
Result<std::string> https_pattern(std::string_view given) {
  const auto slash = given.find_first_of("/?#", kHttps.size());
  const auto path = slash == given.npos ? std::string_view("/") : given.substr(slash);
  auto host = given.substr(kHttps.size(), slash - kHttps.size());
  std::string_view port;
  const auto colon = host.rfind(':');
  if (colon != host.npos && host.find(']', colon) == host.npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  int number = 0;
  const auto* end = port.data() + port.size();
  const bool good_port =
      port.empty() ||
      (std::from_chars(port.data() + 1, end, number).ptr == end && number > 0 && number <= 65535);
  const bool literal = host.starts_with('[') && host.ends_with(']');
  const auto domain = literal ? Result<std::string>(to_lower(host)) : normalise_domain(host);
  if (!domain || !good_port) return not_a_pattern(given, "names no host");
  const auto key = destination_key(std::string(kHttps) + *domain + std::string(port));
  return key + std::string(path == "/" ? kWholeHost : path.substr(0, path.find('#')));
}

Seconds spell(int number) {
  return doubled_wait(kFirstSpell, number, kLongestSpell);
}

}  // namespace

Result<std::string> parse_suppression(std::string_view text) {
  const auto given = trim(text);
  if (starts_with_ignoring_case(given, kReport)) {
    auto domain = domain_part(given.substr(kReport.size()), given);
    if (!domain) return domain;
    return std::string(kReport) + *domain;
  }
  if (given.starts_with('@')) {
    auto domain = domain_part(given.substr(1), given);
    if (!domain) return domain;
    return "@" + *domain;
  }
  if (starts_with_ignoring_case(given, kHttps)) return https_pattern(given);
  const auto mail = starts_with_ignoring_case(given, "mailto:") ? given.substr(7) : given;
  const auto at = mail.rfind('@');
  if (at == mail.npos || at == 0) return not_a_pattern(given, "is no address");
  const auto domain = normalise_domain(mail.substr(at + 1));
  if (!domain) return not_a_pattern(given, "names no domain");
  auto address = to_lower(mail.substr(0, at)) + "@" + *domain;
  if (!is_safe_address(address)) return not_a_pattern(given, "is no address");
  return address;
}

std::string pattern_of_destination(std::string_view destination) {
  if (is_mail(destination)) return to_lower(mail_address(destination));
  const auto key = destination_key(destination);
  const auto path = destination.find_first_of("/?#", kHttps.size());
  return key +
         (path == destination.npos ? std::string("/") : std::string(destination.substr(path)));
}

std::vector<std::string> suppression_patterns(std::string_view destination,
                                              std::string_view domain) {
  std::vector<std::string> patterns = {pattern_of_destination(destination)};
  if (is_mail(destination)) {
    const auto address = to_lower(mail_address(destination));
    add_domains("@", domain_of_address(address), patterns);
  } else {
    patterns.push_back(destination_key(destination) + std::string(kWholeHost));
  }
  add_domains(kReport, domain, patterns);
  return patterns;
}

bool in_force(const Suppression& suppression, Time now) {
  if (suppression.lifted) return false;
  if (!suppression.until) return true;
  // Further ahead than it was ever set: the clock was ahead then.
  const bool misplanned =
      suppression.automatic && is_misplanned(*suppression.until, now, kLongestSpell);
  return now < *suppression.until && !misplanned;
}

Result<std::vector<bool>> Suppressor::listed(std::span<const Store::Submission> submissions) {
  std::vector<std::vector<std::string>> patterns;
  std::set<std::string> all;
  patterns.reserve(submissions.size());
  for (const auto& submission : submissions) {
    const auto& delivery = submission.delivery;
    patterns.push_back(suppression_patterns(delivery.destination, delivery.domain));
    all.insert(patterns.back().begin(), patterns.back().end());
  }
  const std::vector<std::string> asked(all.begin(), all.end());
  const auto entries = store_.suppressions(asked);
  if (!entries) return entries.error();
  std::set<std::string> found;
  for (const auto& entry : *entries) found.insert(entry.pattern);
  std::vector<bool> listed;
  listed.reserve(patterns.size());
  for (const auto& of_one : patterns) {
    listed.push_back(std::ranges::any_of(
        of_one, [&](const std::string& pattern) { return found.contains(pattern); }));
  }
  return listed;
}

Result<Permit> Suppressor::ask(const Delivery& delivery, Time now) {
  const auto patterns = suppression_patterns(delivery.destination, delivery.domain);
  auto entries = store_.suppressions(patterns);
  if (!entries) return std::move(entries).error();
  Permit permit;
  for (const auto& entry : *entries) {
    const auto refuse = [&](const std::string& until) {
      permit = {.go = false,
                .why = "suppressed " + until + " (" + entry.pattern + "): " + entry.reason,
                .probe_of = {}};
    };
    if (in_force(entry, now)) {
      refuse(entry.until ? "until " + format_rfc3339(*entry.until) : "until it is removed");
      return permit;
    }
    if (!entry.automatic || entry.lifted) continue;
    auto probe = store_.claim_probe(entry.pattern, delivery.id);
    if (!probe) return std::move(probe).error();
    if (!*probe) {
      refuse("while delivery " + entry.probe + " probes it");
      return permit;
    }
    permit.probe_of = entry.pattern;
  }
  return permit;
}

Result<void> Suppressor::probe_accepted(const std::string& pattern, Time now) {
  auto entries = store_.suppressions({&pattern, 1});
  if (!entries) return std::move(entries).error();
  if (entries->empty() || !entries->front().automatic || entries->front().lifted) return {};
  auto entry = std::move(entries->front());
  entry.lifted = now;
  if (auto put = store_.put_suppression(entry); !put) return put;
  log_.info("suppression-lifted", {{"pattern", pattern}, {"spells", std::to_string(entry.spells)}});
  return {};
}

Result<void> Suppressor::failed(const std::string& delivery, const std::string& destination,
                                const std::string& response, Time now) {
  const auto pattern = pattern_of_destination(destination);
  auto entries = store_.suppressions({&pattern, 1});
  if (!entries) return std::move(entries).error();
  Suppression entry;
  if (!entries->empty()) entry = entries->front();
  const bool listed = !entries->empty() && (entry.automatic || in_force(entry, now));
  if (listed && (!entry.automatic || in_force(entry, now))) return {};

  // What was decided by hand meanwhile is no failure.
  const auto found = store_.deliveries({.id = delivery});
  if (!found) return found.error();
  const auto state = found->empty() ? DeliveryState::kAbandoned : found->front().state;
  if (state != DeliveryState::kFailed && state != DeliveryState::kBounced) return {};

  // What a suppression was about is over once it is lifted, and its probe speaks for itself.
  const bool probe = listed && delivery == entry.probe;
  const auto since = listed && entry.lifted ? *entry.lifted : Time{};
  auto streak = store_.failure_streak(destination, probe ? Time{} : since, now);
  if (!streak) return std::move(streak).error();
  const bool enough =
      streak->windows >= kWindowsToSuppress && streak->last - streak->first >= suppress_after_;
  if (!probe && !enough) return {};

  Suppression next;
  next.pattern = pattern;
  next.automatic = true;
  next.since = now;
  next.spells = (listed ? entry.spells : 0) + 1;
  next.until = now + spell(next.spells);
  next.reason = probe ? "its probe failed: " + response
                      : "the reports of " + std::to_string(streak->windows) +
                            " windows failed since " + format_rfc3339(streak->first) + ": " +
                            response;
  next.reason = truncate_utf8(next.reason, kMaxReplyText);
  if (auto put = store_.put_suppression(next); !put) return put;
  log_.warning(
      "destination-suppressed",
      {{"pattern", pattern}, {"until", format_rfc3339(*next.until)}, {"reason", next.reason}});
  return {};
}

}  // namespace rapporteur
