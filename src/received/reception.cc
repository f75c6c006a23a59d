#include "received/reception.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/text.h"
#include "received/addition.h"
#include "received/container.h"
#include "received/report_reader.h"
#include "received/trust.h"
#include "report/gzip.h"
#include "store/open.h"

namespace rapporteur {

namespace {

using namespace std::chrono_literals;
using Status = ReceptionOutcome::Status;

constexpr Seconds kNewsAfter = 7 * 24h;
// A mail whose key cannot be looked up waits for so long at the most.
constexpr Seconds kPatience = 24h;
constexpr Seconds kClockError = 1h;
constexpr std::size_t kMostNewsLines = 20;

std::string base_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

std::string_view source_of(Arrival::Way way) {
  switch (way) {
    case Arrival::Way::kMail:
      return "mail";
    case Arrival::Way::kPost:
      return "https";
    case Arrival::Way::kFile:
      break;
  }
  return "file";
}

std::string first_of(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  return names.front() + (names.size() > 1 ? " and others" : "");
}

}  // namespace

// One arrival on its way to the store.
struct Reception::Prepared {
  std::vector<ReceivedAddition> additions;
  std::string reason;  // why nothing can be kept: a word for the counters,
  std::string why;     // and a line
  bool undecided = false;

  // The first refusal is the one that is told.
  void refuse(std::string_view word, std::string text) {
    if (!reason.empty()) return;
    reason = word;
    why = std::move(text);
  }
};

std::string_view to_string(ReceptionOutcome::Status status) {
  switch (status) {
    case Status::kStored:
      return "stored";
    case Status::kDuplicate:
      return "duplicate";
    case Status::kRefused:
      break;
  }
  return "refused";
}

Reception::Reception(const Needs& needs, ReceptionRules rules)
    : needs_(needs), rules_(std::move(rules)) {}

// One report out of its wrapping.
void Reception::prepare_bytes(std::string_view bytes, const std::string& file_name, KeptReport base,
                              const MailedReport* mail, Prepared& prepared) {
  auto unpacked = unpack(bytes);
  if (!unpacked) return prepared.refuse("unreadable", unpacked.error().text);
  auto report = read_report(unpacked->json);
  if (!report) return prepared.refuse("unreadable", report.error().text);
  ReceivedAddition addition;
  addition.report = std::move(base);
  auto& oddities = addition.report.oddities;
  std::ranges::move(unpacked->oddities, std::back_inserter(oddities));
  const Surroundings around{.mail = mail, .file_name = file_name, .domains = rules_.domains};
  if (auto refusal = fill_addition(*std::move(report), around, addition)) {
    return prepared.refuse(refusal->reason, std::move(refusal->why));
  }
  addition.json_gz = gzip(unpacked->json);
  addition.counted = rules_.counted;
  addition.seen_since = addition.report.received - kNewsAfter;
  prepared.additions.push_back(std::move(addition));
}

void Reception::prepare_mail(const Arrival& arrival, Time now, Prepared& prepared) {
  if (arrival.bytes.size() > kMostMailBytes) {
    return prepared.refuse("too-large",
                           "the mail is larger than " + std::to_string(kMostMailBytes) + " bytes");
  }
  const auto mail = read_report_mail(arrival.bytes);
  if (!mail) return prepared.refuse("unreadable", mail.error().text);
  KeptReport base;
  base.received = now;
  base.source = "mail";
  base.oddities = mail->oddities;
  const auto verdict = judge_mail(arrival.bytes, *mail, rules_.trusted_authserv_ids, verifier_,
                                  *needs_.resolver, now);
  // A date in the future says nothing about how long it has waited.
  const bool fresh =
      mail->arrived && *mail->arrived <= now + kClockError && now - *mail->arrived < kPatience;
  // A stop breaks lookups off, which says nothing about the mail.
  const bool stopping = needs_.stopping != nullptr && *needs_.stopping;
  const bool waits = verdict.undecided && (stopping || (fresh && may_wait_ > 0));
  base.trust = verdict.trust;
  base.signer = verdict.signer;
  base.voucher = verdict.voucher;
  if (verdict.for_email_only) base.oddities.emplace_back("its DKIM key is for e-mail only");
  if (verdict.trust == Trust::kUnverified) base.oddities.push_back("unverified: " + verdict.why);
  for (const auto& attachment : mail->attachments) {
    prepare_bytes(attachment.bytes, attachment.file_name, base, &*mail, prepared);
  }
  // What can be no report anyhow waits for no key.
  if (!waits || prepared.additions.empty()) return;
  if (may_wait_ > 0) --may_wait_;
  prepared.undecided = true;
  prepared.why = verdict.why;
}

Reception::Prepared Reception::prepare(const Arrival& arrival, Time now) {
  Prepared prepared;
  if (arrival.too_large || arrival.bytes.size() > kMostArrivalBytes) {
    prepared.refuse("too-large", "it is too large for a report");
    return prepared;
  }
  const bool mail = arrival.way == Arrival::Way::kMail ||
                    (arrival.way == Arrival::Way::kFile && begins_like_mail(arrival.bytes));
  if (mail && !is_container(arrival.bytes)) {
    prepare_mail(arrival, now, prepared);
    return prepared;
  }
  KeptReport base;
  base.received = now;
  base.source = source_of(arrival.way);
  base.trust = arrival.way == Arrival::Way::kPost   ? Trust::kHttps
               : arrival.way == Arrival::Way::kFile ? Trust::kLocal
                                                    : Trust::kUnverified;
  prepare_bytes(arrival.bytes, base_name(arrival.name), std::move(base), nullptr, prepared);
  return prepared;
}

Result<Reception::Batch> Reception::take(const std::vector<Arrival>& arrivals, Time now) {
  if (!has_disk_room(needs_.store_url)) {
    return Error{Fault::kTransient, "little room is left on the disk of the store"};
  }
  std::vector<Prepared> all;
  std::vector<std::size_t> counts;  // of additions of each
  std::vector<ReceivedAddition> additions;
  CountBatch refused;
  refused.now = now;
  for (const auto& arrival : arrivals) {
    auto& prepared = all.emplace_back(prepare(arrival, now));
    if (prepared.undecided) prepared.additions.clear();
    counts.push_back(prepared.additions.size());
    std::ranges::move(prepared.additions, std::back_inserter(additions));
    if (!prepared.reason.empty() && counts.back() == 0 && !prepared.undecided) {
      ++refused.counters["received.refused." + prepared.reason];
    }
  }
  std::vector<ReceivedAdded> added;
  if (!additions.empty()) {
    auto done = needs_.store.add_received(additions);
    if (!done) return std::move(done).error();
    added = *std::move(done);
  }
  if (!refused.counters.empty()) {
    if (auto counted = needs_.store.add(refused); !counted) return std::move(counted).error();
  }
  Batch batch;
  std::size_t first = 0;
  for (std::size_t index = 0; index < all.size(); ++index) {
    const auto& prepared = all[index];
    const auto count = counts[index];
    batch.undecided.push_back(prepared.undecided);
    if (count == 0) {
      batch.outcomes.push_back({Status::kRefused, {}, prepared.why});
    } else {
      batch.outcomes.push_back(settle(std::span(additions).subspan(first, count),
                                      std::span(added).subspan(first, count)));
    }
    if (count == 0 && !prepared.undecided) {
      needs_.log.info("report-refused",
                      {{"source", arrivals[index].name}, {"reason", prepared.why}});
    }
    first += count;
  }
  return batch;
}

// What became of the reports of one arrival, after they are on disk.
ReceptionOutcome Reception::settle(std::span<const ReceivedAddition> additions,
                                   std::span<const ReceivedAdded> added) {
  ReceptionOutcome outcome{Status::kDuplicate, added.front().id, {}};
  for (std::size_t index = 0; index < added.size(); ++index) {
    const auto& report = additions[index].report;
    const auto& one = added[index];
    using enum ReceivedAdded::Kind;
    const bool stored = one.kind == kStored || one.kind == kReplaced;
    if (stored && outcome.status == Status::kDuplicate) outcome = {Status::kStored, one.id, {}};
    if (one.kind == kReplaced) {
      outcome.why = "in place of one with the same report-id that was less to be trusted";
    } else if (one.kind == kRaised) {
      outcome.why =
          "known; it is of the class " + std::string(to_string(report.trust)) + " from now on";
    } else if (one.kind == kDuplicate && !one.same) {
      outcome.why = "a report with the same report-id that tells something else is kept already";
    }
    if (stored) {
      needs_.log.info("report-received", {{"id", one.id},
                                          {"organization", report.organization},
                                          {"domain", first_of(report.domains)},
                                          {"class", std::string(to_string(report.trust))},
                                          {"successful", std::to_string(report.successful)},
                                          {"failed", std::to_string(report.failed)}});
    }
    tell_news(additions[index], one);
  }
  return outcome;
}

void Reception::tell_news(const ReceivedAddition& addition, const ReceivedAdded& added) {
  if (added.new_failures.empty()) return;
  std::size_t lines = 0;
  for (const auto& failure : added.new_failures) {
    if (++lines > kMostNewsLines) break;
    needs_.log.warning("new-tls-failure", {{"report", added.id},
                                           {"organization", addition.report.organization},
                                           {"domain", failure.domain},
                                           {"result-type", failure.result_type},
                                           {"mx", failure.mx.empty() ? "not told" : failure.mx},
                                           {"sessions", std::to_string(failure.sessions)}});
  }
  news_.push_back({added.id, addition.json_gz});
}

}  // namespace rapporteur
