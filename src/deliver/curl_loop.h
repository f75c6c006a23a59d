#pragma once
// One libcurl transfer at a time, with the connections that stay open between transfers. Its
// handles are libcurl's CURL* and CURLM*, which are void*: this header needs nothing of libcurl.

#include <string>

namespace rapporteur {

class CurlLoop {
 public:
  // Keeps at most `max_connections` idle connections.
  explicit CurlLoop(long max_connections);
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  void* easy() const { return easy_; }

  // Runs the transfer that easy() describes and returns its CURLcode. The progress callback, if
  // there is one, is called about five times a second; its veto is the only way to end a transfer
  // early (taking the handle away from libcurl in the middle of a mail would send the final dot).
  int perform();

  // What went wrong in the last transfer, as libcurl words it.
  std::string error(int result) const;

 private:
  void* easy_;
  void* multi_;
  std::string error_buffer_;
};

}  // namespace rapporteur
