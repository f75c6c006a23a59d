#pragma once
// Answers dns_query() of the settings' expressions: docs/expressions.md, "Lookups". For many
// windows at once, what they will ask is found out beforehand and asked in one batch.

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "dns/resolver.h"
#include "expr/expression.h"
#include "schedule/evaluation.h"

namespace rapporteur {

// What [dns] says, for make_resolver().
ResolverOptions resolver_options(const DnsConfig& dns);

// Remembers every answer as long as it lives, that nothing is known included: made for one page of
// windows or one command. One thread. After a few time-outs, questions that were not prepared are
// no longer asked: a DNS that is silent costs its time-out a few times and not for every window.
class DnsAnswers final : public expr::Dns {
 public:
  // `resolver` outlives this object. Its time-out bounds every query.
  explicit DnsAnswers(Resolver& resolver) : resolver_(resolver) {}

  // Asks what the settings will ask for these questions, many at once. What one answer makes them
  // ask is asked in the next of a few rounds. Does nothing if no setting asks the DNS.
  void prepare(const Config& config, std::span<const Question> questions);

  expr::DnsResult query(std::string_view name, expr::DnsType type) override;

 private:
  expr::DnsResult answer(const DnsQuestion& question);

  Resolver& resolver_;
  std::map<DnsQuestion, DnsAnswer> known_;
  std::set<DnsQuestion> wanted_;  // while preparing
  bool preparing_ = false;
  int time_outs_ = 0;  // of questions that were asked alone
};

}  // namespace rapporteur
