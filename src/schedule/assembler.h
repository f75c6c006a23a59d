#pragma once
// From a due window to its parts and deliveries: settings, TXT record, destinations, splitting,
// mail, signatures. Decides only; schedule/runner.h writes what it decided. docs/design.md,
// "Scheduling".

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "dkim/signer.h"
#include "dns/resolver.h"
#include "model/counts.h"
#include "model/window.h"
#include "store/store.h"

namespace rapporteur {

struct AssemblyContext {
  const Config& config;
  const Signer& signer;
  Store& store;              // asked, never changed
  expr::Dns* dns = nullptr;  // answers dns_query() of the settings
  // Not empty: these are no real reports, and the word stands before every subject and behind the
  // organization's name.
  std::string_view mark = {};
};

// What becomes of a due window.
struct Decision {
  enum class Kind {
    kAssembled,   // `assembly` holds everything
    kPostponed,   // a temporary failure: again at `retry`
    kBlocked,     // a fault of ours: again at `retry`, or after a reload
    kSuppressed,  // no report, for `reason`
  };
  Kind kind = Kind::kSuppressed;
  std::string reason;
  std::optional<Time> retry;
  Assembly assembly;
};

// What deciding about the window asks the store.
DossierQuestion question_about(const Window& window);

// Never sends and never writes. Fails only if the store does. `dossier` is what the store answered
// to question_about(window), `answer` what the DNS said about
// tlsrpt_name(window.domain). `now` becomes Date and DKIM t=.
Result<Decision> decide(const AssemblyContext& context, const Window& window,
                        const Dossier& dossier, const DnsAnswer& answer, Time now);

// What would be sent if the window were assembled at `now`: as decide(), but for a window in any
// state. What would keep it from being sent (sendFrequency, sendWhen, own reports only) stands in
// `reason` of what is kAssembled all the same.
Result<Decision> preview(const AssemblyContext& context, const Window& window,
                         const Dossier& dossier, const DnsAnswer& answer, Time now);

// The keys of [[dkim]] as a signer.
std::unique_ptr<Signer> signer_of(const Config& config);

}  // namespace rapporteur
