// rapporteur report test: a sample report, marked as such, assembled, signed and submitted as the
// daemon does it, and what was said on the way. The configured store is not opened: the sample is
// counted in a store of its own in memory, whose token makes the report-id one of its own, too.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "aggregate/recorder.h"
#include "base/domain.h"
#include "base/ip.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "dns/tlsrpt_record.h"
#include "schedule/assembler.h"
#include "schedule/dns_answers.h"
#include "schedule/evaluation.h"
#include "schedule/parts.h"

namespace rapporteur {

namespace {

constexpr std::string_view kMark = "TEST";
constexpr Seconds kDay{86'400};

struct Line {
  Speaker speaker;
  std::string text;
};

// A delivery and what came of it.
struct Attempt {
  Delivery delivery;
  MailTransportKind transport = MailTransportKind::kSmtp;
  std::size_t bytes = 0;
  std::vector<Line> conversation;
  Reply reply;
};

// Yesterday, whatever sendFrequency says.
class YesterdayPlanner final : public WindowPlanner {
 public:
  explicit YesterdayPlanner(Period period) : period_(period) {}
  WindowPlan plan(const std::string&, Time, std::span<const Period>, Time now) override {
    return {
        .frequency = Frequency::kDaily, .period = period_, .due = now, .reason = {}, .lookup = {}};
  }
  Time supplement_due(const std::string&, Period, Time now) override { return now; }

 private:
  const Period period_;
};

// "mailto:" may be left out. Empty: `why` says what is wrong with it.
UsableUri destination_of(const std::string& to) {
  const bool bare = to.find(':') == to.npos && to.find('@') != to.npos;
  return usable_destination(bare ? "mailto:" + to : to);
}

// The domain of an address or the host of a URL, an IPv6 address without its brackets.
std::string domain_of(const std::string& destination) {
  auto key = destination_key(destination);
  key.erase(0, key.find(':') + 1);
  if (key.starts_with("//")) key.erase(0, 2);
  if (key.starts_with('[')) return key.substr(1, key.find(']') - 1);
  return key.substr(0, key.find(':'));
}

// Two sessions of one MTA-STS policy, one of which failed.
std::vector<Session> sample_sessions(const std::string& domain, Time time) {
  PolicyOutcome outcome;
  outcome.policy.type = PolicyType::kSts;
  outcome.policy.domain = domain;
  outcome.policy.strings = {"version: STSv1", "mode: testing", "mx: mx." + domain,
                            "max_age: 86400"};
  outcome.policy.mx_hosts = {"mx." + domain};
  outcome.success = true;
  Session session;
  session.time = time;
  session.recipient_domain = domain;
  session.outcomes = {outcome};
  std::vector<Session> sessions = {session};
  FailureDetail detail;
  detail.result_type = ResultType::kValidationFailure;
  detail.receiving_mx_hostname = "mx." + domain;
  detail.failure_reason_code = "no real session: a sample of `rapporteur report test`";
  session.outcomes.front().success = false;
  session.outcomes.front().failure_details = {detail};
  sessions.push_back(std::move(session));
  return sessions;
}

Result<Window> count_sample(const Context& context, Store& store, const std::string& domain) {
  const auto today = std::chrono::floor<std::chrono::days>(context.now());
  const Period period{today - kDay, today};
  YesterdayPlanner planner(period);
  RecorderOptions options;
  options.from_file = true;
  options.send_old = true;
  Recorder recorder(store, planner, context.world.clock, options);
  Tally tally("test", std::make_shared<SessionTable>());
  for (const auto& session : sample_sessions(domain, period.start + kDay / 2)) {
    tally.count(session, context.now(), {.max_age = {}, .from_file = true});
  }
  const Tally* const one = &tally;
  const auto recorded = recorder.record({&one, 1});
  if (!recorded) return recorded.error();
  auto windows =
      store.windows({.domain = domain, .state = {}, .due_before = {}, .start = {}, .after = {}});
  if (!windows) return std::move(windows).error();
  if (windows->size() != 1) return Error{Fault::kPermanent, "the sample could not be counted"};
  return std::move(windows->front());
}

// Everything that would be submitted to the destination.
Result<Assembly> assemble(const Context& context, const Config& config, Store& store,
                          const std::string& domain, const std::string& destination) {
  const auto window = count_sample(context, store, domain);
  if (!window) return window.error();
  const auto asked = question_about(*window);
  const auto dossiers = store.dossiers({&asked, 1});
  if (!dossiers) return dossiers.error();
  const auto& dossier = dossiers->front();
  const auto resolver = make_resolver(context, config.dns);
  if (!resolver) return resolver.error();
  DnsAnswers dns(**resolver);
  const auto signer = signer_of(config);
  const AssemblyContext assembly{config, *signer, store, &dns, kMark};
  const auto facts = facts_of(config, *window, dossier.outline, {destination});
  const Question question{.domain = domain, .window = &facts, .delivery_id = {}, .dns = &dns};
  auto made = make_parts(assembly, *window, dossier, question, {destination}, context.now());
  if (!made || !made->load) return made;
  for (std::size_t i = 0; i < made->parts.size(); ++i) {
    if (auto loaded = made->load(i, made->parts[i]); !loaded) return std::move(loaded).error();
  }
  return made;
}

Result<std::vector<Attempt>> submit(const Context& context, const Config& config,
                                    Assembly assembly) {
  std::vector<Attempt> attempts;
  attempts.reserve(assembly.deliveries.size());
  const auto transports =
      context.world.make_transports(config, [&attempts](Speaker speaker, std::string_view line) {
        attempts.back().conversation.push_back({speaker, std::string(line)});
      });
  if (!transports) return transports.error();
  const Interrupt interrupt;
  for (auto& delivery : assembly.deliveries) {
    auto& attempt = attempts.emplace_back();
    attempt.transport = config.delivery.smtp.transport;
    attempt.delivery = std::move(delivery);
    const auto& part = assembly.parts.at(
        static_cast<std::size_t>(attempt.delivery.part - assembly.parts.front().number));
    if (is_mail(attempt.delivery.destination)) {
      const auto message = attempt.delivery.header + "\r\n" + part.mail_body;
      attempt.bytes = message.size();
      attempt.reply = transports->mail(interrupt)->send(
          attempt.delivery.envelope_from, mail_address(attempt.delivery.destination), message);
    } else {
      attempt.bytes = part.gz.size();
      attempt.reply = transports->https(interrupt)->post(attempt.delivery.destination, part.gz);
    }
  }
  return attempts;
}

std::string_view outcome_name(Reply::Outcome outcome) {
  switch (outcome) {
    case Reply::Outcome::kAccepted:
      return "accepted";
    case Reply::Outcome::kTemporary:
      return "temporary";
    case Reply::Outcome::kPermanent:
      return "permanent";
    case Reply::Outcome::kRelayTrouble:
      return "relay-trouble";
    case Reply::Outcome::kUncertain:
      return "uncertain";
    case Reply::Outcome::kRefusedByGuard:
      return "refused-by-guard";
    case Reply::Outcome::kInterrupted:
      break;
  }
  return "interrupted";
}

// What it means for real reports, and what to do.
std::string_view advice(const Attempt& attempt) {
  switch (attempt.reply.outcome) {
    case Reply::Outcome::kAccepted:
      if (!is_mail(attempt.delivery.destination)) return "accepted";
      if (attempt.transport == MailTransportKind::kDirectory)
        return "written to a file; nothing was sent";
      return "accepted; what happens behind this server its log tells, or a bounce";
    case Reply::Outcome::kTemporary:
      return "not accepted now; a real report would be tried again";
    case Reply::Outcome::kPermanent:
      return "refused for good; a real report would end as failed";
    case Reply::Outcome::kRelayTrouble:
      return "the relay is in trouble; look at url, tls, caFile and username in [delivery.smtp], "
             "and at the relay's log";
    case Reply::Outcome::kUncertain:
      return "all was handed over and no answer came; a real report would be tried again with the "
             "same report-id";
    case Reply::Outcome::kRefusedByGuard:
      return "nothing was connected to; [delivery.https] allow names exceptions";
    case Reply::Outcome::kInterrupted:
      break;
  }
  return "broken off";
}

std::string_view speaker_name(Speaker speaker) {
  if (speaker == Speaker::kUs) return "us";
  return speaker == Speaker::kPeer ? "peer" : "note";
}

Json json_of(const std::string& domain, const std::vector<Attempt>& attempts) {
  auto list = Json::array();
  for (const auto& attempt : attempts) {
    auto conversation = Json::array();
    for (const auto& line : attempt.conversation) {
      conversation.add(
          Json::object().set("who", speaker_name(line.speaker)).set("line", line.text));
    }
    list.add(Json::object()
                 .set("destination", attempt.delivery.destination)
                 .set("report-id", attempt.delivery.report_id)
                 .set("envelope-from", Json::text_or_null(attempt.delivery.envelope_from))
                 .set("bytes", std::uint64_t{attempt.bytes})
                 .set("conversation", std::move(conversation))
                 .set("outcome", outcome_name(attempt.reply.outcome))
                 .set("response", attempt.reply.text)
                 .set("advice", advice(attempt)));
  }
  return Json::object().set("domain", domain).set("deliveries", std::move(list));
}

void print_people(std::ostream& out, const Attempt& attempt) {
  out << fmt::format("Report {}, {} bytes, to {}\n", printable(attempt.delivery.report_id),
                     attempt.bytes, printable(attempt.delivery.destination));
  for (const auto& line : attempt.conversation) {
    const auto* const sign = line.speaker == Speaker::kUs     ? "> "
                             : line.speaker == Speaker::kPeer ? "< "
                                                              : "* ";
    out << sign << printable(line.text) << '\n';
  }
  out << fmt::format("{}\n{}\n", printable(attempt.reply.text), advice(attempt));
}

}  // namespace

int report_test(const Context& context, const ReportTestRequest& request) {
  const auto destination = destination_of(request.to);
  if (destination.uri.empty()) {
    return fail(context, fmt::format("--to '{}': {}", request.to, destination.why), kExitUsage);
  }
  const auto named = request.domain.empty() ? domain_of(destination.uri) : request.domain;
  if (request.domain.empty() && parse_ip(named)) {
    return fail(context,
                fmt::format("--to '{}' names an address and no domain; --domain names a recipient "
                            "domain",
                            request.to),
                kExitUsage);
  }
  const auto domain = normalise_domain(named);
  if (!domain) {
    return fail(context, domain.error().text + "; --domain names a recipient domain", kExitUsage);
  }
  const auto config = load(context);
  if (!config) return kExitConfig;
  const auto store = context.world.open_store("sqlite::memory:", {});
  if (!store) return fail(context, store.error());
  auto assembly = assemble(context, *config, **store, *domain, destination.uri);
  if (!assembly) return fail(context, assembly.error());
  const auto attempts = submit(context, *config, *std::move(assembly));
  if (!attempts) return fail(context, attempts.error());
  bool accepted = true;
  for (const auto& attempt : *attempts) {
    accepted = accepted && attempt.reply.outcome == Reply::Outcome::kAccepted;
    if (!context.json) print_people(context.world.out, attempt);
  }
  if (context.json) context.print(json_of(*domain, *attempts));
  return accepted ? kExitDone : kExitFailed;
}

}  // namespace rapporteur
