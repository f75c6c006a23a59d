#include "mime/message.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/text.h"
#include "mime/header_text.h"

namespace rapporteur {

namespace {

// RFC 2045, section 6.8.
constexpr std::size_t kBase64Columns = 76;

constexpr std::string_view kLineEnd = "\r\n";

// Lines that end in LF, as mail has them.
void append_lines(std::string& out, std::string_view lines) {
  for (;;) {
    const auto end = lines.find('\n');
    out += lines.substr(0, end);
    if (end == lines.npos) return;
    out += kLineEnd;
    lines.remove_prefix(end + 1);
  }
}

// `body` is ASCII, its lines broken by LF.
void append_field(std::string& out, std::string_view name, std::string_view body) {
  out.append(name).append(": ");
  append_lines(out, body);
  out += kLineEnd;
}

void append_base64(std::string& out, std::string_view bytes) {
  const auto text = base64(bytes);
  for (std::size_t at = 0; at < text.size(); at += kBase64Columns) {
    out.append(text, at, kBase64Columns).append(kLineEnd);
  }
}

std::string subject_body(const std::string& subject) {
  const auto text = one_line(subject);
  return folded(is_plain(text) ? text : encoded_words(text), std::string_view("Subject: ").size());
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 5322, section 3.2.3.
bool is_phrase_of_atoms(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    constexpr std::string_view kOthers = " !#$%&'*+-/=?^_`{|}~";
    return is_alphanumeric(c) || kOthers.find(c) != kOthers.npos;
  });
}

std::string quoted_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string from_body(const ReportMail& mail) {
  constexpr std::size_t kLongestQuoted = 200;
  constexpr std::size_t kNameLength = std::string_view("From: ").size();
  const auto address = ascii_line(mail.from_address);
  const auto name = one_line(mail.from_name);
  if (name.empty()) return address;
  // "=?" would be taken for an encoded word, so it is written as one.
  if (!is_plain(name) || name.size() > kLongestQuoted || name.find("=?") != name.npos) {
    return folded(encoded_words(name) + " <" + address + ">", kNameLength);
  }
  if (is_phrase_of_atoms(name)) return folded(name + " <" + address + ">", kNameLength);
  return quoted_string(name) + "\n <" + address + ">";
}

std::string header_of(const ReportMail& mail, const std::string& boundary) {
  std::string header;
  append_field(header, "From", from_body(mail));
  append_field(header, "To", ascii_line(mail.to));
  append_field(header, "Subject", subject_body(mail.subject));
  append_field(header, "Date", format_rfc5322(mail.date));
  append_field(header, "Message-ID", "<" + ascii_line(mail.message_id) + ">");
  append_field(header, "TLS-Report-Domain", ascii_line(mail.report_domain));
  append_field(header, "TLS-Report-Submitter", ascii_line(mail.submitter));
  append_field(header, "TLS-Required", "No");
  append_field(header, "Auto-Submitted", "auto-generated");
  append_field(header, "MIME-Version", "1.0");
  append_field(header, "Content-Type",
               "multipart/report; report-type=\"tlsrpt\";\n boundary=" + quoted_string(boundary));
  return header;
}

// RFC 2046, section 5.1.1: the line end before a boundary belongs to the boundary.
std::string body_of(const ReportMail& mail, const std::string& boundary) {
  std::string body;
  body.reserve(mail.summary_text.size() + mail.gz.size() / 2 * 3 + 1024);
  body.append("--").append(boundary).append(kLineEnd);
  append_field(body, "Content-Type", "text/plain; charset=us-ascii");
  append_field(body, "Content-Transfer-Encoding", "7bit");
  body += kLineEnd;
  append_lines(body, ascii_lines(mail.summary_text));
  body.append("\r\n--").append(boundary).append(kLineEnd);
  append_field(body, "Content-Type", "application/tlsrpt+gzip");
  append_field(body, "Content-Transfer-Encoding", "base64");
  append_field(body, "Content-Disposition",
               "attachment;\n filename=" + quoted_string(ascii_line(mail.file_name)));
  body += kLineEnd;
  append_base64(body, mail.gz);
  body.append("\r\n--").append(boundary).append("--\r\n");
  return body;
}

}  // namespace

Message make_message(const ReportMail& mail) {
  const auto boundary = ascii_line(mail.boundary);
  return {header_of(mail, boundary), body_of(mail, boundary)};
}

// "=_" cannot occur in base64, nor the whole at the start of a line of the summary.
std::string boundary_for(std::string_view report_id) {
  return "=_tlsrpt_" + sha256_hex(report_id).substr(0, 32);
}

MailSize::MailSize(ReportMail mail, std::size_t signature_bytes) {
  mail.gz.clear();
  fixed_ = make_message(mail).text().size() + signature_bytes;
}

std::size_t MailSize::with(std::size_t gzip_size) const {
  const auto characters = (gzip_size + 2) / 3 * 4;
  const auto lines = (characters + kBase64Columns - 1) / kBase64Columns;
  return fixed_ + characters + 2 * lines;
}

}  // namespace rapporteur
