// Any bytes as a mail that brings a report: what is found in it, what its header says, and what its
// DKIM signatures and an MTA's word about them are worth. The signed mails of the corpus were
// signed with the keys in tests/dkim/keys, which the fuzzer does not know: whatever it makes of
// them must not verify, unless what is read of it is what was signed.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/domain.h"
#include "base/private_key.h"
#include "base/text.h"
#include "base/time.h"
#include "dkim/tag_list.h"
#include "dkim/verifier.h"
#include "fuzz/require.h"
#include "mime/entity.h"
#include "received/authentication.h"
#include "received/container.h"
#include "received/mail.h"

namespace {

using namespace rapporteur;
using fuzz::require;

constexpr MailLimits kSmall{.depth = 3, .parts = 12, .attachments = 2};
constexpr Time kNow{Seconds{1'795'219'200}};  // 2026-11-21
constexpr std::size_t kMostPhraseBytes = 512;

// Of all signed mails of the corpus.
constexpr std::string_view kSigner = "sender.example";
constexpr std::string_view kSignedReport =
    R"({"report-id":"1","date-range":{"start-datetime":"2026-11-20T00:00:00Z"}})";

void check_line(const std::string& text) {
  require(is_valid_utf8(text), "a text is UTF-8", text);
  require(without_controls(text) == text, "a text has no control characters", text);
}

void check_phrase(const std::string& text) {
  check_line(text);
  require(!text.empty() && text.size() <= kMostPhraseBytes, "a phrase says something", text);
}

void check_domain(const std::string& domain) {
  if (domain.empty()) return;
  const auto normalised = normalise_domain(domain);
  require(normalised && *normalised == domain, "a domain is normalised", domain);
}

// ---- Dates and file names

void check_date(const std::string& text) {
  const auto date = parse_mail_date(text);
  if (!date) return;
  const auto plain = without_comments(std::string_view(text).substr(0, 200));
  const auto comma = plain.find(',');
  const auto words = plain.substr(comma == plain.npos ? 0 : comma + 1);
  const auto day = words.find_first_not_of(" \t\r\n");
  require(
      day != words.npos && std::stol(words.substr(day)) >= 1 && std::stol(words.substr(day)) <= 31,
      "a date has a day of a month", text);
  const auto written = format_rfc5322(*date);
  if (!parse_time(format_rfc3339(*date))) return;  // before 1970 or after 9999, by its zone
  require(parse_mail_date(written) == date, "a date is what it is written as", text);
  require(parse_mail_date(written + " (UTC; no (other))") == date, "a comment is no date", text);
}

void check_file_name(const std::string& name) {
  const auto file = parse_file_name(name);
  if (!file) return;
  require(!file->policy_domain.empty(), "a file name tells a domain", name);
  check_domain(file->policy_domain);
  require(file->unique_id.find_first_of("!.") == std::string::npos, "an id is a piece of the name",
          name);
  for (const auto time : {file->begin, file->end}) {
    require(parse_time(format_rfc3339(time)) == time, "a time is one of 1970 to 9999", name);
  }
  const auto made = "sender.example!" + file->policy_domain + "!" +
                    std::to_string(file->begin.time_since_epoch().count()) + "!" +
                    std::to_string(file->end.time_since_epoch().count()) + "!" + file->unique_id +
                    ".json.gz";
  const auto again = parse_file_name(made);
  require(again && again->policy_domain == file->policy_domain && again->begin == file->begin &&
              again->end == file->end && again->unique_id == file->unique_id,
          "a file name is read as it is written", made);
}

// ---- Mail

void check_attachment(const Attachment& attachment, bool typed) {
  check_line(attachment.file_name);
  require(attachment.file_name.find_first_of("/\\") == std::string::npos, "a file name has no path",
          attachment.file_name);
  require(attachment.typed == typed, "attachments are of one kind");
  require(typed || is_container(attachment.bytes), "what has no type looks like a report");
  check_file_name(attachment.file_name);
}

Result<MailedReport> read(const std::string& text, const MailLimits& limits) {
  auto mail = read_report_mail(text, limits);
  if (!mail) {
    require(mail.error().fault == Fault::kInput, "mail without a report is a fault of input");
    check_phrase(mail.error().text);
    return mail;
  }
  check_domain(mail->from_domain);
  check_domain(mail->report_domain);
  check_domain(mail->submitter);
  check_line(mail->message_id);
  require(mail->message_id.find_first_of("<> ") == std::string::npos, "a msg-id has no brackets",
          mail->message_id);
  std::ranges::for_each(mail->authentication_results, check_line);
  std::ranges::for_each(mail->oddities, check_phrase);
  require(std::set(mail->oddities.begin(), mail->oddities.end()).size() == mail->oddities.size(),
          "an oddity is told once");
  require(!mail->attachments.empty() && mail->attachments.size() <= limits.attachments,
          "attachments are bounded");
  std::size_t bytes = 0;
  for (const auto& attachment : mail->attachments) {
    check_attachment(attachment, mail->attachments.front().typed);
    bytes += attachment.bytes.size();
  }
  require(bytes <= text.size(), "attachments are no larger than the mail");
  return mail;
}

// Lines may end in either way. A field that is cut is cut elsewhere, and what a transfer encoding
// says of line ends is not ours.
void check_line_ends(const std::string& text, const Result<MailedReport>& mail) {
  constexpr std::size_t kLongestField = 8192;
  if (text.size() > kLongestField / 2 || text.find('\r') != text.npos ||
      to_lower(text).find("quoted-printable") != text.npos) {
    return;
  }
  std::string with_crlf;
  for (const char c : text) {
    if (c == '\n') with_crlf += '\r';
    with_crlf += c;
  }
  const auto other = read_report_mail(with_crlf, kSmall);
  require(!mail == !other, "CRLF ends lines as LF does", text);
  require(!mail ||
              (mail->from_domain == other->from_domain &&
               mail->report_domain == other->report_domain && mail->submitter == other->submitter &&
               mail->message_id == other->message_id && mail->arrived == other->arrived &&
               mail->authentication_results == other->authentication_results &&
               mail->attachments.size() == other->attachments.size()),
          "CRLF ends lines as LF does", text);
}

// ---- What an MTA says

AuthenticationResult check_results(const std::vector<std::string>& fields,
                                   const std::string& from_domain) {
  static const std::vector<std::string> kTrusted = {"mx.example.net", "mx2.example.net"};
  auto result = read_authentication_results(fields, kTrusted, from_domain);
  if (!result.passed) {
    require(result.domain.empty(), "who did not sign is not named", result.domain);
  } else {
    check_domain(result.domain);
    require(speaks_for(result.domain, from_domain), "who signed speaks for the sender",
            result.domain);
  }
  require(result.authserv_id.empty()
              ? !result.passed
              : std::ranges::any_of(kTrusted,
                                    [&](const std::string& name) {
                                      return equals_ignoring_case(name, result.authserv_id);
                                    }),
          "who decides is trusted", result.authserv_id);
  require(read_authentication_results(fields, {}, from_domain).authserv_id.empty(),
          "without trust nobody decides");
  return result;
}

// `text` with a backslash before each character of `special`.
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != special.npos) out += '\\';
    out += c;
  }
  return out;
}

// What a sender can bring into an MTA's own field, as an address or as a reason, decides nothing.
void check_smuggled(const std::string& text, const std::string& from_domain) {
  const auto line = unfolded(std::string_view(text).substr(0, 1000));
  const std::string head = "mx.example.net; ";
  for (const auto& field :
       {head + "spf=pass smtp.mailfrom=\"" + escaped(line, "\"\\") + "\"@evil.example",
        head + "dkim=fail (" + escaped(line, "()\\") + ") header.d=evil.example",
        head + "dkim=fail reason=\"" + escaped(line, "\"\\") + "\" header.d=evil.example",
        head + "none"}) {
    const auto result = check_results({field}, from_domain);
    require(!result.passed && result.authserv_id == "mx.example.net",
            "what is quoted decides nothing", field);
  }
}

void check_authentication(const std::string& text, std::vector<std::string> fields,
                          const std::string& from_domain) {
  // The text itself may be one field, too.
  fields.push_back(unfolded(std::string_view(text).substr(0, 1000)));
  const auto result = check_results(fields, from_domain);
  check_results(fields, {});
  auto more = fields;
  more.insert(more.begin(), "untrusted.example; dkim=pass header.d=" + from_domain);
  const auto same = check_results(more, from_domain);
  require(same.passed == result.passed && same.authserv_id == result.authserv_id &&
              same.domain == result.domain,
          "who is not trusted changes nothing");
  more.front() = "MX.example.net 1; dkim=fail header.d=" + from_domain;
  require(!check_results(more, from_domain).passed, "the topmost that is trusted decides");
  check_smuggled(text, from_domain);
}

// ---- Signatures

std::string public_key(const std::string& name) {
  std::ifstream file(TEST_ROOT "/dkim/keys/" + name + ".pem");
  const auto key = PrivateKey::from_pem(std::string(std::istreambuf_iterator<char>(file), {}));
  require(static_cast<bool>(key), "there is a key", name);
  return key->dns_public_key();
}

struct PublishedKey {
  std::string record;
  bool usable = true;
};

// By selector.
const std::map<std::string, PublishedKey>& published_keys() {
  static const auto kKeys = [] {
    const auto rsa = "v=DKIM1; k=rsa; p=" + public_key("rsa2048");
    return std::map<std::string, PublishedKey>{
        {"rsa", {rsa}},
        {"ed", {"v=DKIM1; k=ed25519; p=" + public_key("ed25519")}},
        {"tlsrpt", {rsa + "; s=tlsrpt; t=s"}},
        {"email", {rsa + "; s=email"}},
        {"other", {rsa + "; s=other", false}},
        {"testing", {rsa + "; t=y:s", false}},
        {"sha1", {rsa + "; h=sha1", false}},
        {"revoked", {"v=DKIM1; p=", false}},
        {"short",
         {"v=DKIM1; k=rsa; p="
          "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAOr3Xalk4RxmhrD+ODKuEcXJEgNsw8sDwqT+anSfc3NSwLEDkdbUjBqr"
          "KHlO82XjTrv0zVfxMrM39JojWRZpytECAwEAAQ==",
          false}},
    };
  }();
  return kKeys;
}

// The records of other selectors are the mail's own.
KeyAnswer answer_for(const std::string& name, const std::vector<std::string>& own) {
  const auto selector = name.substr(0, name.find('.'));
  if (const auto known = published_keys().find(selector); known != published_keys().end()) {
    return {.status = KeyAnswer::Status::kFound, .records = {known->second.record}, .problem = {}};
  }
  if (selector == "lost") {
    return {.status = KeyAnswer::Status::kTemporary, .records = {}, .problem = "timed out\r\n"};
  }
  if (own.empty()) return {.status = KeyAnswer::Status::kNone, .records = {}, .problem = {}};
  return {.status = KeyAnswer::Status::kFound, .records = own, .problem = {}};
}

// What is read of a mail with a genuine signature is what was signed: all its fields that matter
// are signed, and no second one can be added.
void check_genuine(const std::string& text) {
  const auto mail = read_report_mail(text);
  if (!mail) return;  // a field may be blown up with blanks until it is cut
  require(mail->from_domain.empty() || mail->from_domain == kSigner ||
              mail->from_domain == "sub.sender.example",
          "From is what was signed", mail->from_domain);
  require(mail->report_domain.empty() || mail->report_domain == "example.com",
          "TLS-Report-Domain is what was signed", mail->report_domain);
  for (const auto& attachment : mail->attachments) {
    const auto report = unpack(attachment.bytes);
    require(report && report->json == kSignedReport, "the report is what was signed");
  }
}

const DkimVerifier& verifier() {
  static const DkimVerifier kVerifier;
  return kVerifier;
}

// Lists relay mails and sign them themselves; a signature that is none hides no genuine one.
void check_more_signatures(const std::string& text, const std::string& from_domain) {
  if (!text.starts_with("DKIM-Signature:")) return;
  const std::string other = "DKIM-Signature: v=1; a=rsa-sha256; d=lists.example; s=rsa; h=from; ";
  for (const std::string more :
       {"bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA", "b=; v=1; x"}) {
    const auto verification = verifier().verify(
        other + more + "\r\n" + text,
        [&](std::string_view signer) { return speaks_for(signer, from_domain); },
        [](const std::string& name) { return answer_for(name, {}); }, kNow);
    require(verification.state == Verification::State::kPassed,
            "a stranger's signature hides no genuine one", verification.why);
  }
}

void check_verification(const std::string& text, const std::string& from_domain) {
  const auto own = read_entity(text).all("X-Key");
  std::set<std::string> spoke;
  std::vector<std::string> asked;
  const auto verification = verifier().verify(
      text,
      [&](std::string_view signer) {
        require(to_lower(signer) == signer, "signers are asked for in lower case");
        const bool speaks = speaks_for(signer, from_domain);
        if (speaks) spoke.emplace(signer);
        return speaks;
      },
      [&](const std::string& name) {
        asked.push_back(name);
        return answer_for(name, own);
      },
      kNow);
  require(asked.size() <= DkimVerifier::kMostSignatures, "few signatures are looked at");
  if (verification.state != Verification::State::kPassed) {
    require(verification.domain.empty() && !verification.for_email_only,
            "who did not sign is not named");
    if (verification.state == Verification::State::kNone) {
      require(spoke.empty() && verification.why.empty(), "no signature counts", verification.why);
    } else {
      check_phrase(verification.why);
      require(!spoke.empty() || verification.why.starts_with("its header "),
              "only a signature of the sender counts");
    }
    return;
  }
  require(spoke.contains(verification.domain) && speaks_for(verification.domain, from_domain),
          "who signed speaks for the sender", verification.domain);
  require(verification.why.empty(), "what passed needs no reason", verification.why);
  require(!asked.empty() && asked.back().ends_with("._domainkey." + verification.domain),
          "the key is the signer's");
  const auto known = published_keys().find(asked.back().substr(0, asked.back().find('.')));
  if (known == published_keys().end()) return;
  require(known->second.usable, "the key may sign reports", asked.back());
  require(verification.for_email_only == (known->first == "email"), "a key for e-mail is noted");
  require(verification.domain == kSigner, "only the signer has signed", verification.domain);
  check_genuine(text);
  check_more_signatures(text, from_domain);
}

void check_tags(std::string_view text) {
  const TagList tags(text);
  const TagList again(tags.without("s"));
  require(!again.has("s") && again.value("s").empty(), "a tag can be left out");
  for (const std::string name : {"a", "b", "bh", "d", "h", "k", "l", "p", "t", "v", "x"}) {
    const auto value = tags.value(name);
    require(value.empty() || tags.has(name), "what has a value is there");
    require(value.find_first_of("\r\n;") == std::string::npos, "a value is one line", value);
    require(std::string(trim(value)) == value, "a value has no blanks around it", value);
    require(again.has(name) == tags.has(name) && again.value(name) == value,
            "other tags are left as they are", name);
  }
  const auto service = service_of(text);
  require(tags.has("s") || service == KeyService::kTlsrpt, "a key without s= is for everything");
  require(service == service_of(tags.without("p")), "s= alone says what a key is for");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  check_date(text);
  check_file_name(text);
  check_tags(std::string_view(text).substr(0, 1000));
  require(!begins_like_mail(text) || !is_container(text), "a report alone is no mail");

  const auto mail = read(text, kSmall);
  check_line_ends(text, mail);
  const auto whole = read(text, {});
  require(whole || !mail, "what passes small limits passes larger ones");
  const auto entity = read_entity(text);
  for (const auto& field : entity.fields) {
    if (equals_ignoring_case(field.name, "DKIM-Signature")) check_tags(field.body);
    if (equals_ignoring_case(field.name, "Date")) check_date(unfolded(field.body));
  }
  const bool from = whole && !whole->from_domain.empty();
  const auto from_domain = from ? whole->from_domain : std::string(kSigner);
  check_authentication(text, entity.all("Authentication-Results"), from_domain);
  check_verification(text, from_domain);
  return 0;
}
