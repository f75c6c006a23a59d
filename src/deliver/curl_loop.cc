#include "deliver/curl_loop.h"

#include <curl/curl.h>

#include <mutex>
#include <new>

namespace rapporteur {

namespace {

void prepare_libcurl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

CurlLoop::CurlLoop(long max_connections) : easy_(nullptr), multi_(nullptr) {
  prepare_libcurl();
  easy_ = curl_easy_init();
  multi_ = curl_multi_init();
  if (easy_ == nullptr || multi_ == nullptr) throw std::bad_alloc();
  error_buffer_.resize(CURL_ERROR_SIZE);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_buffer_.data());
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);  // a lookup under way holds nobody up
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, max_connections);
}

CurlLoop::~CurlLoop() {
  curl_easy_cleanup(easy_);
  curl_multi_cleanup(multi_);
}

int CurlLoop::perform() {
  constexpr int kTickMs = 200;
  error_buffer_[0] = '\0';
  if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) return CURLE_FAILED_INIT;
  int running = 1;
  while (curl_multi_perform(multi_, &running) == CURLM_OK && running > 0) {
    curl_multi_poll(multi_, nullptr, 0, kTickMs, nullptr);
  }
  int result = CURLE_FAILED_INIT;
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) result = message->data.result;
  }
  curl_multi_remove_handle(multi_, easy_);
  return result;
}

std::string CurlLoop::error(int result) const {
  if (error_buffer_[0] != '\0') return error_buffer_.c_str();
  return curl_easy_strerror(static_cast<CURLcode>(result));
}

}  // namespace rapporteur
