#pragma once
// The subcommands: what each was asked, and the functions that do it. parser.cc fills the one and
// calls the other. Each function prints its result and returns the exit code of docs/operations.md.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/key_generation.h"
#include "cli/context.h"
#include "ingest/file_ingest.h"

namespace rapporteur {

struct IngestRequest {
  FileIngestOptions file;
  bool send_old = false;
  bool progress = false;
  std::vector<std::string> paths;  // "-": standard input
  bool sys4 = false;               // the files are databases of tlsrpt-collectd
};
int ingest_files(const Context& context, const IngestRequest& request);

// Where a listing of windows goes on: "2026-11-21T01:13:07Z,42".
using WindowCursor = std::pair<Time, WindowId>;
std::string cursor_text(const WindowCursor& cursor);
std::optional<WindowCursor> parse_cursor(std::string_view text);

struct ScheduleListRequest {
  std::string domain;  // name or glob; empty: all
  std::optional<WindowState> state;
  std::optional<Time> due_before;
  std::size_t limit = 100;
  std::optional<WindowCursor> after;
  bool all = false;  // done and suppressed ones, too
};
int schedule_list(const Context& context, const ScheduleListRequest& request);
int schedule_show(const Context& context, const std::string& domain);
int schedule_explain(const Context& context, const std::string& domain);

enum class ScheduleAction { kHold, kRelease, kCancel, kSendNow };
struct ScheduleActionRequest {
  ScheduleAction action = ScheduleAction::kHold;
  std::string target;  // name or glob
  std::optional<Time> window;
  std::optional<WindowState> state;
  std::string reason;
  bool dry_run = false;
  bool yes = false;
};
int schedule_act(const Context& context, const ScheduleActionRequest& request);

struct PauseRequest {
  bool smtp = false;
  bool https = false;
  std::optional<Time> until;
};
int pause(const Context& context, const PauseRequest& request);
int resume(const Context& context);
int stats(const Context& context);
int stats_nodes(const Context& context);

struct ReportPreviewRequest {
  std::string domain;
  std::optional<Time> window;
  std::optional<int> supplement;
  std::optional<int> part;
  bool as_mail = false;  // else JSON
};
int report_preview(const Context& context, const ReportPreviewRequest& request);

struct ReportListRequest {
  std::string domain;
  std::size_t limit = 100;
};
int report_list(const Context& context, const ReportListRequest& request);
int report_show(const Context& context, const std::string& id);
struct ReportTestRequest {
  std::string to;      // an address, or a mailto: or https: URL
  std::string domain;  // whose settings hold; empty: that of the address or URL
};
int report_test(const Context& context, const ReportTestRequest& request);

struct DeliveryListRequest {
  std::string domain;
  std::optional<DeliveryState> state;
  std::size_t limit = 100;
  std::string after;
};
int delivery_list(const Context& context, const DeliveryListRequest& request);

enum class DeliveryAction { kRetry, kAbandon };
struct DeliveryActionRequest {
  DeliveryAction action = DeliveryAction::kRetry;
  std::string target;  // id or glob
  std::string domain;  // name or glob; empty: all
  std::optional<DeliveryState> state;
  std::string reason;
  bool dry_run = false;
  bool yes = false;
};
int delivery_act(const Context& context, const DeliveryActionRequest& request);

int suppress_list(const Context& context);
struct SuppressRequest {
  std::string pattern;  // as parse_suppression() reads it
  std::optional<Time> until;
  std::string reason;
};
int suppress_add(const Context& context, const SuppressRequest& request);
int suppress_remove(const Context& context, const std::string& pattern);
// Files, Maildirs, or "-" alone: standard input.
int bounce(const Context& context, const std::vector<std::string>& paths);

// Reports that others sent.
// Files, Maildirs, or "-" alone: standard input.
int received_add(const Context& context, const std::vector<std::string>& paths);
struct ReceivedListRequest {
  std::string domain;        // name or glob; empty: all
  std::string organization;  // likewise
  bool failed = false;
  std::size_t limit = 100;
  std::string after;  // the id where the page before ended
};
int received_list(const Context& context, const ReceivedListRequest& request);
int received_show(const Context& context, const std::string& id);
struct ReceivedSummaryRequest {
  std::string domain;  // name or glob; empty: all
  std::optional<Time> since;
  std::optional<Time> until;
  bool csv = false;
};
int received_summary(const Context& context, const ReceivedSummaryRequest& request);

int store_backup(const Context& context, const std::string& file);
int store_check(const Context& context);
int store_prune(const Context& context, bool dry_run);
int store_copy(const Context& context, const std::string& from, const std::string& to);

int record(const Context& context, const std::string& domain);

// `domain`: whose settings are evaluated; empty: [system] domain.
int check(const Context& context, const std::string& domain);

int config_check(const Context& context);
int config_show(const Context& context);
// `path` may be "-": standard input.
int config_import_stalwart(const Context& context, const std::string& path);

struct DkimGenerateRequest {
  std::string domain;
  std::string selector;
  PrivateKey::Type type = PrivateKey::Type::kRsa;
  std::optional<int> bits;  // of an RSA key; empty: kUsualRsaBits
  std::string service;      // the record's s= tag; empty: none
  std::string file;         // empty: SELECTOR.DOMAIN.pem beside the configuration
};
int dkim_generate(const Context& context, const DkimGenerateRequest& request);

struct ExprEvalRequest {
  std::string expression;
  std::string domain = "example.com";
  std::vector<std::string> set;  // "name=value"
  bool dump = false;
};
int expr_eval(const Context& context, const ExprEvalRequest& request);

// A delivery as listings tell it to programs: the keys of `schedule show`.
Json delivery_json(const Delivery& delivery);
void print_deliveries(const Context& context, const std::vector<Delivery>& deliveries,
                      std::string_view indent);

}  // namespace rapporteur
