// Any texts as the fields of a report mail: what make_message() promises. The texts stand one after
// the other, each ended by a zero byte: display name, Subject, summary, from address, recipient,
// message id, report domain, submitter, file name, gzip. Those that are addresses or names are cut
// to 600 bytes, which is more than any of them can have.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "fuzz/require.h"
#include "mime/message.h"

namespace {

using namespace rapporteur;
using fuzz::require;

constexpr std::size_t kLongestLine = 998;  // RFC 5322, section 2.1.1

constexpr std::array<std::string_view, 11> kFields = {"From",
                                                      "To",
                                                      "Subject",
                                                      "Date",
                                                      "Message-ID",
                                                      "TLS-Report-Domain",
                                                      "TLS-Report-Submitter",
                                                      "TLS-Required",
                                                      "Auto-Submitted",
                                                      "MIME-Version",
                                                      "Content-Type"};

ReportMail mail_of(std::string_view text) {
  const auto next = [&text](std::size_t most) {
    const auto end = std::min(text.find('\0'), text.size());
    std::string piece(text.substr(0, std::min(end, most)));
    text.remove_prefix(std::min(end + 1, text.size()));
    return piece;
  };
  constexpr std::size_t kName = 600;
  constexpr std::size_t kAny = std::size_t{1} << 20;
  ReportMail mail;
  mail.from_name = next(kAny);
  mail.subject = next(kAny);
  mail.summary_text = next(kAny);
  mail.from_address = next(kName);
  mail.to = next(kName);
  mail.message_id = next(kName);
  mail.report_domain = next(kName);
  mail.submitter = next(kName);
  mail.file_name = next(kName);
  mail.gz = std::string(text);
  mail.date = Time(Seconds(1'795'176'000));
  mail.boundary = boundary_for(mail.message_id);
  return mail;
}

// The lines of a text in which each is ended by CRLF.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    require(end != text.npos, "every line ends in CRLF", std::string(text));
    const auto line = text.substr(0, end);
    require(std::ranges::all_of(line, [](char c) { return (c >= ' ' && c < '\x7f') || c == '\t'; }),
            "a line is printable ASCII", std::string(line));
    require(line.size() <= kLongestLine, "a line has 998 bytes at most", std::string(line));
    lines.push_back(line);
    text.remove_prefix(end + 2);
  }
  return lines;
}

// The header has the fields that it should have, and no other.
void check_header(const std::string& header) {
  std::vector<std::string> fields;
  for (const auto line : lines_of(header)) {
    require(!line.empty(), "no empty line ends the header", header);
    if (line.starts_with(' ') || line.starts_with('\t')) {
      require(!fields.empty(), "a header begins with a field", header);
      require(line.find_first_not_of(" \t") != line.npos, "no line is blank", header);
      continue;
    }
    fields.emplace_back(line.substr(0, line.find(':')));
  }
  require(std::ranges::equal(fields, kFields), "the header has its fields only", header);
}

// Both parts of the body, each once.
void check_body(const std::string& body, const ReportMail& mail) {
  std::vector<std::size_t> delimiters;
  const auto lines = lines_of(body);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].starts_with("--" + mail.boundary)) delimiters.push_back(i);
  }
  require(delimiters.size() == 3, "there are two parts", body);
  require(lines[delimiters.back()] == "--" + mail.boundary + "--", "the last delimiter ends", body);
  std::size_t disposition = 0;
  std::size_t names = 0;
  for (auto i = delimiters[1]; i < delimiters[2] && !lines[i].empty(); ++i) {
    if (starts_with_ignoring_case(lines[i], "Content-Disposition:")) ++disposition;
    if (lines[i].find("filename=\"") != std::string_view::npos) ++names;
  }
  require(disposition == 1 && names == 1, "the file name stands once", body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto mail = mail_of(text);
  const auto message = make_message(mail);
  check_header(message.header);
  check_body(message.body, mail);
  require(make_message(mail).text() == message.text(), "equal mails make equal bytes");
  require(MailSize(mail, 0).with(mail.gz.size()) == message.text().size(), "the size is foretold",
          message.text());
  return 0;
}
