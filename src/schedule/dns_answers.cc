#include "schedule/dns_answers.h"

#include <iterator>
#include <utility>

namespace rapporteur {

namespace {

constexpr int kRounds = 4;
constexpr int kMostTimeOuts = 3;

DnsType type_of(expr::DnsType type) {
  switch (type) {
    case expr::DnsType::kTxt:
      return DnsType::kTxt;
    case expr::DnsType::kMx:
      return DnsType::kMx;
    case expr::DnsType::kIpv6:
      return DnsType::kIpv6;
    case expr::DnsType::kPtr:
      return DnsType::kPtr;
    case expr::DnsType::kIp:
    case expr::DnsType::kIpv4:
      break;
  }
  return DnsType::kIpv4;
}

}  // namespace

ResolverOptions resolver_options(const DnsConfig& dns) {
  return {.servers = dns.servers,
          .timeout = dns.timeout,
          .concurrency = dns.concurrency,
          .trust_anchor = dns.trust_anchor};
}

void DnsAnswers::prepare(const Config& config, std::span<const Question> questions) {
  if (!config.settings.asks_dns()) return;
  preparing_ = true;
  for (int round = 0; round < kRounds; ++round) {
    for (Question question : questions) {
      question.dns = this;
      evaluate_all(config, question);
    }
    if (wanted_.empty()) break;
    const std::vector<DnsQuestion> batch(wanted_.begin(), wanted_.end());
    auto answers = resolver_.ask(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      known_.insert_or_assign(batch[i], std::move(answers.at(i)));
    }
    wanted_.clear();
  }
  wanted_.clear();
  preparing_ = false;
}

expr::DnsResult DnsAnswers::query(std::string_view name, expr::DnsType type) {
  auto result = answer({std::string(name), type_of(type)});
  if (type != expr::DnsType::kIp) return result;
  auto others = answer({std::string(name), DnsType::kIpv6});
  if (!result.problem.empty()) return result;
  if (!others.problem.empty()) return others;
  result.records.insert(result.records.end(), std::make_move_iterator(others.records.begin()),
                        std::make_move_iterator(others.records.end()));
  return result;
}

expr::DnsResult DnsAnswers::answer(const DnsQuestion& question) {
  auto found = known_.find(question);
  if (found == known_.end()) {
    if (preparing_) {
      wanted_.insert(question);
      return {{}, "not asked yet"};
    }
    if (time_outs_ >= kMostTimeOuts) {
      return {{}, "not asked, because other questions had no answer in their time"};
    }
    auto answers = resolver_.ask(std::span(&question, 1));
    found = known_.emplace(question, std::move(answers.at(0))).first;
    if (found->second.timed_out) ++time_outs_;
  }
  const auto& known = found->second;
  if (known.status == DnsAnswer::Status::kTemporary) return {{}, known.problem};
  return {known.records, {}};
}

}  // namespace rapporteur
