#pragma once
// What an answer of a mail relay or an HTTPS server means for a delivery: docs/design.md, "Mail,
// DKIM, delivery"; RFC 5321, section 4.2.1; RFC 9110, section 15. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "deliver/transport.h"

namespace rapporteur {

// `code` is the last reply's, 0 if the connection ended without one. A positive reply counts only
// at Stage::kFinal; earlier it means that the dialogue broke after it.
Reply::Outcome judge_smtp(Stage stage, int code);

// `code` is the final status, 0 if none came. `handed_over`: the whole body was sent before.
Reply::Outcome judge_http(int code, bool handed_over);

// The exit code of a sendmail program, as sysexits(3) names them.
Reply::Outcome judge_exit(int code);

// "EX_NOUSER" for 67; empty for a code without a name.
std::string_view exit_name(int code);

// A Retry-After field's value: a number of seconds, or an HTTP date (RFC 9110, section 10.2.3). At
// most 24 hours; nullopt if it is neither. A date that has passed is zero.
std::optional<Seconds> parse_retry_after(std::string_view value, Time now);

// `text` as one line of valid UTF-8 without control characters, with " (stage)" behind it, of at
// most kMaxReplyText bytes in all.
std::string reply_text(std::string_view text, Stage stage);

// Whether the address can stand in an SMTP command and in a command line: ASCII, 1 to 254 bytes,
// one
// '@' or more, no space, control, '<', '>' or quote. libcurl 7.88 sends whatever it is given.
bool is_safe_address(std::string_view address);

}  // namespace rapporteur
