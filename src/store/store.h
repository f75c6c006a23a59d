#pragma once
// The store: windows, their counts, the parts and deliveries made of them, and what intake has
// seen. docs/design.md, "Store", has the promises. Every method is one transaction: it happens
// whole or not at all, and what it returned as done is on disk. Failures are Fault::kTransient (try
// again: locked, full, away) or Fault::kCorrupt.
//
// A Store is used by one thread at a time; threads and processes that share the data open one each.
//
// Where several nodes share a store, due windows and deliveries are leased: whoever is given one
// has it for the time that the store was opened with, and what he writes about it after others got
// it is refused. Leases run by the clock of the database.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "model/counts.h"
#include "model/counts_source.h"
#include "model/delivery.h"
#include "model/suppression.h"
#include "model/window.h"
#include "store/lookup_store.h"
#include "store/node_store.h"
#include "store/received_store.h"
#include "store/store_check.h"
#include "store/store_summary.h"

namespace rapporteur {

// Counts to be added to the window of one domain. `first` and `last` are the earliest and latest
// session of them; both lie in `period`.
struct WindowDelta {
  std::string domain;
  Period period;  // of the window that the sessions belong to, as the sender of the batch knows it
  Time first;
  Time last;
  std::string tlsrpt_record;  // newest that came with the sessions; empty: none
  WindowCounts counts;
  // For the window that is made if no stored one covers the sessions. Without a due time none is
  // made: the delta is misplaced then.
  Frequency frequency = Frequency::kDaily;
  Time due;
  WindowState state = WindowState::kCollecting;  // or kHeld, kBlocked with `reason`
  std::string reason;
  bool send_old = false;
  std::optional<Time> lookup;  // when its TXT record is to be looked up for the first time
  // For the supplement that is made if the covering one takes no more counts. It has the covering
  // one's frequency, and state, reason and send_old of this delta. Absent: CountBatch's function is
  // asked.
  std::optional<Time> supplement_due;
};

// How far a file has been taken. The file is known by its content, not by its name.
struct FileProgress {
  std::string sha256;        // 64 hexadecimal digits
  std::string name;          // as it was given, for people
  std::uint64_t offset = 0;  // bytes whose sessions are in the store
  bool finished = false;
  std::uint64_t accepted = 0;  // sessions so far
  std::uint64_t begin = 0;     // in a batch: the offset at which it begins
};

using JournalNumber = std::int64_t;

// What makes a batch recognisable. The numbers of a source grow.
struct FlushId {
  std::string source;
  std::int64_t number = 0;
};

struct CountBatch {
  std::vector<WindowDelta> windows;
  // Where there are too many to be held at once: appends the next ones from number `first` on, some
  // of them, to `windows`; true if there are further ones. They come after those of `windows`. A
  // store that must begin again asks from 0 again.
  std::function<bool(std::size_t first, std::vector<WindowDelta>& windows)> more;
  std::function<Time(const std::string& domain, Period period)> supplement_due;
  // Asked once, with the ordinals of the deltas that were counted in supplements: further counters
  // to be added.
  std::function<std::map<std::string, std::uint64_t>(const std::vector<std::size_t>& late)>
      late_counters;
  std::vector<std::string> session_ids;  // to be remembered: none of them was seen before
  std::optional<FileProgress> file;
  // Pieces of the journal up to this number hold what the batch holds: they are removed.
  std::optional<JournalNumber> journalled;
  // Where nobody can tell whether a batch was stored, it is tried again under the same id: what
  // was stored before is not stored twice. Absent: it is tried once.
  std::optional<FlushId> flush;
  // Added to the counters of these names, which grow from 0: "accepted", "rejected.not-json", …
  std::map<std::string, std::uint64_t> counters;
  std::size_t max_details = 10'000;  // distinct details of a policy in a window, before folding
  Time now;
};

struct Flushed {
  // Ordinals of deltas whose period crosses the border of a stored window, or whose window is gone,
  // so that the sender's knowledge is outdated. If there is any, nothing was stored: plan these
  // anew and flush again.
  std::vector<std::size_t> misplaced;
  // Session ids that another sender has stored meanwhile. Likewise.
  std::vector<std::string> seen;
  // A batch with this FlushId, or a later one of its source, was stored before: nothing was added.
  bool repeated = false;

  bool stored() const { return misplaced.empty() && seen.empty(); }
};

// What counting must know of a domain before it opens a window.
struct DomainPlaces {
  // Of its stored windows that end late enough, oldest first, each once. A supplement counts only
  // if it has outlived its window.
  std::vector<Period> periods;
  std::optional<Time> silent_until;  // it is known to publish no TLSRPT record
};

// How a report tells an address that was counted; empty: not at all.
using AddressShown = std::function<std::string(const std::string& address)>;

// What the run of a window asks about.
struct DossierQuestion {
  WindowId window = 0;
  std::string domain;  // of the window
  Period period;       // of the window
  Period mails_within;
};

// What it learns.
struct Dossier {
  WindowCounts outline;                // Store::outline()
  std::optional<WindowCounts> counts;  // Store::counts(); absent where there are many details
  // The number of the window's first part: behind those of all windows of its period that were
  // assembled before.
  int first_part = 1;
  // Mails that were delivered to addresses of the domain itself within the period asked about, also
  // if they bounced later.
  std::uint64_t mails = 0;
};

// Everything that assembling one window makes.
struct Assembly {
  WindowId window = 0;
  Fence fence = 0;  // of the window, as claim_due() gave it; 0: whoever holds it
  // What the window's sums were when its run began. If they have changed, the counts that were read
  // may not be all of it. Absent: not compared.
  struct Counted {
    std::uint64_t successful = 0;
    std::uint64_t failed = 0;
  };
  std::optional<Counted> counted;
  std::vector<Part> parts;
  // Where parts are too large to be held together: fills in gz and mail_body of parts[index], as
  // often as asked. Absent: they are there.
  std::function<Result<void>(std::size_t index, Part& part)> load;
  std::vector<Delivery> deliveries;
  std::string fingerprint;  // of its policies and result types, for reported_like()
  std::string record;       // the TXT record that decided, for people
  Time now;
};

// A run that came to no report, yet or at all: moves a window from kDue to `to`, which is kDue (a
// temporary failure: `retry` is set), kBlocked (`retry` is set) or kSuppressed. Keeps first_attempt
// if it is set, else sets it to `now`; likewise lookup_since with kDue, which the others clear.
struct Postponement {
  WindowId window = 0;
  Fence fence = 0;  // as in Assembly
  WindowState to = WindowState::kBlocked;
  std::string reason;
  std::optional<Time> retry;
  Time now;
};

// What the run of a window came to.
using Conclusion = std::variant<Assembly, Postponement>;

struct WindowFilter {
  std::string domain;  // exact name or glob ("*.example.org"); empty: all
  std::optional<WindowState> state;
  std::optional<Time> due_before;
  std::optional<Time> start;  // only windows that begin then
  std::size_t limit = 100;
  // Continue after this window of the same listing, which is ordered by (due, id).
  std::optional<std::pair<Time, WindowId>> after;
};

struct DeliveryFilter {
  std::string id;      // exact id or glob; empty: all
  std::string domain;  // recipient domain, exact or glob; empty: all
  std::optional<WindowId> window;
  std::optional<DeliveryState> state;
  std::size_t limit = 100;
  std::string after;  // continue after this id; the listing is ordered by (window, part, rank)
};

// What `report list` and `report show` tell of a part.
struct ReportEntry {
  Part part;  // gz and mail_body only where a single one is asked for
  Window window;
  Time assembled;
};

// Which deliveries are wanted.
struct DueQuery {
  Time now;
  std::size_t limit = 0;
  std::span<const std::string> except;  // ids that are under way already
  std::span<const std::string> full;    // destination_keys that can take no more
  std::size_t per_destination = 0;      // no more of one destination_key; 0: as many as there are
  bool mails = true;
  bool posts = true;
};

// What one call of due_deliveries() returns is held in memory: beyond so many bytes of headers and
// bodies it ends early.
constexpr std::size_t kMostDueBytes = 64U << 20;

// What happened to one attempt at a delivery.
struct AttemptRecord {
  std::string delivery;
  DeliveryState state = DeliveryState::kPending;
  std::optional<Time> first_attempt;
  std::optional<Time> next_attempt;
  std::string last_response;
  Time now;
  // False: it was not tried, for a reason that others have found. attempts does not grow, and an
  // earlier response stays, unless it ends as suppressed.
  bool tried = true;
  // It failed or bounced in a way that counts toward suppressing its destination.
  bool blamed = false;
};

struct Pause {
  bool everything = false;  // no window is assembled and nothing is delivered
  bool smtp = false;        // nothing is delivered by SMTP
  bool https = false;
  std::optional<Time> until;  // ends by itself then

  bool any() const { return everything || smtp || https; }
};

// No attempt at a delivery is put off for longer, nor is that at a window after its end. What is
// planned further ahead was planned while the clock was wrong, and is due.
constexpr Seconds kFarthestAttempt = std::chrono::hours(25);
constexpr Seconds kFarthestRetry = std::chrono::hours(2);

class Store : public ReceivedStore, public NodeStore, public LookupStore, public CheckedStore {
 public:
  // 8 characters a-z0-9, drawn when the store was made. Empty until a store that connects later
  // (StoreOptions) was reached.
  virtual const std::string& token() const = 0;

  // 32 characters a-z0-9, drawn likewise, that are never shown: ids are derived from them that
  // nobody else can guess.
  virtual const std::string& secret() const = 0;

  // How long a method waits for other processes' locks before it fails with Fault::kTransient;
  // 10 seconds until this is called.
  virtual void set_patience(std::chrono::milliseconds patience) = 0;

  // Whether the store can be asked now: connects to its database and brings the tables up to date
  // if that is still to be done, and fails as open_store(). It waits for no database that is away.
  virtual Result<void> reach() { return {}; }

  // ---- Intake

  // Of each domain the windows that end after `since`; in the order asked.
  virtual Result<std::vector<DomainPlaces>> places(std::span<const std::string> domains, Time since,
                                                   Time now) = 0;

  // Which of the ids were counted and not forgotten by prune() since; in the order asked.
  virtual Result<std::vector<bool>> seen(std::span<const std::string> session_ids) = 0;

  virtual Result<std::optional<FileProgress>> file(const std::string& sha256) = 0;
  virtual Result<void> forget_file(const std::string& sha256) = 0;

  // Adds a batch. Each delta goes to the newest stored window of its domain that covers [first,
  // last] and takes counts: collecting, held, blocked, or cancelled before its run, which keeps
  // late sessions to itself because nothing is sent for it. If the covering ones take none, a
  // supplement of the same period is made. If none covers and none overlaps delta.period, the
  // delta's window is made, and delta.period must cover [first, last]. If none covers but one
  // overlaps, it is misplaced. Details beyond batch.max_details of a policy are folded into one
  // detail per result type that carries nothing else. A window that is made blocked is first tried
  // at its due time. Fails with Fault::kTransient if the batch has counts and its file has come at
  // least to that offset already: another process takes the same file. Fails with Fault::kUnknown
  // if it could not be learned whether the batch was stored: the same batch again, with the same
  // FlushId, tells.
  virtual Result<Flushed> add(const CountBatch& batch) = 0;

  // Keeps bytes until a batch says that it holds what they hold. Returns their number, which is
  // larger than those of all that are kept.
  virtual Result<JournalNumber> append_journal(std::string_view piece) = 0;

  struct Journal {
    std::vector<std::string> pieces;  // oldest first
    JournalNumber last = 0;           // the number of the newest
  };
  virtual Result<Journal> journal() = 0;

  // What CountBatch::counters added up to since the store was made.
  virtual Result<std::map<std::string, std::uint64_t>> counters() = 0;

  // ---- Windows and their run

  // Moves collecting windows whose due time has come to kDue, and blocked ones whose retry time has
  // come, the earliest first and few more than `limit`; then returns up to `limit` windows in kDue
  // whose retry time is absent or has come, by (due, id), after `after`. A window in kDue takes no
  // counts. A blocked one is never moved before its due time. first_part of the windows is what
  // dossiers() gives. Windows that another node has a lease of are left out; of those that
  // are returned this node has one.
  virtual Result<std::vector<Window>> claim_due(Time now, std::size_t limit,
                                                std::optional<std::pair<Time, WindowId>> after) = 0;

  virtual Result<WindowCounts> counts(WindowId window) = 0;

  // The same with the details of a policy added up to one for each result type, without the other
  // fields: small, whatever the window holds.
  virtual Result<WindowCounts> outline(WindowId window) = 0;

  // Of each window, in the order asked, all as one moment had it.
  virtual Result<std::vector<Dossier>> dossiers(std::span<const DossierQuestion> questions) = 0;

  // The counts for a report, with each sending-mta-ip replaced by what `shown` makes of it; details
  // that become equal are added up. Memory does not grow with the number of details. One source at
  // a time: reading another window's ends it, and so does the store's end.
  virtual Result<std::unique_ptr<CountsSource>> read_counts(WindowId window,
                                                            const AddressShown& shown) = 0;

  // Writes what runs came to, all of it in one transaction, and ends the leases. An assembly's
  // parts and deliveries are written and its window moves from kDue to kAssembled. For each whether
  // it was written: not if the window is no longer kDue or has been given to another node, nor an
  // assembly whose window took counts since its run began.
  virtual Result<std::vector<bool>> conclude(std::span<const Conclusion> conclusions) = 0;
  // conclude() for one.
  Result<bool> conclude(const Conclusion& conclusion);

  // Lengthens this node's leases of these windows and deliveries, but of none that it has lost.
  virtual Result<void> renew_leases(std::span<const WindowId> windows,
                                    std::span<const std::string> deliveries) = 0;

  // Makes every blocked window, and every window waiting after a temporary failure if
  // `temporary` is true, due for another try at once, but none before its end.
  virtual Result<void> retry_now(bool temporary, Time now) = 0;

  // Blocked, its period not over at `now`: collecting again. False if it is not so.
  virtual Result<bool> unblock(WindowId window, Time now) = 0;

  // Whether a window of the domain with this fingerprint was assembled at or after `since`.
  virtual Result<bool> reported_like(const std::string& domain, const std::string& fingerprint,
                                     Time since) = 0;

  // ---- Deliveries

  struct Submission {
    Delivery delivery;  // with header
    std::string body;   // mailto: the MIME body; else the gzip body
  };

  // Up to `limit` pending or uncertain deliveries whose next attempt has come, less those that
  // `query` leaves out: by that time, but while destinations that are full have very many, those to
  // others come by turns of their destinations, a bounded number of these in a call, which may take
  // some calls. A call is quick whatever is stored. This node has a lease of each; those that
  // another node has one of are left out. One whose attempt had begun on a node that lost its lease
  // becomes kUncertain.
  virtual Result<std::vector<Submission>> due_deliveries(const DueQuery& query) = 0;

  // Notes that attempts begin, so that an interrupted one can be told from one that never was.
  // False: it must not begin, because it is no longer open or this node's.
  virtual Result<std::vector<bool>> begin_attempts(std::span<const std::string> deliveries,
                                                   Time now) = 0;

  // Records how attempts ended, all in one transaction. attempts grows by one. When the last
  // delivery of an assembled window has become final, the window becomes kDone. A final failure
  // starts the fallback ranked next for the same part; a success abandons the part's waiting
  // fallbacks. A delivery that became final meanwhile (abandoned by hand) keeps that state unless
  // this attempt delivered it; likewise one that has been given to another node. kBounced is no
  // attempt but the end of one that had been accepted: it applies whatever the state, attempts
  // stays, and fallbacks that its acceptance had made needless wait again. An id that is not stored
  // changes nothing. Ends the leases.
  virtual Result<void> record_attempts(std::span<const AttemptRecord> records) = 0;
  // record_attempts() for one.
  Result<void> record_attempt(const AttemptRecord& record) {
    return record_attempts(std::span(&record, 1));
  }

  // At the start of a daemon: attempts of this node that had begun and not ended become kUncertain,
  // tried again at `now`; its leases end. Returns how many.
  virtual Result<std::size_t> recover_interrupted(Time now) = 0;

  virtual Result<std::vector<Delivery>> deliveries(const DeliveryFilter& filter) = 0;
  virtual Result<std::optional<Submission>> submission(const std::string& delivery) = 0;

  // All in one transaction; for each whether there is such a delivery.
  // Pending, uncertain, failed, bounced, suppressed or abandoned: tried again at `now`, with its
  // retry period begun anew; its window is kAssembled again.
  virtual Result<std::vector<bool>> retry_deliveries(std::span<const std::string> deliveries,
                                                     Time now) = 0;
  // Pending or uncertain: kAbandoned, with `reason` as its last response. As after a failure, the
  // part's next fallback begins.
  virtual Result<std::vector<bool>> abandon_deliveries(std::span<const std::string> deliveries,
                                                       const std::string& reason, Time now) = 0;
  // The same for one.
  Result<bool> retry_delivery(const std::string& delivery, Time now);
  Result<bool> abandon_delivery(const std::string& delivery, const std::string& reason, Time now);

  // ---- Suppression

  // Those of the list that have one of these patterns, in force or not.
  virtual Result<std::vector<Suppression>> suppressions(std::span<const std::string> patterns) = 0;
  // The list by pattern, behind `after`.
  virtual Result<std::vector<Suppression>> suppression_list(const std::string& after,
                                                            std::size_t limit) = 0;
  // Adds it, or replaces the one of its pattern; but an automatic one that is not lifted never
  // replaces the administrator's word while that holds. `probe_open` is not stored.
  virtual Result<void> put_suppression(const Suppression& suppression) = 0;
  virtual Result<bool> remove_suppression(const std::string& pattern) = 0;  // false: none such
  // Makes the delivery the probe of the suppression, unless another one is still open. Whether it
  // is the probe now.
  virtual Result<bool> claim_probe(const std::string& pattern, const std::string& delivery) = 0;
  // The blamed failures of the destination between `since` and `now`, after its last success before
  // the latest of them. None if that one was refused and the destination has accepted since. A
  // bounced delivery counts at the time at which it had been accepted.
  virtual Result<FailureStreak> failure_streak(const std::string& destination, Time since,
                                               Time now) = 0;
  // These failures are blamed no longer.
  virtual Result<void> forgive(std::span<const std::string> deliveries) = 0;

  // ---- What the administrator sees and does

  virtual Result<std::vector<Window>> windows(const WindowFilter& filter) = 0;
  virtual Result<std::map<WindowState, std::uint64_t>> window_states() = 0;
  // The whole state in numbers. Quick, however much is stored; session_ids may be as old as ten
  // minutes.
  virtual Result<StoreSummary> summary(Time now) = 0;
  // The TXT record that decided where the window's report goes; empty before assembly.
  virtual Result<std::string> deciding_record(WindowId window) = 0;

  // The administrator's word about windows, all of them in one transaction. False for a window
  // whose state does not allow it, which stays as it was.
  // Collecting, due or blocked: held.
  virtual Result<std::vector<bool>> hold(std::span<const WindowId> windows,
                                         const std::string& reason, Time now) = 0;
  // Held: collecting, whatever its age; it falls due at its due time, at the earliest `now`.
  virtual Result<std::vector<bool>> release(std::span<const WindowId> windows, Time now) = 0;
  // Collecting, due, blocked or held: suppressed. Assembled: its open deliveries are abandoned.
  virtual Result<std::vector<bool>> cancel(std::span<const WindowId> windows,
                                           const std::string& reason, Time now) = 0;
  // Collecting, due, blocked or held: due now. If `now` lies in its period, the period ends at
  // `now` (at least one second long), so that later sessions open another window. It never ends
  // before its latest counted session: if that lies ahead of `now`, it is due when it has ended.
  virtual Result<std::vector<bool>> send_now(std::span<const WindowId> windows, Time now) = 0;
  // The same for one.
  Result<bool> hold(WindowId window, const std::string& reason, Time now);
  Result<bool> release(WindowId window, Time now);
  Result<bool> cancel(WindowId window, const std::string& reason, Time now);
  Result<bool> send_now(WindowId window, Time now);

  virtual Result<std::vector<ReportEntry>> reports(const std::string& domain,
                                                   std::size_t limit) = 0;
  virtual Result<std::optional<ReportEntry>> report(const std::string& report_id) = 0;

  virtual Result<Pause> pause() = 0;  // as stored: the caller compares `until` with its clock
  virtual Result<void> set_pause(const Pause& pause) = 0;

  // ---- Keeping

  // Removes windows that ended (done or suppressed) before `finished_before` with everything that
  // belongs to them, at most `limit` of them, suppressions that ended before it, and session ids
  // and flush ids older than `ids_before`, a bounded number of them at a call. A window that is
  // made later of a time that has been pruned numbers its parts from 1,001 or more, so that no
  // report-id is used twice. Returns how many windows.
  virtual Result<std::size_t> prune(Time finished_before, Time ids_before, std::size_t limit) = 0;
};

}  // namespace rapporteur
