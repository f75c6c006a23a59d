// Every row of every table of hostile input has the outcome that it names, and what comes out of it
// keeps the promises on which everything downstream relies.

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/domain.h"
#include "base/ip.h"
#include "base/text.h"
#include "deliver/guard.h"
#include "deliver/judge.h"
#include "dns/record_data.h"
#include "dns/tlsrpt_record.h"
#include "hostile/destination_promises.h"
#include "hostile/rows.h"
#include "hostile/session_promises.h"
#include "ingest/decoder.h"
#include "ingest/normalise.h"
#include "model/delivery.h"

namespace rapporteur::hostile {

void PrintTo(const RecordRow& row, std::ostream* out) {
  *out << row.name;
}
void PrintTo(const UriRow& row, std::ostream* out) {
  *out << row.name;
}
void PrintTo(const EventRow& row, std::ostream* out) {
  *out << row.name;
}
void PrintTo(const WordRow& row, std::ostream* out) {
  *out << row.name;
}

namespace {

constexpr auto kName = [](const auto& test) { return std::string(test.param.name); };

// Records, from the wire on.

std::string wire_form(const std::vector<std::string>& strings) {
  constexpr std::size_t kLongest = 255;
  std::string data;
  for (std::string_view text : strings) {
    do {
      const auto size = std::min(kLongest, text.size());
      data += static_cast<char>(size);
      data += text.substr(0, size);
      text.remove_prefix(size);
    } while (!text.empty());
  }
  return data;
}

std::string outcome(const TlsrptRecord& record) {
  std::string text(to_string(record.status));
  if (!record.problem.empty()) text += ": " + record.problem;
  for (const auto& uri : record.rua) text += "\n+ " + uri;
  for (const auto& skipped : record.skipped) text += "\n- " + skipped.uri + ": " + skipped.why;
  return text;
}

class HostileRecord : public testing::TestWithParam<RecordRow> {};

TEST_P(HostileRecord, HasItsOneOutcome) {
  std::vector<std::string> data;
  for (const auto& strings : GetParam().answers) data.push_back(wire_form(strings));
  const std::vector<std::string_view> views(data.begin(), data.end());
  const auto record = read_tlsrpt_answers(read_record_data(DnsType::kTxt, views));
  EXPECT_EQ(outcome(record), GetParam().want);
  for (const auto& uri : record.rua) EXPECT_EQ(broken_promise(uri), "") << uri;
}

INSTANTIATE_TEST_SUITE_P(Table, HostileRecord, testing::ValuesIn(record_rows()), kName);

// Destinations.

std::string outcome(const UsableUri& usable) {
  if (usable.uri.empty()) return "refused: " + usable.why;
  if (is_mail(usable.uri)) return usable.uri;
  auto host = usable.uri.substr(8, usable.uri.find('/', 8) - 8);
  host =
      host.starts_with('[') ? host.substr(1, host.find(']') - 1) : host.substr(0, host.find(':'));
  const auto address = parse_ip(host);
  if (!address) return usable.uri;
  const auto why = judge_address({}, host, *address, {});
  return usable.uri + " (" + why.value_or("allowed") + ")";
}

class HostileUri : public testing::TestWithParam<UriRow> {};

TEST_P(HostileUri, HasItsOneOutcome) {
  const auto usable = usable_destination(GetParam().uri);
  EXPECT_EQ(outcome(usable), GetParam().want);
  if (!usable.uri.empty()) {
    EXPECT_EQ(broken_promise(usable.uri), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Mailto, HostileUri, testing::ValuesIn(mailto_rows()), kName);
INSTANTIATE_TEST_SUITE_P(Https, HostileUri, testing::ValuesIn(https_rows()), kName);

// Events. A session is "FORMAT RECIPIENT" with what else is not as usual, a line for each policy
// ("+" succeeded, "-" failed) and one for each of its failure details, with the letters of
// libtlsrpt.

void add(std::string& text, std::string_view name, const std::string& value) {
  if (!value.empty()) text += " " + std::string(name) + "=" + value;
}

std::string outcome(const FailureDetail& detail) {
  auto text = "\n  " + std::string(to_string(detail.result_type));
  add(text, "s", detail.sending_mta_ip);
  add(text, "n", detail.receiving_mx_hostname);
  add(text, "h", detail.receiving_mx_helo);
  add(text, "r", detail.receiving_ip);
  add(text, "a", detail.additional_information);
  add(text, "f", detail.failure_reason_code);
  return text;
}

std::string outcome(const Decoded& decoded) {
  if (decoded.verdict != Verdict::kSession) {
    return (decoded.verdict == Verdict::kIgnored ? "ignored " : "rejected ") +
           std::string(to_string(decoded.format)) + " " + std::string(decoded.reason);
  }
  const auto& session = decoded.session;
  auto text = std::string(to_string(decoded.format)) + " " + session.recipient_domain;
  if (session.recipient_domain_guessed) text += " guessed";
  if (session.own_report) text += " own";
  if (session.time) add(text, "at", std::to_string(session.time->time_since_epoch().count()));
  if (session.count != 1) add(text, "count", std::to_string(session.count));
  add(text, "id", session.id);
  add(text, "record", session.tlsrpt_record);
  for (const auto& [policy, success, details] : session.outcomes) {
    text += std::string(success ? "\n+ " : "\n- ") + std::string(to_string(policy.type)) + " " +
            policy.domain;
    if (!policy.strings.empty()) text += " [" + join(policy.strings, "|") + "]";
    if (!policy.mx_hosts.empty()) text += " mx " + join(policy.mx_hosts, ",");
    for (const auto& detail : details) text += outcome(detail);
  }
  return text;
}

class HostileEvent : public testing::TestWithParam<EventRow> {};

TEST_P(HostileEvent, HasItsOneOutcome) {
  const auto decoded = Decoder().decode(GetParam().line);
  EXPECT_EQ(outcome(decoded), GetParam().want);
  if (decoded.verdict == Verdict::kSession) {
    EXPECT_EQ(broken_promise(decoded.session), "");
  } else {
    EXPECT_EQ(decoded.session, Session());
  }
}

INSTANTIATE_TEST_SUITE_P(Frame, HostileEvent, testing::ValuesIn(frame_rows()), kName);
INSTANTIATE_TEST_SUITE_P(Libtlsrpt, HostileEvent, testing::ValuesIn(libtlsrpt_rows()), kName);
INSTANTIATE_TEST_SUITE_P(Momentum, HostileEvent, testing::ValuesIn(momentum_rows()), kName);
INSTANTIATE_TEST_SUITE_P(Halon, HostileEvent, testing::ValuesIn(halon_rows()), kName);
INSTANTIATE_TEST_SUITE_P(Native, HostileEvent, testing::ValuesIn(native_rows()), kName);

// Single texts.

std::string read_sts(std::string_view text) {
  const auto policy = normalise_policy(PolicyType::kSts, "a.example", {text}, {});
  auto shown = join(policy.strings, "|");
  if (!policy.mx_hosts.empty()) shown += " mx " + join(policy.mx_hosts, ",");
  return shown;
}

std::string read_mx(std::string_view text) {
  const auto data = std::string("\0\1", 2) + std::string(text);
  const std::vector<std::string_view> one = {data};
  return join(read_record_data(DnsType::kMx, one), ",");
}

std::string read_information(std::string_view text) {
  RawDetail raw;
  raw.additional_information = text;
  const auto detail = normalise_detail(raw);
  if (!detail.additional_information.empty()) return "uri " + detail.additional_information;
  return detail.failure_reason_code.empty() ? "" : "reason " + detail.failure_reason_code;
}

std::string read_word(Word word, const std::string& text) {
  switch (word) {
    case Word::kDomain: {
      const auto domain = normalise_domain(text);
      return domain ? *domain : "";
    }
    case Word::kMxPattern: {
      const auto pattern = normalise_mx_pattern(text);
      return pattern ? *pattern : "";
    }
    case Word::kMxRecord:
      return read_mx(text);
    case Word::kHelo:
      return normalise_helo(text);
    case Word::kIp:
      return normalise_ip(text);
    case Word::kReason:
      return normalise_text(text, kMaxReason);
    case Word::kUriOrReason:
      return read_information(text);
    case Word::kStsLines:
      return read_sts(text);
    case Word::kTlsaRecord:
      return join(normalise_policy(PolicyType::kTlsa, "a.example", {text}, {}).strings, "|");
    case Word::kSeenRecord:
      return normalise_record(text);
    case Word::kReply:
      return reply_text(text, Stage::kRcptTo);
  }
  return "";
}

class HostileWord : public testing::TestWithParam<WordRow> {};

TEST_P(HostileWord, HasItsOneOutcome) {
  const auto word = read_word(GetParam().word, GetParam().text);
  EXPECT_EQ(word, GetParam().want);
  EXPECT_EQ(flaw_of_text(word, 1 << 16), "");
}

INSTANTIATE_TEST_SUITE_P(Table, HostileWord, testing::ValuesIn(word_rows()), kName);

// The tables themselves.

template <class Rows>
void count(const Rows& rows, std::size_t& all) {
  std::set<std::string> names;
  for (const auto& row : rows) EXPECT_TRUE(names.insert(row.name).second) << row.name;
  all += rows.size();
}

TEST(HostileTables, HoldAtLeast150RowsAndEachNameOnce) {
  std::size_t all = 0;
  count(record_rows(), all);
  count(mailto_rows(), all);
  count(https_rows(), all);
  for (const auto& rows :
       {frame_rows(), libtlsrpt_rows(), momentum_rows(), halon_rows(), native_rows()}) {
    count(rows, all);
  }
  count(word_rows(), all);
  EXPECT_GE(all, 150U);
}

}  // namespace
}  // namespace rapporteur::hostile
