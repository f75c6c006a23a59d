#include "daemon/http_json.h"

#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::array<std::string_view, 4> kOperations = {"index", "create", "update", "delete"};

// "key":value with a comma before it, unless it is the first.
class ObjectText {
 public:
  ObjectText& raw(std::string_view key, std::string_view value) {
    text_ += text_.empty() ? '{' : ',';
    text_ += json_text(key);
    text_ += ':';
    text_ += value;
    return *this;
  }
  ObjectText& text(std::string_view key, std::string_view value) {
    return raw(key, json_text(value));
  }
  ObjectText& number(std::string_view key, std::uint64_t value) {
    return raw(key, std::to_string(value));
  }
  std::string take() { return text_.empty() ? "{}" : std::move(text_) + "}"; }

 private:
  std::string text_;
};

std::string with_root_cause(ObjectText cause, int status) {
  const auto text = cause.take();
  const auto error = "{\"root_cause\":[" + text + "]," + text.substr(1);
  return ObjectText()
      .raw("error", error)
      .number("status", static_cast<std::uint64_t>(status))
      .take();
}

// Follows the one key and the flat object of an action line; everything deeper is passed over.
class ActionReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::optional<BulkAction> result() const {
    return keys_ == 1 && known_ && entered_ ? std::optional(action_) : std::nullopt;
  }

  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_integer(number_integer_t value) override { return value_of(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return value_of(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return value_of(text); }
  bool string(string_t& value) override { return value_of(value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 2) entered_ = true;
    return depth_ <= kMaxDepth;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    ++depth_;
    return depth_ > 2 && depth_ <= kMaxDepth;
  }
  bool end_array() override { return end_object(); }
  bool key(string_t& name) override {
    if (depth_ == 1) {
      ++keys_;
      for (std::size_t i = 0; i < kOperations.size(); ++i) {
        if (name != kOperations.at(i)) continue;
        known_ = true;
        action_.operation = static_cast<BulkOperation>(i);
      }
      return known_ && keys_ == 1;
    }
    if (depth_ == 2) member_ = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  static constexpr int kMaxDepth = 16;

  bool scalar() const { return depth_ >= 2; }
  bool value_of(const std::string& value) {
    if (depth_ == 2 && member_ == "_index") action_.index = value;
    if (depth_ == 2 && member_ == "_id") action_.id = value;
    return scalar();
  }

  BulkAction action_;
  int depth_ = 0;
  int keys_ = 0;
  bool known_ = false;
  bool entered_ = false;
  std::string member_;
};

}  // namespace

std::string json_text(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string valid;
  if (!is_valid_utf8(text)) text = valid = to_valid_utf8(text);
  std::string out = "\"";
  out.reserve(text.size() + 2);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string reception_json(std::string_view status, std::string_view id) {
  return ObjectText().text("status", status).text("id", id).take();
}

std::string error_json(int status, std::string_view why) {
  return ObjectText()
      .text("error", why)
      .number("status", static_cast<std::uint64_t>(status))
      .take();
}

std::string counts_json(const UploadCounts& counts) {
  ObjectText reasons;
  for (const auto& [reason, count] : counts.by_reason) {
    reasons.number(reason, count);
  }
  ObjectText text;
  text.text("status", counts.repeated ? "duplicate" : "counted")
      .number("accepted", counts.accepted)
      .number("rejected", counts.rejected)
      .number("ignored", counts.ignored)
      .raw("by-reason", reasons.take());
  if (!counts.samples.empty()) {
    std::string samples;
    for (const auto& [line, reason] : counts.samples) {
      if (!samples.empty()) samples += ',';
      samples += ObjectText().number("line", line).text("reason", reason).take();
    }
    text.raw("errors", "[" + samples + "]");
  }
  return text.take();
}

std::string elasticsearch_error_json(int status, std::string_view type, std::string_view reason) {
  return with_root_cause(ObjectText().text("type", type).text("reason", reason), status);
}

std::string elasticsearch_challenge_json(std::string_view reason,
                                         const std::vector<std::string>& challenges) {
  std::string list;
  for (const auto& challenge : challenges) {
    if (!list.empty()) list += ',';
    list += json_text(challenge);
  }
  const auto header = ObjectText().raw("WWW-Authenticate", "[" + list + "]").take();
  return with_root_cause(
      ObjectText().text("type", "security_exception").text("reason", reason).raw("header", header),
      401);
}

std::string created_json(std::string_view index, std::string_view id, std::uint64_t sequence,
                         int status) {
  ObjectText text;
  text.text("_index", index)
      .text("_id", id)
      .number("_version", 1)
      .text("result", "created")
      .raw("_shards", R"({"total":1,"successful":1,"failed":0})")
      .number("_seq_no", sequence)
      .number("_primary_term", 1);
  if (status != 0) text.number("status", static_cast<std::uint64_t>(status));
  return text.take();
}

std::string failed_item_json(std::string_view index, std::string_view id, int status,
                             std::string_view type, std::string_view reason) {
  return ObjectText()
      .text("_index", index)
      .text("_id", id)
      .number("status", static_cast<std::uint64_t>(status))
      .raw("error", ObjectText().text("type", type).text("reason", reason).take())
      .take();
}

std::string banner_json(std::string_view host, std::string_view uuid) {
  const auto version = ObjectText()
                           .text("number", kElasticsearchVersion)
                           .text("build_flavor", "default")
                           .text("build_type", "deb")
                           .text("build_hash", "0000000000000000000000000000000000000000")
                           .text("build_date", "1970-01-01T00:00:00Z")
                           .raw("build_snapshot", "false")
                           .text("lucene_version", "9.12.2")
                           .text("minimum_wire_compatibility_version", "7.17.0")
                           .text("minimum_index_compatibility_version", "7.0.0")
                           .take();
  return ObjectText()
      .text("name", host)
      .text("cluster_name", "rapporteur")
      .text("cluster_uuid", uuid)
      .raw("version", version)
      .text("tagline",
            "Rapporteur, which speaks a part of Elasticsearch's API to take TLS sessions")
      .take();
}

std::string_view to_string(BulkOperation operation) {
  return kOperations.at(static_cast<std::size_t>(operation));
}

std::optional<BulkAction> parse_bulk_action(std::string_view line) {
  constexpr std::size_t kMostBytes = std::size_t{16} << 10;
  if (line.size() > kMostBytes) return std::nullopt;
  ActionReader reader;
  try {
    if (!nlohmann::json::sax_parse(line, &reader)) return std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return reader.result();
}

}  // namespace rapporteur
