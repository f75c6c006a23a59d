#pragma once
// The part of Elasticsearch's API with which Halon's TLSRPT hook and Elasticsearch's clients hand
// over documents: each is a session that is counted, nothing is kept to be searched.
// docs/integrations/halon.md.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/http_message.h"
#include "daemon/http_upload.h"
#include "ingest/line_counter.h"

namespace rapporteur {

// The server's thread uses it, and `uploads` with it.
class ElasticsearchApi {
 public:
  ElasticsearchApi(HttpUploads& uploads, std::string host);
  ~ElasticsearchApi();

  // POST and PUT /{index}/_doc, /{index}/_doc/{id} and /{index}/_create/{id}. An empty id: one is
  // made up.
  std::unique_ptr<HttpExchange> begin_document(const HttpHead& head, std::string index,
                                               std::string id);
  // POST and PUT /_bulk and /{index}/_bulk.
  std::unique_ptr<HttpExchange> begin_bulk(const HttpHead& head, std::string index);
  // GET and HEAD /.
  HttpAnswer banner(const HttpHead& head) const;

  // Twenty characters a-z, A-Z, 0-9, '-' and '_'.
  std::string make_id();
  std::uint64_t next_sequence() { return sequence_++; }

  // The answers of a bulk may take so much; a larger bulk is refused.
  static constexpr std::size_t kMostAnswerBytes = std::size_t{16} << 20;

 private:
  class Document;
  class Bulk;

  HttpUploads& uploads_;
  LineCounter counter_;  // of single documents: from end() to end()
  const std::string host_;
  const std::string uuid_;
  std::uint64_t sequence_ = 0;
};

// An answer with the fields that Elasticsearch's clients look for.
HttpAnswer elasticsearch_answer(const HttpHead& head, int status, std::string body);
HttpAnswer elasticsearch_refusal(const HttpHead& head, int status, std::string_view type,
                                 std::string_view reason);
// The same for what is refused whatever it asks for.
HttpAnswer elasticsearch_refusal(const HttpHead& head, int status, std::string_view reason);

}  // namespace rapporteur
