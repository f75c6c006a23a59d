#include "dkim/verifier.h"

#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

// dkim.h is written for C and uses its Boolean type.
#define _Bool bool
#include <opendkim/dkim.h>
#undef _Bool

#include "base/text.h"
#include "dkim/canonical.h"
#include "dkim/tag_list.h"

namespace rapporteur {

namespace {

constexpr std::string_view kFieldName = "dkim-signature:";
// What comes before a mail's body, at most; no mail server takes as much.
constexpr std::size_t kMostHeaderBytes = std::size_t{1} << 20;
constexpr std::size_t kMostFields = 1000;
// A name may have several records (RFC 6376, section 3.6.2.2).
constexpr std::size_t kMostKeys = 3;
constexpr unsigned kLeastRsaBits = 1024;  // RFC 8301, section 3.2

// A signature that is worth a lookup.
struct Candidate {
  int index = 0;               // among the mail's DKIM-Signature fields
  bool covers_others = false;  // the signature signs DKIM-Signature fields, too
  std::string domain;
  std::string selector;
};

// What the callbacks of libopendkim know of the pass under way.
struct Pass {
  const Candidate* candidate = nullptr;
  std::string key_record;
  DKIM_SIGINFO* signature = nullptr;
};

struct FreeHandle {
  void operator()(DKIM* handle) const { dkim_free(handle); }
};
using Handle = std::unique_ptr<DKIM, FreeHandle>;

// libopendkim takes what it only reads by pointers to what it could write.
unsigned char* mutable_bytes(std::string_view text) {
  return reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
}

std::string text_of(const unsigned char* text) {
  return text == nullptr ? std::string() : reinterpret_cast<const char*>(text);
}

Pass& pass_of(DKIM* handle) {
  return *static_cast<Pass*>(dkim_get_user_context(handle));
}

// Leaves the one signature of this pass.
DKIM_CBSTAT choose_signature(DKIM* handle, DKIM_SIGINFO** signatures, int count) {
  auto& pass = pass_of(handle);
  for (int index = 0; index < count; ++index) {
    auto* const signature = signatures[index];
    const bool chosen =
        (index == pass.candidate->index || count == 1) &&
        to_lower(text_of(dkim_sig_getdomain(signature))) == pass.candidate->domain &&
        text_of(dkim_sig_getselector(signature)) == pass.candidate->selector;
    if (chosen) {
      pass.signature = signature;
    } else {
      dkim_sig_ignore(signature);
    }
  }
  return DKIM_CBSTAT_CONTINUE;
}

DKIM_CBSTAT give_key(DKIM* handle, DKIM_SIGINFO* /*signature*/, unsigned char* buffer,
                     std::size_t size) {
  const auto& record = pass_of(handle).key_record;
  if (record.size() + 1 > size) return DKIM_CBSTAT_NOTFOUND;
  std::memcpy(buffer, record.c_str(), record.size() + 1);
  return DKIM_CBSTAT_CONTINUE;
}

struct Mail {
  std::vector<std::string_view> fields;  // each without its final CRLF
  std::string_view body;
};

// Names of domains and selectors are strangers' words.
std::string printable(const std::string& text) {
  return truncate_utf8(without_controls(to_valid_utf8(text)), 400);
}

bool is_signature(std::string_view field) {
  return starts_with_ignoring_case(relaxed_field(field.substr(0, 64)), kFieldName);
}

// Whether libopendkim takes it as a field.
bool is_field(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == text.npos || colon == 0) return false;
  return std::ranges::all_of(trim(text.substr(0, colon)),
                             [](char c) { return c > ' ' && c < 0x7F && c != ';'; }) &&
         text.find('\0') == text.npos;
}

std::string with_crlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) out += '\r';
    out += text[i];
  }
  if (!out.ends_with("\r\n")) out += "\r\n";
  return out;
}

// `text` has CRLF line ends. Nullopt: its header is larger than any that can be genuine.
std::optional<Mail> take_apart(std::string_view text) {
  if (text.starts_with("From ")) text.remove_prefix(text.find('\n') + 1);
  const auto end = text.find("\r\n\r\n");
  const auto header = text.substr(0, end);
  if (header.size() > kMostHeaderBytes) return std::nullopt;
  Mail mail;
  for (const auto field : header_fields(header)) {
    if (is_field(field)) mail.fields.push_back(field);
  }
  if (mail.fields.size() > kMostFields) return std::nullopt;
  if (end != text.npos) mail.body = text.substr(end + 4);
  return mail;
}

struct Candidates {
  std::vector<Candidate> found;
  std::string why_not;  // of the first that speaks for the mail and cannot count
};

Candidates candidates_of(const Mail& mail, const SpeaksFor& speaks_for) {
  Candidates result;
  int index = -1;
  for (const auto field : mail.fields) {
    if (!is_signature(field)) continue;
    ++index;
    if (result.found.size() == DkimVerifier::kMostSignatures) break;
    const TagList tags(field.substr(field.find(':') + 1));
    const auto domain = to_lower(tags.value("d"));
    if (!speaks_for(domain)) continue;
    const auto algorithm = to_lower(tags.value("a"));
    std::string why;
    if (tags.has("l")) {
      why = "the signature of " + domain + " covers only a part of the body (l=)";
    } else if (algorithm != "rsa-sha256" && algorithm != "ed25519-sha256") {
      why = "the signature of " + domain + " was made by '" + truncate_utf8(algorithm, 40) + "'";
    }
    if (why.empty()) {
      const bool covers_others =
          to_lower(tags.value("h")).find("dkim-signature") != std::string::npos;
      result.found.push_back({index, covers_others, domain, tags.value("s")});
    } else if (result.why_not.empty()) {
      result.why_not = printable(why);
    }
  }
  return result;
}

std::string reason_of(DKIM_SIGINFO* signature, DKIM_STAT status) {
  const auto error = signature == nullptr ? DKIM_SIGERROR_UNKNOWN : dkim_sig_geterror(signature);
  const char* text = error == DKIM_SIGERROR_OK ? nullptr : dkim_sig_geterrorstr(error);
  if (text != nullptr && error > 0) return text;
  return status == DKIM_STAT_BADSIG ? "it does not verify"
                                    : "libopendkim status " + std::to_string(status);
}

}  // namespace

class DkimVerifier::Library {
 public:
  Library() : library_(dkim_init(nullptr, nullptr)) {
    if (library_ == nullptr) return;
    dkim_set_prescreen(library_, choose_signature);
    dkim_set_key_lookup(library_, give_key);
  }
  ~Library() {
    if (library_ != nullptr) dkim_close(library_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  // Empty: the signature is valid. Else why it is not.
  std::string check(const Mail& mail, const Candidate& candidate, std::string key_record,
                    Time now) const;

  bool usable() const { return library_ != nullptr; }

 private:
  DKIM_LIB* library_;
};

std::string DkimVerifier::Library::check(const Mail& mail, const Candidate& candidate,
                                         std::string key_record, Time now) const {
  DKIM_STAT status = DKIM_STAT_OK;
  auto seconds = static_cast<std::uint64_t>(now.time_since_epoch().count());
  dkim_options(library_, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &seconds, sizeof seconds);
  const std::string id = "report";
  Pass pass{.candidate = &candidate, .key_record = std::move(key_record)};
  const Handle handle(dkim_verify(library_, mutable_bytes(id), nullptr, &status));
  if (!handle) return reason_of(nullptr, status);
  dkim_set_user_context(handle.get(), &pass);
  int index = -1;
  for (const auto field : mail.fields) {
    // A broken signature of somebody else would end it all.
    if (is_signature(field) && ++index != candidate.index && !candidate.covers_others) continue;
    status = dkim_header(handle.get(), mutable_bytes(field), field.size());
    if (status != DKIM_STAT_OK) return reason_of(nullptr, status);
  }
  status = dkim_eoh(handle.get());
  if (status != DKIM_STAT_OK) return reason_of(pass.signature, status);
  if (!mail.body.empty()) {
    status = dkim_body(handle.get(), mutable_bytes(mail.body), mail.body.size());
  }
  if (status == DKIM_STAT_OK) status = dkim_eom(handle.get(), nullptr);
  if (status != DKIM_STAT_OK || pass.signature == nullptr) {
    return reason_of(pass.signature, status);
  }
  const auto flags = dkim_sig_getflags(pass.signature);
  const bool passed =
      (flags & DKIM_SIGFLAG_PASSED) != 0U && dkim_sig_getbh(pass.signature) == DKIM_SIGBH_MATCH;
  if (!passed) return reason_of(pass.signature, DKIM_STAT_BADSIG);
  unsigned bits = 0;
  dkim_alg_t algorithm = DKIM_SIGN_UNKNOWN;
  dkim_sig_getkeysize(pass.signature, &bits);
  dkim_sig_getsignalg(pass.signature, &algorithm);
  if (algorithm == DKIM_SIGN_RSASHA256 && bits < kLeastRsaBits) {
    return "its key has " + std::to_string(bits) + " bits";
  }
  return {};
}

DkimVerifier::DkimVerifier() : library_(std::make_unique<Library>()) {}
DkimVerifier::~DkimVerifier() = default;

KeyService service_of(std::string_view key_record) {
  const TagList tags(key_record);
  if (!tags.has("s")) return KeyService::kTlsrpt;
  bool email = false;
  const auto services = tags.value("s");
  for (const auto service : split(services, ':')) {
    const auto name = trim(service);
    if (name == "*" || equals_ignoring_case(name, "tlsrpt")) return KeyService::kTlsrpt;
    email = email || equals_ignoring_case(name, "email");
  }
  return email ? KeyService::kEmailOnly : KeyService::kOther;
}

namespace {

// Why a key cannot be used; empty: it can.
std::string refusal_of_key(const std::string& record) {
  const TagList tags(record);
  if (!tags.has("p")) return "it is no key record";
  if (tags.value("p").empty()) return "the key was revoked";
  if (service_of(record) == KeyService::kOther) {
    return "the key is for '" + truncate_utf8(to_valid_utf8(tags.value("s")), 40) +
           "', not for TLS reports";
  }
  const auto flags = tags.value("t");
  for (const auto flag : split(flags, ':')) {
    if (trim(flag) == "y") return "the key is under test (t=y)";
  }
  return {};
}

}  // namespace

Verification DkimVerifier::verify(std::string_view message, const SpeaksFor& speaks_for,
                                  const KeySource& keys, Time now) const {
  if (!library_->usable()) {
    return {.state = Verification::State::kTemporary, .domain = {}, .why = "no memory"};
  }
  const auto text = with_crlf(message);
  const auto mail = take_apart(text);
  if (!mail) {
    return {.state = Verification::State::kFailed, .domain = {}, .why = "its header is too large"};
  }
  // Whoever reads the field may not see what is not signed.
  if (std::string_view(text).substr(0, text.find("\r\n\r\n")).find('\0') !=
      std::string_view::npos) {
    return {
        .state = Verification::State::kFailed, .domain = {}, .why = "its header holds a zero byte"};
  }
  const auto candidates = candidates_of(*mail, speaks_for);
  Verification result;
  std::string problem;
  result.why = candidates.why_not;
  for (const auto& candidate : candidates.found) {
    const auto name = candidate.selector + "._domainkey." + candidate.domain;
    const auto answer = keys(name);
    const auto fail = [&](const std::string& why) {
      if (result.why.empty()) result.why = printable("signature of " + name + ": " + why);
    };
    if (answer.status == KeyAnswer::Status::kTemporary) {
      if (problem.empty()) problem = printable(name + ": " + answer.problem);
      continue;
    }
    if (answer.status == KeyAnswer::Status::kNone) fail("there is no such key");
    std::size_t tried = 0;
    for (const auto& record : answer.records) {
      if (++tried > kMostKeys) break;
      auto why = refusal_of_key(record);
      if (why.empty()) why = library_->check(*mail, candidate, TagList(record).without("s"), now);
      if (why.empty()) {
        return {.state = Verification::State::kPassed,
                .domain = candidate.domain,
                .why = {},
                .for_email_only = service_of(record) == KeyService::kEmailOnly};
      }
      fail(why);
    }
  }
  if (!problem.empty()) {
    result.state = Verification::State::kTemporary;
    result.why = problem;
  } else if (!result.why.empty()) {
    result.state = Verification::State::kFailed;
  }
  return result;
}

}  // namespace rapporteur
