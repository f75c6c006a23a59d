#pragma once
// What a decoder of ingest promises of any line: a verdict with a known reason, and sessions that
// keep the promises of tests/hostile/session_promises.h and are read again as the same.

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/require.h"
#include "hostile/session_promises.h"
#include "ingest/decoder.h"

namespace fuzz {

using namespace rapporteur;

// docs/formats.md, "Why a line is not counted", but for what listeners and the store add.
inline bool is_reason(std::string_view word, Verdict verdict) {
  static const std::set<std::string_view> kRejected = {"not-json",
                                                       "not-an-object",
                                                       "too-deep",
                                                       "bad-number",
                                                       "line-too-long",
                                                       "unknown-format",
                                                       "no-recipient-domain",
                                                       "bad-domain",
                                                       "bad-policy-domain",
                                                       "bad-time",
                                                       "no-policies",
                                                       "bad-policies",
                                                       "too-many-policies",
                                                       "no-policy",
                                                       "unknown-policy-type",
                                                       "bad-result",
                                                       "bad-failure-details",
                                                       "bad-failure-code",
                                                       "too-many-details",
                                                       "bad-count",
                                                       "bad-own-report",
                                                       "bad-id"};
  static const std::set<std::string_view> kIgnored = {"blank", "log-line", "no-tls-event"};
  if (verdict == Verdict::kSession) return word.empty();
  return (verdict == Verdict::kIgnored ? kIgnored : kRejected).contains(word);
}

// A text without control characters as JSON.
inline std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json + '"';
}

inline std::string field(std::string_view name, const std::string& text) {
  return text.empty() ? "" : "," + quoted(name) + ":" + quoted(text);
}

inline std::string texts(std::string_view name, const std::vector<std::string>& texts) {
  std::string json = "," + quoted(name) + ":[";
  for (const auto& text : texts) json += (&text == &texts.front() ? "" : ",") + quoted(text);
  return json + "]";
}

// The session in the native form, without its id.
inline std::string native_form(const Session& session) {
  std::string json = R"({"recipient-domain":)" + quoted(session.recipient_domain) + R"(,"count":)" +
                     std::to_string(session.count) + R"(,"own-report":)" +
                     (session.own_report ? "true" : "false") +
                     field("tlsrpt-record", session.tlsrpt_record);
  if (session.time)
    json += R"(,"epoch":)" + std::to_string(session.time->time_since_epoch().count());
  json += R"(,"policies":[)";
  for (const auto& outcome : session.outcomes) {
    if (&outcome != &session.outcomes.front()) json += ",";
    json += R"({"policy":{"policy-type":)" + quoted(to_string(outcome.policy.type)) +
            field("policy-domain", outcome.policy.domain) +
            texts("policy-string", outcome.policy.strings) +
            texts("mx-host", outcome.policy.mx_hosts) + R"(},"type":)" +
            (outcome.success ? "1" : "0") + R"(,"failure-details":[)";
    for (const auto& detail : outcome.failure_details) {
      if (&detail != &outcome.failure_details.front()) json += ",";
      json += R"({"result-type":)" + quoted(to_string(detail.result_type)) +
              field("sending-mta-ip", detail.sending_mta_ip) +
              field("receiving-mx-hostname", detail.receiving_mx_hostname) +
              field("receiving-mx-helo", detail.receiving_mx_helo) +
              field("receiving-ip", detail.receiving_ip) +
              field("additional-information", detail.additional_information) +
              field("failure-reason-code", detail.failure_reason_code) + "}";
    }
    json += "]}";
  }
  return json + "]}";
}

// Some values mean something else when they are read once more: a HELO that looks like a reply
// code, a URI that was cut and is none any longer.
inline bool is_lasting(const FailureDetail& detail) {
  const auto& helo = detail.receiving_mx_helo;
  const bool code = helo.size() >= 3 && std::all_of(helo.begin(), helo.begin() + 3,
                                                    [](char c) { return c >= '0' && c <= '9'; });
  return !code && !detail.additional_information.ends_with("…");
}

inline void check_read_again(Session session) {
  std::size_t details = 0;
  for (const auto& outcome : session.outcomes) {
    details += outcome.failure_details.size();
    if (!std::ranges::all_of(outcome.failure_details, is_lasting)) return;
  }
  if (details > kMaxDetails) return;
  const auto line = native_form(session);
  if (line.size() > kMaxLineBytes) return;
  const auto again = Decoder(Format::kNative).decode(line);
  require(again.verdict == Verdict::kSession, "a session can be read again",
          std::string(again.reason) + "\n" + line);
  session.id.clear();
  session.recipient_domain_guessed = false;
  require(again.session == session, "a session is the same when it is read again",
          line + "\n" + native_form(again.session));
}

inline Decoded check_line(Decoder& decoder, Format format, std::string_view line) {
  const auto decoded = decoder.decode(line);
  require(is_reason(decoded.reason, decoded.verdict), "a verdict has one of the known reasons",
          std::string(decoded.reason));
  require(format == Format::kAuto || decoded.format == format, "a line is read as what it is");
  if (decoded.verdict != Verdict::kSession) {
    require(decoded.session == Session(), "what is no session leaves nothing");
    return decoded;
  }
  require(decoded.format != Format::kAuto, "a session has a format");
  const auto broken = hostile::broken_promise(decoded.session);
  require(broken.empty(), broken, native_form(decoded.session));
  check_read_again(decoded.session);
  return decoded;
}

// One target each. The decoder is the same for all inputs: what it keeps must not show.
inline void check_format(Format format, const std::uint8_t* data, std::size_t size) {
  static Decoder decoder(format);
  const std::string line(data, data + size);
  const auto decoded = check_line(decoder, format, line);
  const auto fresh = Decoder(format).decode(line);
  require(fresh.verdict == decoded.verdict && fresh.reason == decoded.reason &&
              fresh.session == decoded.session,
          "a line means the same to every decoder", std::string(fresh.reason));
}

}  // namespace fuzz
