#include "schedule/assembler.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

#include "base/domain.h"
#include "base/hash.h"
#include "dns/tlsrpt_record.h"
#include "schedule/evaluation.h"
#include "schedule/parts.h"

namespace rapporteur {

namespace {

using namespace std::chrono;

constexpr Seconds kBlockedRetry{15 * 60};
constexpr Seconds kLookupPatience{24 * 3600};
constexpr Seconds kLongestLookupWait{3600};
constexpr Seconds kHandedOverLate{3600};
constexpr Seconds kSameFailuresQuiet{7 * 86'400};

Decision suppressed(std::string reason) {
  return {.kind = Decision::Kind::kSuppressed, .reason = std::move(reason), .retry = {}};
}

Decision blocked(const Config& config, const Window& window, const std::string& reason, Time now) {
  const auto since = window.first_attempt.value_or(now);
  if (now - since >= config.schedule.give_up_after) {
    return suppressed("blocked for too long: " + reason);
  }
  return {.kind = Decision::Kind::kBlocked, .reason = reason, .retry = now + kBlockedRetry};
}

// Waits as long again as it has waited already, from one minute to one hour.
Decision postponed(const Window& window, const std::string& reason, Time now) {
  const auto waited = now - window.lookup_since.value_or(now);
  const auto wait = std::clamp<Seconds>(waited, minutes{1}, kLongestLookupWait);
  return {.kind = Decision::Kind::kPostponed, .reason = reason, .retry = now + wait};
}

// Where the window's report is asked for, or why it goes nowhere yet or at all.
struct Asked {
  TlsrptRecord record;
  std::optional<Decision> refusal;
};

std::string why_not(const TlsrptRecord& record) {
  if (record.status == RecordStatus::kNone) return "no TLSRPT record";
  if (record.status == RecordStatus::kSeveral) return "several TLSRPT records";
  return "TLSRPT record is invalid: " + record.problem;
}

Asked asked(const Window& window, const DnsAnswer& answer, Time now) {
  Asked result;
  if (answer.status != DnsAnswer::Status::kTemporary) {
    result.record = read_tlsrpt_answers(answer.records);
    if (result.record.status != RecordStatus::kOk) {
      result.refusal = suppressed(why_not(result.record));
    }
    return result;
  }
  const auto problem = "the TLSRPT record could not be looked up: " + answer.problem;
  // Nobody has asked for a while, because the machine slept or the program did not run: the name
  // server may not be within reach again either.
  const bool was_away = window.retry && now - *window.retry > kLongestLookupWait;
  if (was_away || now - window.lookup_since.value_or(now) < kLookupPatience) {
    result.refusal = postponed(window, problem, now);
    return result;
  }
  if (!window.tlsrpt_record.empty()) result.record = parse_tlsrpt_record(window.tlsrpt_record);
  if (result.record.status != RecordStatus::kOk) result.refusal = suppressed(problem);
  return result;
}

// reportTo's answer as destinations that can be used, each once.
Result<std::vector<std::string>> destinations_of(const Config& config, const Question& question) {
  const auto uris = list_setting(config, Setting::kReportTo, question);
  if (!uris) return uris.error();
  std::vector<std::string> destinations;
  for (const auto& uri : *uris) {
    const auto usable = usable_destination(uri);
    if (usable.uri.empty()) {
      return Error{Fault::kConfig, "reportTo yields '" + uri + "': " + usable.why};
    }
    if (std::ranges::find(destinations, usable.uri) == destinations.end()) {
      destinations.push_back(usable.uri);
    }
  }
  return destinations;
}

std::string fingerprint_of(const WindowCounts& counts, const WindowFacts& facts) {
  std::vector<Policy> policies;
  for (const auto& policy : counts) policies.push_back(policy.policy);
  std::ranges::sort(policies);
  Sha256 hash;
  const auto put = [&](std::string_view text) {
    hash.update(std::to_string(text.size()) + ":");
    hash.update(text);
  };
  for (const auto& policy : policies) {
    put(to_string(policy.type));
    put(policy.domain);
    for (const auto& line : policy.strings) put(line);
    for (const auto& host : policy.mx_hosts) put(host);
  }
  for (const auto& result : facts.result_types) put(result);
  return hex(hash.finish());
}

// The mails whose sessions may be in this window: our relay has handed over in the next window what
// it was given in the last hour of this one. (If it was faster, one report more is sent, and no
// second, because then that mail counts for the next window. If it were counted here, a domain with
// one real session a day would be silenced every other day.) An hour is all that an hourly window
// has, so there a mail may count twice.
Period handing_over(const Window& window) {
  auto period = window.period;
  const bool long_enough = period.end - period.start >= days{1};
  period.start -= kHandedOverLate;
  if (long_enough) period.end -= kHandedOverLate;
  return period;
}

// The second and third line of defence against reports about reports (docs/design.md,
// "Scheduling").
Result<std::optional<Decision>> own_reports_only(const AssemblyContext& context,
                                                 const Window& window, std::uint64_t mails,
                                                 const std::string& fingerprint, Time now) {
  const auto slack = static_cast<std::uint64_t>(context.config.schedule.own_report_slack);
  if (slack == 0) return std::optional<Decision>{};
  if (mails == 0 || window.successful + window.failed > slack * mails) {
    return std::optional<Decision>{};
  }
  if (window.failed == 0) return std::optional(suppressed("own reports only"));
  const auto known =
      context.store.reported_like(window.domain, fingerprint, now - kSameFailuresQuiet);
  if (!known) return known.error();
  if (!*known) return std::optional<Decision>{};
  return std::optional(
      suppressed("own reports only: the same failures were reported within 7 days"));
}

// Why the settings keep the window from being sent whatever it holds.
std::optional<Decision> refusal_by_frequency(const Config& config, const Window& window, Time now) {
  const auto frequency = frequency_setting(config, window.domain);
  if (!frequency) return blocked(config, window, frequency.error().text, now);
  if (*frequency == Frequency::kNever) return suppressed("sendFrequency is never");
  return std::nullopt;
}

// Why what it holds keeps it from being sent. Fails if the store does.
Result<std::optional<Decision>> refusal_by_content(const AssemblyContext& context,
                                                   const Window& window, std::uint64_t mails,
                                                   const Question& question,
                                                   const std::string& fingerprint, Time now) {
  const auto send = number_setting(context.config, Setting::kSendWhen, question);
  if (!send) return std::optional(blocked(context.config, window, send.error().text, now));
  if (*send == 0) return std::optional(suppressed("sendWhen"));
  return own_reports_only(context, window, mails, fingerprint, now);
}

enum class Mode { kRun, kPreview };

Result<Decision> decide_in(Mode mode, const AssemblyContext& context, const Window& window,
                           const Dossier& dossier, const DnsAnswer& answer, Time now) {
  const auto& config = context.config;
  auto refusal = refusal_by_frequency(config, window, now);
  if (refusal && mode == Mode::kRun) return *std::move(refusal);
  if (dossier.outline.empty()) return suppressed("no sessions");

  Window asking = window;
  if (mode == Mode::kPreview) asking.lookup_since = now - kLookupPatience;
  const auto wanted = asked(asking, answer, now);
  if (wanted.refusal) return *wanted.refusal;

  const auto facts = facts_of(config, window, dossier.outline, wanted.record.rua);
  const Question question{
      .domain = window.domain, .window = &facts, .delivery_id = {}, .dns = context.dns};
  const auto fingerprint = fingerprint_of(dossier.outline, facts);
  if (!refusal) {
    auto by_content =
        refusal_by_content(context, window, dossier.mails, question, fingerprint, now);
    if (!by_content) return std::move(by_content).error();
    refusal = *std::move(by_content);
    if (refusal && mode == Mode::kRun) return *std::move(refusal);
  }
  const auto destinations = destinations_of(config, question);
  if (!destinations) return blocked(config, window, destinations.error().text, now);
  if (destinations->empty()) return suppressed("no destination");

  auto assembly = make_parts(context, window, dossier, question, *destinations, now);
  if (!assembly) {
    if (assembly.error().fault != Fault::kConfig) return std::move(assembly).error();
    return blocked(config, window, assembly.error().text, now);
  }
  assembly->fingerprint = fingerprint;
  assembly->record = wanted.record.text;
  return Decision{.kind = Decision::Kind::kAssembled,
                  .reason = refusal ? refusal->reason : std::string(),
                  .retry = {},
                  .assembly = *std::move(assembly)};
}

}  // namespace

DossierQuestion question_about(const Window& window) {
  return {window.id, window.domain, window.period, handing_over(window)};
}

Result<Decision> decide(const AssemblyContext& context, const Window& window,
                        const Dossier& dossier, const DnsAnswer& answer, Time now) {
  return decide_in(Mode::kRun, context, window, dossier, answer, now);
}

Result<Decision> preview(const AssemblyContext& context, const Window& window,
                         const Dossier& dossier, const DnsAnswer& answer, Time now) {
  return decide_in(Mode::kPreview, context, window, dossier, answer, now);
}

std::unique_ptr<Signer> signer_of(const Config& config) {
  std::vector<SigningKey> keys;
  keys.reserve(config.dkim.size());
  for (const auto& key : config.dkim) keys.push_back({key.domain, key.selector, key.key});
  return make_signer(std::move(keys));
}

}  // namespace rapporteur
