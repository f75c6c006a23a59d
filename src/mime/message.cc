#include "mime/message.h"

#include <gmime/gmime.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/hash.h"
#include "mime/header_text.h"

namespace rapporteur {

namespace {

struct Unreference {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <class T>
using Object = std::unique_ptr<T, Unreference>;

struct FreeOptions {
  void operator()(GMimeFormatOptions* options) const { g_mime_format_options_free(options); }
};

// g_mime_init() must run once, and before anything else of GMime.
void initialise_gmime() {
  [[maybe_unused]] static const bool initialised = [] {
    g_mime_init();
    return true;
  }();
}

// Writes a field whose body (ASCII, lines broken by LF) GMime must not touch.
void set_raw(gpointer object, const char* name, const std::string& body) {
  auto* headers = g_mime_object_get_header_list(GMIME_OBJECT(object));
  if (g_mime_header_list_get_header(headers, name) == nullptr) {
    g_mime_header_list_append(headers, name, "", nullptr);
  }
  g_mime_header_set_raw_value(g_mime_header_list_get_header(headers, name),
                              (" " + body + "\n").c_str());
}

std::string subject_body(const std::string& subject) {
  const auto text = one_line(subject);
  return folded(is_plain(text) ? text : encoded_words(text), std::string_view("Subject: ").size());
}

// RFC 5322, section 3.2.3.
bool is_phrase_of_atoms(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    constexpr std::string_view kOthers = " !#$%&'*+-/=?^_`{|}~";
    return g_ascii_isalnum(c) || kOthers.find(c) != kOthers.npos;
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

void set_content(GMimePart* part, const std::string& bytes, GMimeContentEncoding encoding) {
  const Object<GMimeStream> stream(g_mime_stream_mem_new_with_buffer(bytes.data(), bytes.size()));
  const Object<GMimeDataWrapper> content(
      g_mime_data_wrapper_new_with_stream(stream.get(), GMIME_CONTENT_ENCODING_DEFAULT));
  g_mime_part_set_content_encoding(part, encoding);
  g_mime_part_set_content(part, content.get());
}

Object<GMimePart> text_part(const ReportMail& mail) {
  Object<GMimePart> part(g_mime_part_new_with_type("text", "plain"));
  set_raw(part.get(), "Content-Type", "text/plain; charset=us-ascii");
  set_content(part.get(), ascii_lines(mail.summary_text), GMIME_CONTENT_ENCODING_7BIT);
  return part;
}

Object<GMimePart> report_part(const ReportMail& mail) {
  Object<GMimePart> part(g_mime_part_new_with_type("application", "tlsrpt+gzip"));
  set_raw(part.get(), "Content-Type", "application/tlsrpt+gzip");
  set_content(part.get(), mail.gz, GMIME_CONTENT_ENCODING_BASE64);
  set_raw(part.get(), "Content-Disposition",
          "attachment;\n filename=" + quoted_string(ascii_line(mail.file_name)));
  return part;
}

Object<GMimeMultipart> report_multipart(const ReportMail& mail) {
  Object<GMimeMultipart> multipart(g_mime_multipart_new_with_subtype("report"));
  const auto boundary = ascii_line(mail.boundary);
  g_mime_multipart_set_boundary(multipart.get(), boundary.c_str());
  set_raw(multipart.get(), "Content-Type",
          "multipart/report; report-type=\"tlsrpt\";\n boundary=" + quoted_string(boundary));
  g_mime_multipart_add(multipart.get(), GMIME_OBJECT(text_part(mail).get()));
  g_mime_multipart_add(multipart.get(), GMIME_OBJECT(report_part(mail).get()));
  return multipart;
}

std::string written(GMimeMessage* message) {
  const std::unique_ptr<GMimeFormatOptions, FreeOptions> options(g_mime_format_options_new());
  g_mime_format_options_set_newline_format(options.get(), GMIME_NEWLINE_FORMAT_DOS);
  const Object<GMimeStream> stream(g_mime_stream_mem_new());
  g_mime_object_write_to_stream(GMIME_OBJECT(message), options.get(), stream.get());
  const auto* bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream.get()));
  return std::string(reinterpret_cast<const char*>(bytes->data), bytes->len);
}

}  // namespace

Message make_message(const ReportMail& mail) {
  initialise_gmime();
  const Object<GMimeMessage> message(g_mime_message_new(FALSE));
  set_raw(message.get(), "From", from_body(mail));
  set_raw(message.get(), "To", ascii_line(mail.to));
  set_raw(message.get(), "Subject", subject_body(mail.subject));
  set_raw(message.get(), "Date", format_rfc5322(mail.date));
  set_raw(message.get(), "Message-ID", "<" + ascii_line(mail.message_id) + ">");
  set_raw(message.get(), "TLS-Report-Domain", ascii_line(mail.report_domain));
  set_raw(message.get(), "TLS-Report-Submitter", ascii_line(mail.submitter));
  set_raw(message.get(), "TLS-Required", "No");
  set_raw(message.get(), "Auto-Submitted", "auto-generated");
  set_raw(message.get(), "MIME-Version", "1.0");
  const auto multipart = report_multipart(mail);
  g_mime_message_set_mime_part(message.get(), GMIME_OBJECT(multipart.get()));

  const auto text = written(message.get());
  const auto end = text.find("\r\n\r\n");
  return {text.substr(0, end + 2), text.substr(end + 4)};
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
  constexpr std::size_t kColumns = 76;
  const auto characters = (gzip_size + 2) / 3 * 4;
  const auto lines = (characters + kColumns - 1) / kColumns;
  return fixed_ + characters + 2 * lines;
}

}  // namespace rapporteur
