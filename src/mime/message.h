#pragma once
// The mail that carries a TLS report: multipart/report (RFC 6522) as RFC 8460, section 5.3, wants
// it, with TLS-Required: No (RFC 8689). Signing is in dkim/.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/time.h"

namespace rapporteur {

// Whatever a text holds, it ends up in its place and nowhere else: control characters, CR and LF
// among them, are removed. Texts are UTF-8.
struct ReportMail {
  std::string from_name;  // may be empty
  std::string from_address;
  std::string to;
  std::string subject;
  std::string message_id;     // without angle brackets
  std::string report_domain;  // TLS-Report-Domain
  std::string submitter;      // TLS-Report-Submitter: the domain of contact-info
  std::string summary_text;   // lines that end in LF
  std::string file_name;
  std::string gz;  // any bytes
  Time date;
  std::string boundary;  // see boundary_for()
};

struct Message {
  std::string header;  // CRLF-terminated lines without the empty line that ends them
  std::string body;    // CRLF-terminated lines

  std::string text() const { return header + "\r\n" + body; }
};

// The mail. All of it is 7-bit ASCII, every line ends in CRLF and has at most 998 bytes besides.
// What is not ASCII becomes RFC 2047 words in the display name and the Subject, '?' elsewhere. An
// ASCII Subject, Content-Type and Content-Disposition are written as they are, folded at spaces
// only, the file name on one line. Equal mails make equal bytes. Any thread.
Message make_message(const ReportMail& mail);

// A boundary that occurs in neither part, always the same for a report.
std::string boundary_for(std::string_view report_id);

// How large the signed mail around a gzip will be, without building it.
class MailSize {
 public:
  // `mail` is as the mail will be, its longest texts included, but for `gz`, which does not count;
  // `signature_bytes` is what Signer::signature_bytes() says for the signing domain.
  MailSize(ReportMail mail, std::size_t signature_bytes);

  // The bytes of the mail with that much gzip: exact but for the signatures, which may be shorter.
  std::size_t with(std::size_t gzip_size) const;

 private:
  std::size_t fixed_ = 0;
};

}  // namespace rapporteur
