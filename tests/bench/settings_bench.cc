// Every setting of a realistic configuration for domains that have not been asked before, and the
// same results from a C++ function that somebody would write by hand.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <re2/re2.h>

#include "config/config.h"
#include "schedule/evaluation.h"

namespace rapporteur::bench {
namespace {

constexpr std::string_view kConfig = R"TOML([system]
domain = "example.org"
hostname = "mail.example.org"
[delivery.smtp]
relaySigns = true
[report]
outboundReportSubmitter = "system('domain')"
[report.tls]
fromName = "'TLS reports of ' + system('domain')"
fromAddress = "'noreply-tls@' + system('domain')"
envelopeFrom = "'tlsrpt+' + delivery_id + '@' + system('domain')"
subject = "'Report Domain: ' + rcpt_domain + ' Submitter: ' + submitter + ' Report-ID: <' + report_id + '>'"
orgName = [ { if = "ends_with(rcpt_domain, '.gov')", then = "'Example Public Sector'" }, { else = "'Example Incorporated'" } ]
contactInfo = "'postmaster@' + system('domain')"
sendFrequency = [ { if = "ends_with(rcpt_domain, '.gov')", then = "hourly" }, { if = '''matches('^(.+)\.example\.net$', rcpt_domain)''', then = "weekly" }, { else = "daily" } ]
maxReportSize = { match = [ { if = "rcpt_domain == 'example.com'", then = "1048576" } ], else = "5242880" }
dkimSignDomain = "system('domain')"
sendWhen = "failed_sessions > 0 || frequency != weekly"
reportTo = "rua"
)TOML";

struct Case {
  std::string domain;
  std::string report_id;
  WindowFacts facts;
  PartFacts part;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  constexpr std::array<std::string_view, 4> kEnds = {".example.com", ".example.net", ".gov",
                                                     ".mail.example.co.uk"};
  for (int i = 0; i < 1000; ++i) {
    Case one;
    one.domain = "customer" + std::to_string(i * 7919) + std::string(kEnds[std::size_t(i) % 4]);
    one.facts.period = {Time(Seconds(1'763'683'200)), Time(Seconds(1'763'769'600))};
    one.facts.successful = std::uint64_t(i) * 13;
    one.facts.failed = std::uint64_t(i) % 3;
    one.facts.policy_types = {"sts", "tlsa"};
    one.facts.result_types = {"certificate-expired"};
    one.facts.rua = {"mailto:tlsrpt@" + one.domain, "https://reports.example.net/v1/tlsrpt"};
    one.part.submitter = "example.org";
    one.part.report_id =
        "20251121T000000Z-20251122T000000Z." + one.domain + ".1.ab12cd34@example.org";
    all.push_back(std::move(one));
  }
  return all;
}

constexpr std::string_view kDelivery = "3k9x2m4q7w1z";

// What the settings yield, as the program goes on with it.
struct Results {
  std::string from_name;
  std::string from_address;
  std::string envelope_from;
  std::string subject;
  std::string org_name;
  std::string contact_info;
  Frequency send_frequency = Frequency::kDaily;
  std::int64_t max_report_size = 0;
  std::string dkim_sign_domain;
  bool send_when = false;
  std::vector<std::string> report_to;
  std::string submitter;

  friend bool operator==(const Results&, const Results&) = default;
};

struct System {
  std::string domain;
};

Results written_by_hand(const System& system, const RE2& example_net, const Question& question) {
  Results results;
  const std::string& domain = question.domain;
  results.from_name = "TLS reports of " + system.domain;
  results.from_address = "noreply-tls@" + system.domain;
  results.envelope_from = "tlsrpt+" + question.delivery_id + "@" + system.domain;
  results.subject = "Report Domain: " + domain + " Submitter: " + question.part->submitter +
                    " Report-ID: <" + question.part->report_id + ">";
  const bool government = domain.ends_with(".gov");
  results.org_name = government ? "Example Public Sector" : "Example Incorporated";
  results.contact_info = "postmaster@" + system.domain;
  if (government) {
    results.send_frequency = Frequency::kHourly;
  } else if (RE2::PartialMatch(domain, example_net)) {
    results.send_frequency = Frequency::kWeekly;
  }
  results.max_report_size = domain == "example.com" ? 1'048'576 : 5'242'880;
  results.dkim_sign_domain = system.domain;
  results.send_when =
      question.window->failed > 0 || question.window->frequency != Frequency::kWeekly;
  results.report_to = question.window->rua;
  results.submitter = system.domain;
  return results;
}

const std::string& text_of(const Answer& answer) {
  return std::get<std::string>(*answer.value);
}

Results as_results(const Answers& answers) {
  Results results;
  results.from_name = text_of(answers[0]);
  results.from_address = text_of(answers[1]);
  results.envelope_from = text_of(answers[2]);
  results.subject = text_of(answers[3]);
  results.org_name = text_of(answers[4]);
  results.contact_info = text_of(answers[5]);
  results.send_frequency = *parse_frequency(std::get<expr::Constant>(*answers[6].value).name);
  results.max_report_size = std::get<std::int64_t>(*answers[7].value);
  results.dkim_sign_domain = text_of(answers[8]);
  results.send_when = std::get<std::int64_t>(*answers[9].value) != 0;
  for (const auto& uri : std::get<expr::Array>(*answers[10].value)) {
    results.report_to.push_back(std::get<std::string>(uri));
  }
  results.submitter = text_of(answers[11]);
  return results;
}

Question question_of(const Case& one) {
  return {.domain = one.domain,
          .window = &one.facts,
          .part = &one.part,
          .delivery_id = std::string(kDelivery),
          .dns = nullptr};
}

// With overrides beside them, none of which holds.
std::shared_ptr<const Config> config_with(int overrides) {
  std::string text(kConfig);
  for (int i = 0; i < overrides; ++i) {
    text += "[report.tls.domain.\"override" + std::to_string(i) +
            ".example\"]\nsendFrequency = \"weekly\"\n";
  }
  auto loaded = parse_config(text, "bench.toml");
  if (loaded.config) return loaded.config;
  for (const auto& diagnostic : loaded.diagnostics) std::puts(diagnostic.text().c_str());
  std::abort();
}

const RE2& example_net() {
  static const RE2 re("^(.+)\\.example\\.net$");
  return re;
}

void evaluate_settings(benchmark::State& state, int overrides) {
  const auto all = cases();
  const auto loaded = config_with(overrides);
  for (const auto& one : all) {
    const auto question = question_of(one);
    if (as_results(evaluate_all(*loaded, question)) !=
        written_by_hand({"example.org"}, example_net(), question)) {
      state.SkipWithError("the results differ");
      return;
    }
  }
  std::size_t i = 0;
  for (auto _ : state) {
    const auto question = question_of(all[i++ % all.size()]);
    benchmark::DoNotOptimize(evaluate_all(*loaded, question));
  }
}

void settings_evaluated(benchmark::State& state) {
  evaluate_settings(state, 5'000);
}
BENCHMARK(settings_evaluated);

void settings_of_10_overrides(benchmark::State& state) {
  evaluate_settings(state, 10);
}
BENCHMARK(settings_of_10_overrides);

void settings_by_hand(benchmark::State& state) {
  const auto all = cases();
  const System system{"example.org"};
  std::size_t i = 0;
  for (auto _ : state) {
    const auto question = question_of(all[i++ % all.size()]);
    benchmark::DoNotOptimize(written_by_hand(system, example_net(), question));
  }
}
BENCHMARK(settings_by_hand);

}  // namespace
}  // namespace rapporteur::bench
