// rapporteur record: the TLSRPT record of a domain, looked up and explained.

#include <fmt/format.h>

#include "base/domain.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "dns/tlsrpt_record.h"

namespace rapporteur {

namespace {

// What the answer means for reports. Destinations beyond the configured number are not used.
TlsrptRecord judge(const DnsAnswer& answer, std::size_t max_destinations) {
  if (answer.status == DnsAnswer::Status::kTemporary) {
    TlsrptRecord record;
    record.status = RecordStatus::kTemporary;
    record.problem = answer.problem;
    return record;
  }
  auto record = read_tlsrpt_answers(answer.records);
  while (record.rua.size() > max_destinations) {
    record.skipped.push_back({record.rua[max_destinations],
                              fmt::format("more than maxDestinations = {}", max_destinations)});
    record.rua.erase(record.rua.begin() + static_cast<std::ptrdiff_t>(max_destinations));
  }
  return record;
}

std::string_view explain(RecordStatus status) {
  switch (status) {
    case RecordStatus::kOk:
      return "one usable record: reports are sent to it";
    case RecordStatus::kNone:
      return "no TLSRPT record: the domain asks for no reports";
    case RecordStatus::kSeveral:
      return "several TLSRPT records: the domain does not take part (RFC 8460, section 3)";
    case RecordStatus::kInvalid:
      return "the record cannot be used: no reports are sent";
    case RecordStatus::kTemporary:
      break;
  }
  return "no definite answer: the lookup is tried again for 24 hours before a window is given up";
}

Json record_json(const std::string& domain, const DnsAnswer& answer, const TlsrptRecord& record) {
  auto skipped = Json::array();
  for (const auto& [uri, why] : record.skipped) {
    skipped.add(Json::object().set("uri", uri).set("why", why));
  }
  return Json::object()
      .set("domain", domain)
      .set("state", to_string(record.status))
      .set("rua", Json::strings(record.rua))
      .set("skipped", std::move(skipped))
      .set("text", Json::strings(answer.records));
}

void print_people(std::ostream& out, const std::string& domain, const DnsAnswer& answer,
                  const TlsrptRecord& record) {
  out << fmt::format("{}: {}\n{}\n", tlsrpt_name(domain), to_string(record.status),
                     explain(record.status));
  if (!record.problem.empty()) out << "  problem: " << printable(record.problem) << '\n';
  for (const auto& uri : record.rua) out << "  destination: " << printable(uri) << '\n';
  for (const auto& [uri, why] : record.skipped) {
    out << fmt::format("  skipped: {} ({})\n", printable(uri), printable(why));
  }
  for (const auto& text : answer.records) out << "  TXT: " << printable(text) << '\n';
  if (answer.status != DnsAnswer::Status::kTemporary) {
    out << "  DNSSEC: " << (answer.secure ? "validated" : "not validated") << '\n';
  }
}

}  // namespace

int record(const Context& context, const std::string& name) {
  const auto domain = normalise_domain(name);
  if (!domain) return fail(context, domain.error().text, kExitUsage);
  const auto config = load(context);
  if (!config) return kExitConfig;
  const auto resolver = make_resolver(context, config->dns);
  if (!resolver) return fail(context, resolver.error());
  const auto answer = look_up(**resolver, *domain);
  const auto found = judge(answer, static_cast<std::size_t>(config->delivery.max_destinations));
  if (context.json) {
    context.print(record_json(*domain, answer, found));
  } else {
    print_people(context.world.out, *domain, answer, found);
  }
  return found.status == RecordStatus::kTemporary ? kExitFailed : kExitDone;
}

}  // namespace rapporteur
