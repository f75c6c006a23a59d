#include "aggregate/packed_session.h"

#include <array>
#include <utility>

#include "base/varint.h"

namespace rapporteur {

namespace {

// What this file wrote is well-formed.
std::uint64_t number_from(std::string_view& from) {
  return take_number(from).value_or(0);
}

std::string_view text_from(std::string_view& from) {
  return take_text(from).value_or(std::string_view());
}

void put_texts(const std::vector<std::string>& texts, std::string& to) {
  put_number(texts.size(), to);
  for (const auto& text : texts) put_text(text, to);
}

std::vector<std::string> texts_from(std::string_view& from) {
  std::vector<std::string> texts(number_from(from));
  for (auto& text : texts) text = text_from(from);
  return texts;
}

// Writes with `write` and puts the length of that in front.
template <class Write>
void put_framed(std::string& frame, std::string& to, Write write) {
  frame.clear();
  write(frame);
  put_text(frame, to);
}

void put_policy(const Policy& policy, const std::string& recipient_domain, std::string& to) {
  // Policy domains are never empty, and mostly the recipient domain.
  put_number(static_cast<std::size_t>(policy.type), to);
  put_text(policy.domain == recipient_domain ? std::string_view() : policy.domain, to);
  put_texts(policy.strings, to);
  put_texts(policy.mx_hosts, to);
}

using Texts = std::array<std::string FailureDetail::*, 6>;
constexpr Texts kDetailTexts = {
    &FailureDetail::sending_mta_ip,         &FailureDetail::receiving_mx_hostname,
    &FailureDetail::receiving_mx_helo,      &FailureDetail::receiving_ip,
    &FailureDetail::additional_information, &FailureDetail::failure_reason_code};

// Texts that are absent at the end take no bytes, so that the result type alone is a whole detail.
void put_detail(const FailureDetail& detail, std::string& to) {
  to += static_cast<char>(detail.result_type);
  std::size_t present = kDetailTexts.size();
  while (present > 0 && (detail.*kDetailTexts.at(present - 1)).empty()) --present;
  for (std::size_t i = 0; i < present; ++i) put_text(detail.*kDetailTexts.at(i), to);
}

}  // namespace

void pack_session(const Session& session, std::string& packed) {
  std::string frame;
  packed.clear();
  put_text(session.recipient_domain, packed);
  put_text(session.tlsrpt_record, packed);
  put_number(session.outcomes.size(), packed);
  for (const auto& outcome : session.outcomes) {
    put_framed(frame, packed,
               [&](std::string& to) { put_policy(outcome.policy, session.recipient_domain, to); });
    put_number(outcome.failure_details.size() * 2 + (outcome.success ? 1 : 0), packed);
    for (const auto& detail : outcome.failure_details) {
      put_framed(frame, packed, [&](std::string& to) { put_detail(detail, to); });
    }
  }
}

namespace {

bool are_texts(std::string_view& from) {
  const auto count = take_number(from);
  if (!count) return false;
  for (auto left = *count; left > 0; --left) {
    if (!take_text(from)) return false;
  }
  return true;
}

bool is_policy(std::string_view bytes) {
  const auto type = take_number(bytes);
  return type && *type <= static_cast<std::uint64_t>(PolicyType::kNoPolicyFound) &&
         take_text(bytes) && are_texts(bytes) && are_texts(bytes) && bytes.empty();
}

bool is_detail(std::string_view bytes) {
  constexpr auto kLast = static_cast<unsigned char>(ResultType::kStsPolicyFetchError);
  if (bytes.empty() || static_cast<unsigned char>(bytes.front()) > kLast) return false;
  bytes.remove_prefix(1);
  for (std::size_t i = 0; i < kDetailTexts.size() && !bytes.empty(); ++i) {
    if (!take_text(bytes)) return false;
  }
  return bytes.empty();
}

}  // namespace

bool is_packed_session(std::string_view bytes) {
  const auto domain = take_text(bytes);
  if (!domain || domain->empty() || !take_text(bytes)) return false;
  const auto outcomes = take_number(bytes);
  if (!outcomes) return false;
  for (auto left = *outcomes; left > 0; --left) {
    const auto policy = take_text(bytes);
    const auto number = take_number(bytes);
    if (!policy || !number || !is_policy(*policy)) return false;
    for (auto details = *number / 2; details > 0; --details) {
      const auto detail = take_text(bytes);
      if (!detail || !is_detail(*detail)) return false;
    }
  }
  return bytes.empty();
}

PackedSession::PackedSession(std::string_view packed) : rest_(packed) {
  domain_ = text_from(rest_);
  record_ = text_from(rest_);
  outcomes_ = number_from(rest_);
}

bool PackedSession::next_outcome(Outcome& outcome) {
  if (outcomes_ == 0) return false;
  --outcomes_;
  outcome.policy = text_from(rest_);
  const auto number = number_from(rest_);
  outcome.success = number % 2 == 1;
  outcome.details = number / 2;
  return true;
}

std::string_view PackedSession::next_detail() {
  return text_from(rest_);
}

Policy unpack_policy(std::string_view packed, std::string_view recipient_domain) {
  Policy policy;
  policy.type = static_cast<PolicyType>(number_from(packed));
  const auto domain = text_from(packed);
  policy.domain = domain.empty() ? recipient_domain : domain;
  policy.strings = texts_from(packed);
  policy.mx_hosts = texts_from(packed);
  return policy;
}

FailureDetail unpack_detail(std::string_view packed) {
  FailureDetail detail;
  detail.result_type = static_cast<ResultType>(packed.front());
  packed.remove_prefix(1);
  for (const auto text : kDetailTexts) {
    if (packed.empty()) break;
    detail.*text = text_from(packed);
  }
  return detail;
}

std::string_view bare_detail(std::string_view packed) {
  return packed.substr(0, 1);
}

}  // namespace rapporteur
