#pragma once
// The relaxed canonical forms of RFC 6376, sections 3.4.2 and 3.4.4, and which header fields of a
// report mail are signed.

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

constexpr std::array<const char*, 11> kSignedFields = {"From",
                                                       "To",
                                                       "Subject",
                                                       "Date",
                                                       "Message-ID",
                                                       "MIME-Version",
                                                       "Content-Type",
                                                       "TLS-Report-Domain",
                                                       "TLS-Report-Submitter",
                                                       "TLS-Required",
                                                       "Auto-Submitted"};
// Named once more than they occur (RFC 6376, section 5.4).
constexpr std::array<const char*, 4> kOversignedFields = {"From", "To", "Subject", "Date"};

// The fields of a header, folded ones whole, each without its final CRLF. Views into `header`.
std::vector<std::string_view> header_fields(std::string_view header);

// "Subject : a\r\n b" becomes "subject:a b"; no CRLF at its end.
std::string relaxed_field(std::string_view field);

// Lines end in CRLF in `body` and in what is returned.
std::string relaxed_body(std::string_view body);

}  // namespace rapporteur
