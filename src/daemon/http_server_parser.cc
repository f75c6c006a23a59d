#include "daemon/http_server_parser.h"

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace rapporteur {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

template <class Number>
std::optional<std::uint64_t> as_optional(const Number& number) {
  return number ? std::optional<std::uint64_t>(*number) : std::nullopt;
}

}  // namespace

struct HttpRequestParser::Impl {
  http::request_parser<http::buffer_body> parser;
};

HttpRequestParser::HttpRequestParser(std::uint32_t max_header_bytes)
    : impl_(std::make_unique<Impl>()), max_header_bytes_(max_header_bytes) {
  impl_->parser.header_limit(max_header_bytes);
  impl_->parser.body_limit(boost::none);  // the server counts
}

HttpRequestParser::~HttpRequestParser() = default;

HttpRequestParser::Got HttpRequestParser::broken(int status, std::string why) {
  status_ = status;
  why_ = std::move(why);
  return Got::kBroken;
}

HttpRequestParser::Got HttpRequestParser::read_header(std::string_view input, std::size_t& used) {
  // Empty lines before a request are passed over (RFC 9112, section 2.2).
  used = begun_ ? 0 : std::min(input.find_first_not_of("\r\n"), input.size());
  input.remove_prefix(used);
  if (input.empty()) return Got::kNothing;
  begun_ = true;
  error_code fault;
  used += impl_->parser.put(boost::asio::buffer(input.data(), input.size()), fault);
  if (impl_->parser.is_header_done()) return Got::kHeader;
  if (!fault || fault == http::error::need_more) return Got::kNothing;
  const bool too_large =
      fault == http::error::header_limit || fault == http::error::buffer_overflow;
  return broken(too_large ? 431 : 400, "the header is no HTTP: " + fault.message());
}

HttpRequestParser::Got HttpRequestParser::read_body(std::string_view input, std::span<char> room,
                                                    std::size_t& used) {
  used = 0;
  piece_ = {};
  // Every round takes something, or is the last.
  while (!impl_->parser.is_done()) {
    auto& body = impl_->parser.get().body();
    body.data = room.data();
    body.size = room.size();
    const auto rest = input.substr(used);
    error_code fault;
    const auto taken = impl_->parser.put(boost::asio::buffer(rest.data(), rest.size()), fault);
    used += taken;
    const auto filled = room.size() - body.size;
    if (filled > 0) {
      piece_ = std::string_view(room.data(), filled);
      return Got::kPiece;
    }
    if (fault && fault != http::error::need_more && fault != http::error::need_buffer) {
      return broken(400, "the body is no HTTP: " + fault.message());
    }
    if (impl_->parser.is_done()) break;
    if (taken > 0 && fault != http::error::need_more) continue;
    if (input.size() - used > max_header_bytes_) {
      return broken(400, "a chunk's header or the trailer is too long");
    }
    return Got::kNothing;
  }
  return Got::kEnd;
}

HeadFacts HttpRequestParser::tell(HttpHead& head) const {
  const auto& message = impl_->parser.get();
  head.method = message.method_string();
  head.fields.clear();
  for (const auto& field : message) {
    head.fields.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  const auto target = message.target();
  return {.target = std::string_view(target.data(), target.size()),
          .version = version(),
          .content_length = as_optional(impl_->parser.content_length())};
}

int HttpRequestParser::version() const {
  return static_cast<int>(impl_->parser.get().version());
}

bool HttpRequestParser::keeps_alive() const {
  return impl_->parser.get().keep_alive();
}

std::optional<std::uint64_t> HttpRequestParser::content_left() const {
  return as_optional(impl_->parser.content_length_remaining());
}

bool HttpRequestParser::ended() const {
  return impl_->parser.is_done();
}

}  // namespace rapporteur
