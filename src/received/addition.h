#pragma once
// From a report as it was read to what the store keeps of it. Pure.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/received.h"
#include "received/mail.h"
#include "store/store.h"

namespace rapporteur {

// What is known of a report beside its own text. The text is authoritative (RFC 8460, section
// 5.6): all this only fills in what it lacks.
struct Surroundings {
  const MailedReport* mail = nullptr;
  std::string file_name;
  std::span<const std::string> domains;  // [received] domains; empty: any
};

// Whether a policy is about one of the domains: it has that domain, or it is a DANE policy of a
// host below it, which has the MX host's name.
bool is_ours(const ReceivedPolicy& policy, std::span<const std::string> domains);

// Why a report is not kept.
struct Refusal {
  std::string_view reason;  // a word for counters: "no-period", "not-ours"
  std::string why;          // one line
};

// Fills in key, digest, part, tallies and what the report itself says of addition.report; what is
// there of it (class, source, times) stays. More oddities are added. Refuses a report that tells no
// period, or nothing about our domains.
std::optional<Refusal> fill_addition(ReceivedReport report, const Surroundings& around,
                                     ReceivedAddition& addition);

}  // namespace rapporteur
