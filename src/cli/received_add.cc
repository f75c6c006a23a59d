// rapporteur received add: takes reports that others sent, from a pipe, files or Maildirs.

#include <algorithm>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "base/maildir_queue.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"
#include "dns/caching_resolver.h"
#include "received/new_failure_command.h"
#include "received/reception.h"
#include "received/rules.h"

namespace rapporteur {

namespace {

// Arrivals that are stored in one transaction, and as many bytes of them as are in memory together.
constexpr std::size_t kBatch = 100;
constexpr std::size_t kBatchBytes = std::size_t{32} << 20;
constexpr std::size_t kPrunePage = 100;

class Adding {
 public:
  Adding(const Context& context, const Opened& opened, Log& log, Resolver& resolver)
      : context_(context),
        received_(opened.config->received),
        reception_({.store = *opened.store,
                    .log = log,
                    .resolver = &resolver,
                    .store_url = opened.config->store.url},
                   reception_rules(received_)),
        command_(log, nullptr) {}

  // Reads the file; what is read is taken when there is enough of it.
  void add_file(const std::string& path) {
    auto input = read_input(path, kMostArrivalBytes + 1);
    if (!input) return tell(path, std::nullopt, input.error().text);
    bytes_ += input->start.size();
    files_.push_back({path, std::move(input->start)});
    if (files_.size() >= kBatch || bytes_ >= kBatchBytes) flush();
  }

  void flush() {
    if (files_.empty()) return;
    std::vector<Arrival> arrivals;
    for (const auto& file : files_) {
      arrivals.push_back({Arrival::Way::kFile, file.bytes, file.path});
    }
    const auto batch = reception_.take(arrivals, context_.now());
    for (std::size_t index = 0; index < files_.size(); ++index) {
      const auto& path = files_[index].path;
      if (!batch) {
        tell(path, std::nullopt, batch.error().text);
      } else if (batch->undecided[index]) {
        tell(path, std::nullopt, "not taken: " + batch->outcomes[index].why);
      } else {
        tell(path, batch->outcomes[index], {});
      }
    }
    files_.clear();
    bytes_ = 0;
    tell_news();
  }

  // Until no message waits at which it was not looked.
  void add_maildir(const std::string& path) {
    flush();
    MaildirQueue queue(
        path, {.messages = 1000, .message_bytes = kMostMailBytes, .read_bytes = kMostMailBytes},
        kBatch);
    do {
      auto round = queue.take(std::numeric_limits<std::size_t>::max(),
                              [&](auto items) { return look_at(items); });
      if (round.stayed > 0 && !context_.json) {
        context_.world.out << fmt::format("{}: {} left, whose keys cannot be looked up\n",
                                          printable(path), count_text(round.stayed, "message"));
      }
      tell_news();
      failed_ = failed_ || round.stayed > 0;
      if (round.problem) tell(path, std::nullopt, round.problem->text);
    } while (queue.has_more());
  }

  bool failed() const { return failed_; }

 private:
  struct File {
    std::string path;
    std::string bytes;
  };

  Result<std::vector<MaildirQueue::Verdict>> look_at(std::span<const MaildirQueue::Item> items) {
    std::vector<Arrival> arrivals;
    for (const auto& item : items) {
      arrivals.push_back({Arrival::Way::kMail, item.message.text, item.path,
                          item.message.state == MaildirMessage::State::kTooLarge});
    }
    auto batch = reception_.take(arrivals, context_.now());
    if (!batch) return std::move(batch).error();
    std::vector<MaildirQueue::Verdict> verdicts;
    for (std::size_t index = 0; index < items.size(); ++index) {
      const bool stays = batch->undecided[index];
      verdicts.push_back(stays ? MaildirQueue::Verdict::kStays : MaildirQueue::Verdict::kTaken);
      if (!stays) {
        tell(items[index].path, batch->outcomes[index], {});
      } else if (context_.json) {
        tell(items[index].path, std::nullopt, "not taken: " + batch->outcomes[index].why);
      }
    }
    return verdicts;
  }

  // After what became of the inputs was printed: the command takes its time.
  void tell_news() {
    context_.world.out.flush();
    for (const auto& news : reception_.take_news()) {
      if (received_.on_new_failure.empty()) break;
      command_.run(received_.on_new_failure, news, context_.now());
    }
  }

  // What became of one input, or what trouble of ours there was with it.
  void tell(const std::string& path, const std::optional<ReceptionOutcome>& outcome,
            const std::string& trouble) {
    failed_ = failed_ || !outcome;
    const auto status = outcome ? to_string(outcome->status) : std::string_view("failed");
    const auto& why = outcome ? outcome->why : trouble;
    if (context_.json) {
      context_.world.out << Json::object()
                                .set("status", status)
                                .set("id", Json::text_or_null(outcome ? outcome->id : ""))
                                .set("why", Json::text_or_null(why))
                                .line()
                         << '\n';
    }
    const auto name = path == "-" ? std::string("standard input") : printable(path);
    if (!outcome) {
      context_.world.err << fmt::format("rapporteur: {}: {}\n", name, printable(why));
    } else if (!context_.json) {
      context_.world.out << fmt::format("{}: {}{}{}\n", name, status,
                                        outcome->id.empty() ? "" : " as " + outcome->id,
                                        why.empty() ? "" : ": " + printable(why));
    }
  }

  const Context& context_;
  const ReceivedConfig& received_;
  Reception reception_;
  NewFailureCommand command_;
  std::vector<File> files_;
  std::size_t bytes_ = 0;
  bool failed_ = false;
};

}  // namespace

int received_add(const Context& context, const std::vector<std::string>& paths) {
  const bool piped = std::ranges::find(paths, "-") != paths.end();
  const auto opened = open(context);
  if (!opened) return piped ? kExitTryAgain : opened.exit_code;
  auto made = make_resolver(context, opened.config->dns);
  if (!made) {
    const int code = fail(context, made.error());
    return piped ? kExitTryAgain : code;
  }
  CachingResolver resolver(*std::move(made), context.world.clock);
  const auto log = make_log(context, opened.config->log);
  Adding adding(context, opened, *log, resolver);
  for (const auto& path : paths) {
    if (is_maildir(path)) {
      adding.add_maildir(path);
    } else {
      adding.add_file(path);
    }
  }
  adding.flush();
  // Where no daemon runs, this is what keeps the store from growing.
  const auto keep = opened.config->received.keep;
  if (const auto pruned = opened.store->prune_received(context.now() - keep, kPrunePage); !pruned) {
    log->warning("store-failed", {{"error", pruned.error().text}});
  }
  if (!adding.failed()) return kExitDone;
  return piped ? kExitTryAgain : kExitFailed;
}

}  // namespace rapporteur
