#pragma once
// What must hold when everything has come to its end, whatever went wrong on the way. Each breach
// is one line of text.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "faults/world.h"
#include "report/gzip.h"

namespace rapporteur::testing_support {

using Breaches = std::vector<std::string>;

// What all reports that were accepted tell, each part once.
struct Told {
  std::map<std::string, std::uint64_t> markers;  // of sessions: their counts
  std::set<std::string> report_ids;              // of all parts
};

inline nlohmann::json report_of(const std::string& gz, Breaches& breaches) {
  const auto text = gunzip(gz, std::size_t{1} << 24);
  if (!text) {
    breaches.push_back("a part is no gzip: " + text.error().text);
    return {};
  }
  return nlohmann::json::parse(*text);
}

// A successful session is told by its policy domain, a failed one by its failure reason.
inline void add_markers(const nlohmann::json& report, Told& told, Breaches& breaches) {
  std::uint64_t details = 0;
  std::uint64_t failed = 0;
  for (const auto& policy : report.at("policies")) {
    const auto& summary = policy.at("summary");
    const auto successes = summary.at("total-successful-session-count").get<std::uint64_t>();
    if (successes > 0) {
      told.markers[policy.at("policy").at("policy-domain").get<std::string>()] += successes;
    }
    failed += summary.at("total-failure-session-count").get<std::uint64_t>();
    for (const auto& detail : policy.at("failure-details")) {
      const auto count = detail.at("failed-session-count").get<std::uint64_t>();
      told.markers[detail.at("failure-reason-code").get<std::string>()] += count;
      details += count;
    }
  }
  // Each failed session of these tests has one detail.
  if (failed != details)
    breaches.push_back("failures " + std::to_string(failed) + ", details " +
                       std::to_string(details));
}

inline std::string name_of(const Window& window) {
  return window.domain + " " + format_rfc3339(window.period.start) + " supplement " +
         std::to_string(window.supplement);
}

// Windows have come to an end, and their parts are numbered on through their supplements.
inline void check_windows(World& world, Breaches& breaches) {
  for (const auto& window : said(world.observer->windows({.domain = {}, .limit = 1000}))) {
    const auto state = window.state;
    if (state == WindowState::kDone || state == WindowState::kSuppressed) continue;
    breaches.push_back("window " + name_of(window) + " stays " + std::string(to_string(state)) +
                       " " + window.reason);
  }
  std::map<std::pair<std::string, Time>, std::vector<int>> numbers;
  for (const auto& entry : said(world.observer->reports({}, 1000))) {
    numbers[{entry.window.domain, entry.window.period.start}].push_back(entry.part.number);
  }
  for (auto& [window, parts] : numbers) {
    std::ranges::sort(parts);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i] == static_cast<int>(i) + 1) continue;
      breaches.push_back("parts of " + window.first + " are not numbered one after the other");
      break;
    }
  }
}

// The attempts at one delivery, in their order.
inline std::vector<Attempt> attempts_at(const Store::Submission& submission,
                                        const std::vector<Attempt>& all) {
  const auto& delivery = submission.delivery;
  const bool mail = is_mail(delivery.destination);
  const auto target = mail ? mail_address(delivery.destination) : delivery.destination;
  std::vector<Attempt> found;
  for (const auto& attempt : all) {
    if (attempt.mail != mail || attempt.target != target) continue;
    const bool same =
        mail ? attempt.payload.find("\r\nMessage-ID: <" + delivery.id + ".") != attempt.payload.npos
             : attempt.payload == submission.body;
    if (same) found.push_back(attempt);
  }
  return found;
}

inline void check_attempts(const Store::Submission& submission,
                           const std::vector<Attempt>& attempts,
                           const std::vector<DeliveredRecord>& records, Breaches& breaches) {
  const auto& delivery = submission.delivery;
  const auto name = "delivery " + delivery.id + " to " + delivery.destination;
  const auto payload =
      is_mail(delivery.destination) ? delivery.header + "\r\n" + submission.body : submission.body;
  const auto record = std::ranges::find(records, delivery.id, &DeliveredRecord::delivery);
  const Attempt* accepted = nullptr;
  for (const auto& attempt : attempts) {
    if (attempt.payload != payload) breaches.push_back(name + " was sent with other bytes");
    if (record != records.end() && record->order < attempt.order && !attempt.interrupted) {
      breaches.push_back(name + " was sent after it was known to be delivered");
    }
    if (!attempt.accepted) continue;
    // A process that has died cannot have told what it was told.
    const bool excused =
        accepted != nullptr && (accepted->reply_lost || accepted->process != attempt.process);
    if (accepted != nullptr && !excused) breaches.push_back(name + " was accepted twice");
    accepted = &attempt;
  }
  if (!is_final(delivery.state)) {
    breaches.push_back(name + " stays " + std::string(to_string(delivery.state)));
  }
  if ((delivery.state == DeliveryState::kDelivered) != (accepted != nullptr)) {
    breaches.push_back(name + " is " + std::string(to_string(delivery.state)) + " and was " +
                       (accepted != nullptr ? "accepted" : "not accepted"));
  }
}

// Each part was accepted by somebody, and nothing was sent that is not a delivery.
inline Told check_deliveries(World& world, Breaches& breaches) {
  const auto attempts = world.mailbox.attempts();
  const auto records = world.mailbox.delivered();
  std::size_t known = 0;
  std::set<std::string> accepted;
  for (const auto& delivery : said(world.observer->deliveries({.id = {}, .limit = 10'000}))) {
    const auto submission = said(world.observer->submission(delivery.id)).value();
    const auto its = attempts_at(submission, attempts);
    known += its.size();
    check_attempts(submission, its, records, breaches);
    if (std::ranges::any_of(its, &Attempt::accepted)) accepted.insert(delivery.report_id);
  }
  if (known != attempts.size()) {
    breaches.push_back("of " + std::to_string(attempts.size()) + " submissions " +
                       std::to_string(known) + " belong to a delivery");
  }
  Told told;
  for (const auto& entry : said(world.observer->reports({}, 1000))) {
    const auto& id = entry.part.report_id;
    if (!told.report_ids.insert(id).second) breaches.push_back(id + " was used twice");
    if (!accepted.contains(id)) {
      breaches.push_back(id + " was accepted by nobody");
      continue;
    }
    add_markers(report_of(said(world.observer->report(id)).value().part.gz, breaches), told,
                breaches);
  }
  return told;
}

inline void check_sessions(const Ledger& ledger, const Told& told, Breaches& breaches) {
  for (const auto& marker : ledger.acknowledged) {
    const auto found = told.markers.find(marker);
    if (found == told.markers.end()) breaches.push_back("session " + marker + " was not reported");
  }
  for (const auto& [marker, count] : told.markers) {
    if (count != 1) {
      breaches.push_back("session " + marker + " was reported " + std::to_string(count) + " times");
    }
    if (!ledger.acknowledged.contains(marker) && !ledger.lost.contains(marker)) {
      breaches.push_back("session " + marker + " was reported and never came");
    }
  }
}

inline Breaches breaches_in(World& world) {
  Breaches breaches;
  if (world.ticks >= world.most_ticks) breaches.push_back("it does not come to rest");
  check_windows(world, breaches);
  const auto told = check_deliveries(world, breaches);
  check_sessions(world.ledger, told, breaches);
  return breaches;
}

}  // namespace rapporteur::testing_support
