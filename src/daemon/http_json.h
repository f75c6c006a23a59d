#pragma once
// The JSON of requests and answers: errors, counts, and the part of Elasticsearch's that is spoken
// here (docs/integrations/halon.md).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

// In quotes, escaped; what is not UTF-8 becomes U+FFFD.
std::string json_text(std::string_view text);

// {"error": why, "status": status}
std::string error_json(int status, std::string_view why);

// What became of the sessions of a request.
struct UploadCounts {
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::uint64_t ignored = 0;
  std::map<std::string, std::uint64_t, std::less<>> by_reason;
  struct Sample {
    std::uint64_t line = 0;  // from 1; of an array the element
    std::string_view reason;
  };
  std::vector<Sample> samples;  // of the rejected ones, the first few
  bool repeated = false;        // a request with its key was counted before
};
std::string counts_json(const UploadCounts& counts);

// {"status": "stored", "id": …}: what became of a report that was posted.
std::string reception_json(std::string_view status, std::string_view id);

// Elasticsearch's error object.
std::string elasticsearch_error_json(int status, std::string_view type, std::string_view reason);
// The same with the challenges that it repeats in the body (status 401).
std::string elasticsearch_challenge_json(std::string_view reason,
                                         const std::vector<std::string>& challenges);
// The answer to an index or create operation; `status` is in it if it is not 0 (in a bulk's items).
std::string created_json(std::string_view index, std::string_view id, std::uint64_t sequence,
                         int status);
// An item of a bulk that failed.
std::string failed_item_json(std::string_view index, std::string_view id, int status,
                             std::string_view type, std::string_view reason);
// The answer to GET /.
std::string banner_json(std::string_view host, std::string_view uuid);

// The version of Elasticsearch whose API is spoken.
inline constexpr std::string_view kElasticsearchVersion = "8.19.0";

enum class BulkOperation { kIndex, kCreate, kUpdate, kDelete };
std::string_view to_string(BulkOperation operation);

struct BulkAction {
  BulkOperation operation = BulkOperation::kIndex;
  std::string index;
  std::string id;
};

// One action line of a bulk. Nullopt if it is none.
std::optional<BulkAction> parse_bulk_action(std::string_view line);

}  // namespace rapporteur
