#pragma once
// Reads one HTTP/1.1 request from bytes as they arrive. Boost.Beast stays behind this header.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/http_message.h"
#include "daemon/http_protocol.h"

namespace rapporteur {

class HttpRequestParser {
 public:
  explicit HttpRequestParser(std::uint32_t max_header_bytes);
  ~HttpRequestParser();
  HttpRequestParser(const HttpRequestParser&) = delete;
  HttpRequestParser& operator=(const HttpRequestParser&) = delete;

  enum class Got {
    kNothing,  // it needs more input
    kHeader,   // the header is complete
    kPiece,    // see piece()
    kEnd,      // the body is complete
    kBroken,   // see status() and why()
  };

  // Both take `input` from its front and tell in `used` how much of it they will not need again;
  // the rest is to be given again, with more behind it.
  Got read_header(std::string_view input, std::size_t& used);
  // Puts what is there of the body into `room`.
  Got read_body(std::string_view input, std::span<char> room, std::size_t& used);

  // Of the body, in the room that read_body() was given.
  std::string_view piece() const { return piece_; }

  int status() const { return status_; }
  const std::string& why() const { return why_; }

  // With the header complete: method and fields of `head`, and the rest, whose views are into this.
  HeadFacts tell(HttpHead& head) const;
  int version() const;  // 10, 11
  bool keeps_alive() const;
  // What has not been read of it; nullopt: nobody knows.
  std::optional<std::uint64_t> content_left() const;
  bool ended() const;

 private:
  struct Impl;
  Got broken(int status, std::string why);

  const std::unique_ptr<Impl> impl_;
  const std::uint32_t max_header_bytes_;
  bool begun_ = false;
  std::string_view piece_;
  int status_ = 0;
  std::string why_;
};

}  // namespace rapporteur
