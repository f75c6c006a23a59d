#include "daemon/http_elasticsearch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/text.h"
#include "daemon/http_json.h"
#include "daemon/http_splitter.h"

namespace rapporteur {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::string_view kSource = "elasticsearch";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kLines = "application/x-ndjson";
constexpr std::string_view kCompatibleJson = "application/vnd.elasticsearch+json";
constexpr std::string_view kCompatibleLines = "application/vnd.elasticsearch+x-ndjson";

std::string_view media_type(std::string_view field) {
  return trim(field.substr(0, field.find(';')));
}

// Whether the body is called what can be read here. Who does not call it anything is believed.
bool is_readable(std::string_view type) {
  if (type.empty()) return true;
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{kJson, kLines, kCompatibleJson, kCompatibleLines},
      [&](auto known) { return equals_ignoring_case(type, known); });
}

// What an index or create operation is answered with if its document is no session.
constexpr std::string_view kParseError = "document_parsing_exception";

std::string parse_reason(std::string_view reason) {
  return "[1:1] failed to parse: " + std::string(reason) + " (docs/formats.md)";
}

// What is refused before its body is read.
std::optional<HttpAnswer> early_refusal(const HttpHead& head, const HttpUploads& uploads) {
  const auto type = head.field("Content-Type");
  if (!is_readable(media_type(type))) {
    return elasticsearch_refusal(
        head, 406, "media_type_header_exception",
        "Content-Type header [" + std::string(type) + "] is not supported");
  }
  if (!uploads.has_room()) {
    return elasticsearch_refusal(head, 503, "the store is behind; nothing was counted");
  }
  return std::nullopt;
}

}  // namespace

// One document.
class ElasticsearchApi::Document final : public HttpExchange {
 public:
  Document(ElasticsearchApi& api, HttpHead head, std::string index, std::string id)
      : api_(api), head_(std::move(head)), index_(std::move(index)), id_(std::move(id)) {}

  // More than a session can have is not kept: what is kept is too long already.
  bool body(std::string_view piece) override {
    const auto room = kMaxLineBytes + 1 - text_.size();
    text_ += piece.substr(0, room);
    return true;
  }

  void end(HttpResponder respond) override {
    auto& uploads = api_.uploads_;
    if (trim(text_).empty()) {
      return respond(
          elasticsearch_refusal(head_, 400, "parse_exception", "request body is required"));
    }
    api_.counter_.set_rules(uploads.rules());
    const auto [verdict, reason] = api_.counter_.take(text_, uploads.clock.now());
    auto tally = api_.counter_.hand_over();
    api_.counter_.forget();  // a tally answers for the memory of its table
    HttpAnswer answer;
    if (verdict == Verdict::kRejected) {
      sample_rejected(uploads.sampler, kSource, reason, text_);
      answer = elasticsearch_refusal(head_, 400, kParseError, parse_reason(reason));
    } else {
      if (id_.empty()) id_ = api_.make_id();
      answer = elasticsearch_answer(head_, 201, created_json(index_, id_, api_.next_sequence(), 0));
      answer.fields.push_back(
          {"Location", "/" + path_segment(index_) + "/_doc/" + path_segment(id_)});
    }
    auto head = std::make_shared<const HttpHead>(std::move(head_));
    uploads.submit(std::move(tally),
                   [respond = std::move(respond), answer = std::move(answer),
                    head = std::move(head)](const Result<Recorded>& recorded) mutable {
                     if (!recorded) {
                       answer = elasticsearch_refusal(*head, 503, why_not_stored(recorded.error()));
                     }
                     respond(std::move(answer));
                   });
  }

 private:
  // Percent-encoded (RFC 3986, section 2.3): names come from strangers and go into a header.
  static std::string path_segment(std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
      if (plain) {
        out += c;
      } else {
        out += '%';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
      }
    }
    return out;
  }

  ElasticsearchApi& api_;
  HttpHead head_;
  std::string index_;
  std::string id_;
  std::string text_;
};

// Many, each behind the line that says what to do with it. All of them are counted together, each
// is answered for itself.
class ElasticsearchApi::Bulk final : public HttpExchange {
 public:
  Bulk(ElasticsearchApi& api, HttpHead head, std::string index)
      : api_(api),
        share_(api.uploads_),
        head_(std::move(head)),
        index_(std::move(index)),
        counter_({.source = std::string(kSource), .rules = api.uploads_.rules()}),
        began_(SteadyClock::now()) {}

  bool body(std::string_view piece) override {
    if (!piece.empty()) last_ = piece.back();
    splitter_.add(piece, [this, now = api_.uploads_.clock.now()](std::string_view line) {
      if (!refusal_) take(line, now);
    });
    if (!refusal_) check_memory();
    return !refusal_;
  }

  void end(HttpResponder respond) override {
    if (!refusal_) check_end();
    if (refusal_) return respond(*std::move(refusal_));
    auto head = std::make_shared<const HttpHead>(std::move(head_));
    api_.uploads_.submit(
        counter_.hand_over(),
        [respond = std::move(respond), head = std::move(head), items = std::move(items_),
         errors = errors_, began = began_](const Result<Recorded>& recorded) {
          if (!recorded) {
            return respond(elasticsearch_refusal(*head, 503, why_not_stored(recorded.error())));
          }
          const auto took =
              std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - began);
          respond(elasticsearch_answer(*head, 200,
                                       std::string(R"({"errors":)") + (errors ? "true" : "false") +
                                           R"(,"took":)" + std::to_string(took.count()) +
                                           R"(,"items":[)" + items + "]}"));
        });
  }

 private:
  void refuse(int status, std::string_view type, const std::string& reason) {
    refusal_ = elasticsearch_refusal(head_, status, type, reason);
  }

  void check_memory() {
    const auto verdict = share_.set(counter_.tally().bytes() + items_.size());
    if (verdict == UploadShare::Verdict::kTooLarge || items_.size() > kMostAnswerBytes) {
      refuse(413, "content_too_long_exception", "too many documents for one bulk");
    } else if (verdict == UploadShare::Verdict::kNoRoom) {
      refusal_ = elasticsearch_refusal(head_, 503, "too much is being uploaded at the same time");
    }
  }

  void check_end() {
    if (last_ == '\0') return refuse(400, "parse_exception", "request body is required");
    if (last_ != '\n') {
      return refuse(400, "illegal_argument_exception",
                    "The bulk request must be terminated by a newline [\\n]");
    }
    if (action_) {
      return refuse(400, "illegal_argument_exception", "the last action has no document behind it");
    }
    if (items_.empty()) {
      return refuse(400, "action_request_validation_exception",
                    "Validation Failed: 1: no requests added;");
    }
  }

  void take(std::string_view line, Time now) {
    ++lines_;
    if (action_) return take_document(line, now);
    if (trim(line).empty()) return;
    auto action = parse_bulk_action(line);
    if (!action) {
      return refuse(400, "illegal_argument_exception",
                    "Malformed action/metadata line [" + std::to_string(lines_) + "]");
    }
    if (action->index.empty()) action->index = index_;
    if (action->index.empty()) {
      return refuse(400, "action_request_validation_exception",
                    "Validation Failed: 1: index is missing;");
    }
    if (action->index.size() > 255 || action->id.size() > 512) {
      return refuse(400, "illegal_argument_exception", "a name is too long");
    }
    if (action->operation == BulkOperation::kDelete) return fail_unknown(*action);
    action_ = std::move(action);
  }

  void take_document(std::string_view line, Time now) {
    auto action = *std::exchange(action_, std::nullopt);
    if (action.operation == BulkOperation::kUpdate) return fail_unknown(action);
    const auto [verdict, reason] = counter_.take(line, now);
    if (action.id.empty()) action.id = api_.make_id();
    if (verdict == Verdict::kRejected) {
      sample_rejected(api_.uploads_.sampler, kSource, reason, line);
      return fail(action, kParseError, parse_reason(reason));
    }
    add(action.operation, created_json(action.index, action.id, api_.next_sequence(), 201));
  }

  void fail_unknown(const BulkAction& action) {
    fail(action, "illegal_argument_exception", "documents can only be added here");
  }

  void fail(const BulkAction& action, std::string_view type, std::string_view reason) {
    errors_ = true;
    add(action.operation, failed_item_json(action.index, action.id, 400, type, reason));
  }

  void add(BulkOperation operation, const std::string& item) {
    if (!items_.empty()) items_ += ',';
    items_ += '{' + json_text(to_string(operation)) + ':' + item + '}';
  }

  ElasticsearchApi& api_;
  UploadShare share_;
  HttpHead head_;
  const std::string index_;
  SessionSplitter splitter_{SessionSplitter::Form::kLines};
  LineCounter counter_;
  const SteadyClock::time_point began_;
  std::uint64_t lines_ = 0;
  char last_ = '\0';
  std::optional<BulkAction> action_;  // whose document comes next
  std::string items_;
  bool errors_ = false;
  std::optional<HttpAnswer> refusal_;
};

ElasticsearchApi::ElasticsearchApi(HttpUploads& uploads, std::string host)
    : uploads_(uploads),
      counter_({.source = std::string(kSource)}),
      host_(std::move(host)),
      uuid_(make_id() + "Ag") {}

ElasticsearchApi::~ElasticsearchApi() = default;

std::string ElasticsearchApi::make_id() {
  std::string bytes;
  for (int i = 0; i < 2; ++i) {
    const auto number = uploads_.random.next();
    for (unsigned shift = 0; shift < 64; shift += 8) {
      bytes += static_cast<char>(number >> shift & 0xFF);
    }
  }
  bytes.resize(15);
  auto id = base64(bytes);
  std::ranges::replace(id, '+', '-');
  std::ranges::replace(id, '/', '_');
  return id;
}

std::unique_ptr<HttpExchange> ElasticsearchApi::begin_document(const HttpHead& head,
                                                               std::string index, std::string id) {
  if (auto refusal = early_refusal(head, uploads_)) {
    return std::make_unique<FixedExchange>(*std::move(refusal));
  }
  return std::make_unique<Document>(*this, head, std::move(index), std::move(id));
}

std::unique_ptr<HttpExchange> ElasticsearchApi::begin_bulk(const HttpHead& head,
                                                           std::string index) {
  if (auto refusal = early_refusal(head, uploads_)) {
    return std::make_unique<FixedExchange>(*std::move(refusal));
  }
  return std::make_unique<Bulk>(*this, head, std::move(index));
}

HttpAnswer ElasticsearchApi::banner(const HttpHead& head) const {
  return elasticsearch_answer(head, 200, banner_json(host_, uuid_));
}

HttpAnswer elasticsearch_answer(const HttpHead& head, int status, std::string body) {
  HttpAnswer answer{.status = status, .body = std::move(body)};
  const bool compatible = head.field("Accept").find(kCompatibleJson) != std::string_view::npos;
  answer.content_type = compatible ? std::string(kCompatibleJson) + ";compatible-with=8" : kJson;
  answer.fields.push_back({"X-elastic-product", "Elasticsearch"});
  return answer;
}

HttpAnswer elasticsearch_refusal(const HttpHead& head, int status, std::string_view type,
                                 std::string_view reason) {
  auto answer = elasticsearch_answer(head, status, elasticsearch_error_json(status, type, reason));
  if (status == 503 || status == 429) {
    answer.fields.push_back({"Retry-After", std::string(kRetryAfter)});
  }
  return answer;
}

HttpAnswer elasticsearch_refusal(const HttpHead& head, int status, std::string_view reason) {
  const auto type = [status]() -> std::string_view {
    switch (status) {
      case 413:
        return "content_too_long_exception";
      case 429:
        return "es_rejected_execution_exception";
      case 503:
        return "unavailable_shards_exception";
      default:
        return "illegal_argument_exception";
    }
  };
  return elasticsearch_refusal(head, status, type(), reason);
}

}  // namespace rapporteur
