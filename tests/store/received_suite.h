#pragma once
// The tests of received reports, for every store: instantiated as StoreTest is.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "store/store_suite.h"

namespace rapporteur::testing_support {

// A report of `organization` about a.example on kDay: 10 successes, and each of the failures.
inline ReceivedAddition report(const std::string& organization, const std::string& report_id,
                               std::vector<FailureTally> failures = {}) {
  ReceivedAddition made;
  made.report.organization = organization;
  made.report.contact = "tls@" + organization;
  made.report.report_id = report_id;
  made.report.start = kDay;
  made.report.end = kDay + 24h - 1s;
  made.report.received = kDay + 30h;
  made.report.trust = Trust::kDkim;
  made.report.signer = organization;
  made.report.source = "mail";
  made.report.successful = 10;
  made.report.domains = {"a.example"};
  made.report.oddities = {"contact-info is null", "a phrase, with a comma"};
  for (const auto& failure : failures) made.report.failed += failure.sessions;
  made.key = sha256(organization + report_id);
  made.digest = sha256("digest");
  made.policies = {{"a.example", "sts", 10, made.report.failed}};
  made.failures = std::move(failures);
  made.json_gz = std::string("gz\0json", 7) + report_id;
  made.counted = {Trust::kDkim, Trust::kMta, Trust::kLocal, Trust::kHttps};
  made.seen_since = made.report.received - 7 * 24h;
  return made;
}

inline const FailureTally kExpired{"a.example", "certificate-expired", "mx1.a.example", 3};
inline const FailureTally kNoTls{"a.example", "starttls-not-supported", "mx1.a.example", 4};

class ReceivedTest : public StoreTest {
 protected:
  ReceivedAdded keep(const ReceivedAddition& addition) {
    auto added = ok(store().add_received(std::span(&addition, 1)));
    if (added.size() == 1) return added.front();
    ADD_FAILURE() << added.size() << " results";
    return {};
  }
  std::vector<KeptReport> list(const ReceivedFilter& filter = {}) {
    return ok(store().received(filter));
  }
  std::vector<std::string> ids(const ReceivedFilter& filter) {
    std::vector<std::string> found;
    for (const auto& kept : list(filter)) found.push_back(kept.report_id);
    return found;
  }
  std::map<std::string, std::uint64_t> counters() { return ok(store().counters()); }
};

}  // namespace rapporteur::testing_support
