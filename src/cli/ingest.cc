// rapporteur ingest: files and standard input into the store.

#include <filesystem>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "aggregate/recorder.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "ingest/sys4_ingest.h"
#include "schedule/planner.h"

namespace rapporteur {

namespace {

struct Taken {
  std::string path;
  FileIngestResult result;
  std::string error;  // empty: the file was taken to its end

  std::string_view status() const {
    if (!error.empty()) return "failed";
    if (result.already_ingested) return "already-ingested";
    return result.resumed_at > 0 ? "resumed" : "ingested";
  }
};

void add(IngestCounts& sum, const IngestCounts& counts) {
  sum.accepted += counts.accepted;
  sum.rejected += counts.rejected;
  sum.ignored += counts.ignored;
  for (const auto& [reason, count] : counts.by_reason) sum.by_reason[reason] += count;
}

Json counts_json(const IngestCounts& counts) {
  auto by_reason = Json::object();
  for (const auto& [reason, count] : counts.by_reason) by_reason.set(reason, count);
  return Json::object()
      .set("accepted", counts.accepted)
      .set("rejected", counts.rejected)
      .set("ignored", counts.ignored)
      .set("by-reason", std::move(by_reason));
}

std::string counts_text(const IngestCounts& counts) {
  auto text = fmt::format("accepted {}, rejected {}, ignored {}", counts.accepted, counts.rejected,
                          counts.ignored);
  std::string reasons;
  for (const auto& [reason, count] : counts.by_reason) {
    reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", reason, count);
  }
  return reasons.empty() ? text : text + " (" + reasons + ")";
}

// The four counts, summed; what happened to the single files only where one was not taken as usual.
void print_json(const Context& context, const std::vector<Taken>& files) {
  IngestCounts sum;
  auto list = Json::array();
  bool unusual = false;
  bool all_known = true;
  std::string error;
  for (const auto& file : files) {
    add(sum, file.result.counts);
    unusual |= file.status() != "ingested";
    all_known &= file.result.already_ingested;
    if (error.empty()) error = file.error;
    auto entry = Json::object().set("file", file.path).set("status", file.status());
    entry.set("accepted", file.result.counts.accepted);
    entry.set("rejected", file.result.counts.rejected);
    entry.set("ignored", file.result.counts.ignored);
    if (file.result.resumed_at > 0) entry.set("resumed-at", file.result.resumed_at);
    if (!file.error.empty()) entry.set("error", file.error);
    list.add(std::move(entry));
  }
  auto json = counts_json(sum);
  if (all_known) json.set("status", "already-ingested");
  if (unusual) json.set("files", std::move(list));
  if (!error.empty()) json.set("error", error);
  context.print(json);
}

void print_text(const Context& context, const Taken& file, std::string_view unit) {
  auto& out = context.world.out;
  const auto path = printable(file.path);
  if (file.result.already_ingested) {
    out << path << ": already ingested (--again takes it once more)\n";
  } else if (file.error.empty()) {
    out << path << ": " << counts_text(file.result.counts);
    if (file.result.resumed_at > 0) {
      out << fmt::format(", resumed at {} {}", unit, file.result.resumed_at);
    }
    out << '\n';
  }
}

// Errors name the file where they can.
void tell_failure(const Context& context, const Taken& file) {
  auto& err = context.world.err;
  err << "rapporteur: ";
  const bool named = file.path != "-" && file.error.find(file.path) != file.error.npos;
  if (!named) err << printable(file.path) << ": ";
  err << printable(file.error) << '\n';
}

std::uint64_t held_windows(Store& store) {
  const auto states = store.window_states();
  if (!states) return 0;
  const auto held = states->find(WindowState::kHeld);
  return held == states->end() ? 0 : held->second;
}

// Windows of old files wait for the administrator: that must not be missed.
void tell_of_held(const Context& context, std::uint64_t before, std::uint64_t after) {
  if (after <= before) return;
  const auto count = after - before;
  context.world.err << fmt::format(
      "rapporteur: {} held for having ended longer than maxAge ago: `rapporteur schedule release` "
      "sends what it names, `rapporteur ingest --send-old` sends old windows at once\n",
      count_text(count, "window") + (count == 1 ? " is" : " are"));
}

}  // namespace

int ingest_files(const Context& context, const IngestRequest& request) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  const auto& config = *opened.config;
  auto& store = *opened.store;

  SettingsPlanner planner(opened.config);
  RecorderOptions options;
  options.max_age = config.ingest.max_age;
  options.from_file = true;
  options.send_old = request.send_old;
  options.max_details = config.ingest.details_per_policy;
  Recorder recorder(store, planner, context.world.clock, options);
  const auto log = make_log(context, config.log);

  const auto held_before = held_windows(store);
  std::vector<Taken> files;
  int exit_code = kExitDone;
  for (const auto& path : request.paths) {
    auto& file = files.emplace_back();
    file.path = path;
    const std::string unit = request.sys4 ? "row" : "byte";
    std::optional<Progress> seen(
        std::in_place, context.world, std::filesystem::path(path).filename().string(), unit + "s",
        request.progress ? Progress::Where::kEverywhere : Progress::Where::kTerminal);
    LogBesideProgress file_log(*log, *seen);
    const auto take = request.sys4 ? ingest_sys4 : ingest_file;
    auto result =
        take(path, request.file, recorder, store, context.world.clock, file_log,
             [&seen](const IngestStep& step) { seen->tell(step.read, step.total, step.from); });
    seen.reset();
    if (result) {
      file.result = *std::move(result);
    } else {
      file.error = result.error().text;
      tell_failure(context, file);
      exit_code = kExitFailed;
    }
    if (!context.json) print_text(context, file, unit);
  }
  if (context.json) print_json(context, files);
  tell_of_held(context, held_before, held_windows(store));
  return exit_code;
}

}  // namespace rapporteur
