#include "daemon/http_sessions.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "daemon/http_json.h"
#include "daemon/http_splitter.h"
#include "ingest/line_counter.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMostSamples = 10;

// One upload, whose counts are its own until the whole of it was read.
class SessionsExchange final : public HttpExchange {
 public:
  SessionsExchange(HttpUploads& uploads, bool json, std::string key)
      : uploads_(uploads),
        share_(uploads),
        splitter_(json),
        counter_({.source = "http", .rules = uploads.rules()}),
        key_(std::move(key)) {}

  bool body(std::string_view piece) override {
    if (!splitter_.add(piece, sink())) return refuse(400, splitter_.problem());
    switch (share_.set(counter_.tally().bytes())) {
      case UploadShare::Verdict::kTooLarge:
        return refuse(413, "too many different sessions for one request");
      case UploadShare::Verdict::kNoRoom:
        return refuse(503, "too much is being uploaded at the same time");
      case UploadShare::Verdict::kFits:
        return true;
    }
    return true;
  }

  void end(HttpResponder respond) override {
    if (!refusal_ && !splitter_.finish(sink())) refuse(400, splitter_.problem());
    if (refusal_) return respond(*std::move(refusal_));
    auto tally = counter_.hand_over();
    tally->set_key(std::move(key_));
    uploads_.submit(std::move(tally), [respond = std::move(respond), counts = std::move(counts_)](
                                          const Result<Recorded>& recorded) mutable {
      if (!recorded) {
        respond(plain_refusal(503, why_not_stored(recorded.error())));
      } else {
        respond(counted(std::move(counts), *recorded));
      }
    });
  }

 private:
  SessionSplitter::Sink sink() {
    return [this, now = uploads_.clock.now()](std::string_view line) { take(line, now); };
  }

  bool refuse(int status, const std::string& why) {
    refusal_ = plain_refusal(status, why + "; nothing was counted");
    return false;
  }

  void take(std::string_view line, Time now) {
    ++lines_;
    const auto [verdict, reason] = counter_.take(line, now);
    if (verdict == Verdict::kSession) {
      ++counts_.accepted;
      return;
    }
    ++(verdict == Verdict::kIgnored ? counts_.ignored : counts_.rejected);
    const auto known = counts_.by_reason.find(reason);
    if (known == counts_.by_reason.end()) {
      counts_.by_reason.emplace(reason, 1);
    } else {
      ++known->second;
    }
    if (verdict == Verdict::kIgnored) return;
    if (counts_.samples.size() < kMostSamples) counts_.samples.push_back({lines_, reason});
    sample_rejected(uploads_.sampler, "http", reason, line);
  }

  static HttpAnswer counted(UploadCounts counts, const Recorded& recorded) {
    if (recorded.repeated) {
      counts = {.repeated = true};
    } else {
      move_to_ignored(counts, recorded.duplicates, "duplicate");
      move_to_ignored(counts, recorded.never, "never");
    }
    return {.status = 200, .content_type = "application/json", .body = counts_json(counts) + "\n"};
  }

  static void move_to_ignored(UploadCounts& counts, std::uint64_t amount, const char* reason) {
    amount = std::min(amount, counts.accepted);
    if (amount == 0) return;
    counts.accepted -= amount;
    counts.ignored += amount;
    counts.by_reason[reason] += amount;
  }

  HttpUploads& uploads_;
  UploadShare share_;
  SessionSplitter splitter_;
  LineCounter counter_;
  std::string key_;
  std::uint64_t lines_ = 0;
  UploadCounts counts_;
  std::optional<HttpAnswer> refusal_;
};

bool is_key(std::string_view text) {
  return text.size() <= kMostKeyBytes &&
         std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7E; });
}

}  // namespace

HttpAnswer plain_refusal(int status, std::string_view why) {
  HttpAnswer answer{.status = status, .content_type = "application/json"};
  answer.body = error_json(status, why) + "\n";
  if (status == 503 || status == 429)
    answer.fields.push_back({"Retry-After", std::string(kRetryAfter)});
  return answer;
}

std::unique_ptr<HttpExchange> begin_sessions(const HttpHead& head, const std::string& user,
                                             HttpUploads& uploads) {
  const auto refuse = [](int status, std::string_view why) {
    return std::make_unique<FixedExchange>(plain_refusal(status, why));
  };
  const auto key = head.field("Idempotency-Key");
  if (!is_key(key))
    return refuse(400, "an Idempotency-Key has 200 visible ASCII characters at most");
  if (!uploads.has_room()) return refuse(503, "the store is behind; nothing was counted");
  const auto type = head.field("Content-Type");
  const bool json = equals_ignoring_case(trim(type.substr(0, type.find(';'))), "application/json");
  // A user's key is that user's alone, whatever others send.
  auto whole_key =
      key.empty() ? std::string()
                  : "http:" + std::to_string(user.size()) + ':' + user + ':' + std::string(key);
  return std::make_unique<SessionsExchange>(uploads, json, std::move(whole_key));
}

}  // namespace rapporteur
