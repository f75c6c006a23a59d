#pragma once
// POST /v1/sessions: sessions in any known form, as lines or as a JSON array. docs/operations.md,
// "Sessions by HTTP", describes request and answer.

#include <memory>
#include <string>

#include "daemon/http_message.h"
#include "daemon/http_upload.h"

namespace rapporteur {

// The longest Idempotency-Key.
inline constexpr std::size_t kMostKeyBytes = 200;

// `uploads` outlives the exchange. Never null.
std::unique_ptr<HttpExchange> begin_sessions(const HttpHead& head, const std::string& user,
                                             HttpUploads& uploads);

// The answer {"error": why, "status": status}; of 429 and 503 with the time to wait.
HttpAnswer plain_refusal(int status, std::string_view why);

}  // namespace rapporteur
