#include "received/trust.h"

#include <utility>

#include "received/authentication.h"

namespace rapporteur {

namespace {

KeyAnswer look_up_key(Resolver& resolver, const std::string& name) {
  auto answer = std::move(resolver.txt(std::span(&name, 1)).front());
  switch (answer.status) {
    case DnsAnswer::Status::kFound:
      return {.status = KeyAnswer::Status::kFound, .records = std::move(answer.records)};
    case DnsAnswer::Status::kNone:
      return {.status = KeyAnswer::Status::kNone};
    case DnsAnswer::Status::kTemporary:
      break;
  }
  return {.status = KeyAnswer::Status::kTemporary, .problem = std::move(answer.problem)};
}

}  // namespace

TrustVerdict judge_mail(std::string_view message, const MailedReport& mail,
                        std::span<const std::string> trusted_authserv_ids,
                        const DkimVerifier& verifier, Resolver& resolver, Time now) {
  TrustVerdict verdict;
  if (mail.from_domain.empty()) {
    verdict.why = "its header has no From field with one address";
    return verdict;
  }
  const auto verified = verifier.verify(
      message, [&](std::string_view signer) { return speaks_for(signer, mail.from_domain); },
      [&](const std::string& name) { return look_up_key(resolver, name); }, now);
  if (verified.state == Verification::State::kPassed) {
    verdict.trust = Trust::kDkim;
    verdict.signer = verified.domain;
    verdict.for_email_only = verified.for_email_only;
    return verdict;
  }
  const auto told = read_authentication_results(mail.authentication_results, trusted_authserv_ids,
                                                mail.from_domain);
  if (told.passed) {
    verdict.trust = Trust::kMta;
    verdict.signer = told.domain;
    verdict.voucher = told.authserv_id;
    return verdict;
  }
  verdict.undecided = verified.state == Verification::State::kTemporary;
  verdict.why = verified.state == Verification::State::kNone
                    ? "no DKIM signature of " + mail.from_domain
                    : verified.why;
  return verdict;
}

}  // namespace rapporteur
