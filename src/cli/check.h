#pragma once
// The single checks of `rapporteur check`. Each asks and looks, and changes nothing.

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "dkim/key_record.h"
#include "schedule/evaluation.h"

namespace rapporteur {

enum class CheckLevel { kOk, kWarning, kFault };

std::string_view to_string(CheckLevel level);  // "ok", "warning", "fault"

struct CheckResult {
  CheckLevel level = CheckLevel::kOk;
  std::string name;    // what was looked at: "relay smtp://127.0.0.1:25"
  std::string seen;    // what was found there
  std::string advice;  // what to do; empty for kOk
};

// What to do where the daemon is missed.
inline constexpr std::string_view kStartDaemon = "start the daemon, and check again";

// Collects results and tells each as it comes.
class Checks {
 public:
  explicit Checks(std::function<void(const CheckResult&)> tell) : tell_(std::move(tell)) {}

  void ok(std::string name, std::string seen);
  void warning(std::string name, std::string seen, std::string advice);
  void fault(std::string name, std::string seen, std::string advice);

  const std::vector<CheckResult>& results() const { return results_; }
  std::size_t count(CheckLevel level) const;

 private:
  void add(CheckResult result);

  std::function<void(const CheckResult&)> tell_;
  std::vector<CheckResult> results_;
};

// What all of them are about.
struct CheckScene {
  const Context& context;
  const Config& config;
  Resolver& resolver;
  // Of the recipient domain whose settings hold, as if a report were due: with one success and one
  // failure, and with one success alone.
  const Question& question;
  const Question& without_failures;
};

// ---- check_dns.cc

// Whether the resolver answers, and what the domain's TLSRPT record says. `answer` is about
// tlsrpt_name() of the domain; `asked_for` tells whether the domain was named by the person.
void check_resolver(const DnsAnswer& answer, const std::string& domain, bool asked_for,
                    Checks& checks);
// Every [[dkim]] key against its record.
void check_keys(const CheckScene& scene, Checks& checks);

// What the published record means for a key. `name` is that of the record, `answer` what the DNS
// says about it.
void judge_key(const DkimKey& key, const std::string& name, const DnsAnswer& answer,
               const KeyVerdict& verdict, Checks& checks);

// ---- check_identity.cc

// The domain in From against signature, envelope sender, DMARC and SPF; where bounces go.
void check_identity(const CheckScene& scene, Checks& checks);

// Whether DMARC takes the two for one (RFC 7489, section 3.1): equal, or, unless `strict`, of one
// organisation.
bool is_aligned(std::string_view one, std::string_view other, bool strict);

// ---- check_settings.cc

// Every setting of the domain, one result each, with and without failures: what may fail is tried
// both ways.
void check_settings(const CheckScene& scene, Checks& checks);

// ---- check_relay.cc

// The relay, sendmail program or folder that takes mail.
void check_relay(const CheckScene& scene, Checks& checks);

// ---- check_sockets.cc

// Whether somebody receives for the daemon. That nobody does is a warning: it may not have been
// started yet.
void check_sockets(const CheckScene& scene, Checks& checks);

// ---- check_machine.cc

// Whether the user that the store's folder belongs to can read the keys, and this one is that user.
void check_permissions(const CheckScene& scene, Checks& checks);
void check_disk(const CheckScene& scene, Checks& checks);
void check_clock(const CheckScene& scene, Checks& checks);

// ---- check_store.cc

// The database, and whether the daemon of this configuration has told it lately that it lives. That
// it has not is a warning.
void check_store(const CheckScene& scene, Checks& checks);

}  // namespace rapporteur
