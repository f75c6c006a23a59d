#include "dkim/signer.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

// dkim.h is written for C and uses its Boolean type.
#define _Bool bool
#include <opendkim/dkim.h>
#undef _Bool

#include "base/text.h"
#include "dkim/canonical.h"

namespace rapporteur {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// dkimpy refuses signatures from the future.
const Time kDate = *parse_time("2024-11-21T01:02:03Z");

PrivateKey key(const std::string& name) {
  // Not from_file(): who may read the file depends on how the sources were unpacked.
  std::ifstream file(TEST_ROOT "/dkim/keys/" + name + ".pem");
  return *PrivateKey::from_pem(std::string(std::istreambuf_iterator<char>(file), {}));
}

Message message(const std::string& domain = "example.net") {
  ReportMail mail;
  mail.from_name = "Größe";
  mail.from_address = "noreply-tls@" + domain;
  mail.to = "reports@example.org";
  mail.subject = "Report Domain: example.org Submitter: " + domain +
                 " Report-ID: <20261120T000000Z-20261121T000000Z.example.org.1.t@" + domain + ">";
  mail.message_id = "1.example.org.1.t.d7@" + domain;
  mail.report_domain = "example.org";
  mail.submitter = domain;
  mail.summary_text = "Two  spaces, a trailing one \n\n\nand empty lines.\n\n\n";
  mail.file_name = domain + "!example.org!1795132800!1795219199!001t.json.gz";
  for (int i = 0; i < 5000; ++i) mail.gz += static_cast<char>(i * 37);
  mail.date = kDate;
  mail.boundary = boundary_for(mail.message_id);
  return make_message(mail);
}

std::string record_of(const PrivateKey& key, const std::string& service) {
  return "v=DKIM1; " + service +
         (key.type() == PrivateKey::Type::kRsa ? "k=rsa; p=" : "k=ed25519; p=") +
         key.dns_public_key();
}

using Records = std::map<std::string, std::string>;

Records records(const std::string& service = "", const std::string& domain = "example.net") {
  return {{"rsa._domainkey." + domain, record_of(key("rsa2048"), service)},
          {"ed._domainkey." + domain, record_of(key("ed25519"), service)}};
}

std::unique_ptr<Signer> signer(const std::string& domain = "example.net") {
  return make_signer({{domain, "rsa", key("rsa2048")}, {domain, "ed", key("ed25519")}});
}

std::string signed_text(const Message& message, const std::string& domain = "example.net") {
  const auto fields = signer(domain)->sign(domain, message, kDate);
  return fields ? *fields + message.text() : fields.error().text;
}

// What dkimpy says about each signature.
std::vector<std::string> dkimpy(const std::string& text, const std::string& mode,
                                const Records& keys) {
  std::string path = testing::TempDir() + "dkimXXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) return {"no temporary file"};
  std::ofstream(path, std::ios::binary) << text;
  std::string command = "/usr/bin/python3 '" TEST_ROOT "/dkim/verify.py' '" + path + "' " + mode;
  for (const auto& [name, record] : keys) command += " '" + name + "=" + record + "'";
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  for (int c = 0; (c = fgetc(pipe)) != EOF;) output += static_cast<char>(c);
  pclose(pipe);
  close(fd);
  std::remove(path.c_str());
  std::vector<std::string> lines;
  for (const auto line : split(output, '\n')) {
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

// libopendkim asks a plain function for keys.
const Records* known_records = nullptr;

DKIM_CBSTAT find_key(DKIM*, DKIM_SIGINFO* signature, u_char* buffer, std::size_t size) {
  const std::string name = std::string(reinterpret_cast<char*>(dkim_sig_getselector(signature))) +
                           "._domainkey." + reinterpret_cast<char*>(dkim_sig_getdomain(signature));
  const auto found = known_records->find(name);
  if (found == known_records->end() || found->second.size() >= size) return DKIM_CBSTAT_NOTFOUND;
  std::ranges::copy(found->second + '\0', buffer);
  return DKIM_CBSTAT_CONTINUE;
}

// What libopendkim says about each signature. A test's date may lie in the future.
std::vector<std::string> libopendkim(const std::string& text, const Records& keys) {
  known_records = &keys;
  DKIM_LIB* library = dkim_init(nullptr, nullptr);
  dkim_set_key_lookup(library, find_key);
  std::uint64_t now = static_cast<std::uint64_t>(kDate.time_since_epoch().count());
  dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &now, sizeof now);
  DKIM_STAT status = DKIM_STAT_OK;
  DKIM* handle =
      dkim_verify(library, reinterpret_cast<const unsigned char*>("test"), nullptr, &status);
  const auto end = text.find("\r\n\r\n");
  auto header = text.substr(0, end + 2);
  auto body = text.substr(end + 4);
  for (const auto field : header_fields(header)) {
    std::string copy(field);
    dkim_header(handle, reinterpret_cast<unsigned char*>(copy.data()), copy.size());
  }
  dkim_eoh(handle);
  dkim_body(handle, reinterpret_cast<unsigned char*>(body.data()), body.size());
  dkim_eom(handle, nullptr);
  DKIM_SIGINFO** signatures = nullptr;
  int count = 0;
  dkim_getsiglist(handle, &signatures, &count);
  std::vector<std::string> results;
  for (int i = 0; i < count; ++i) {
    dkim_sig_process(handle, signatures[i]);
    const bool passed = (dkim_sig_getflags(signatures[i]) & DKIM_SIGFLAG_PASSED) != 0 &&
                        dkim_sig_getbh(signatures[i]) == DKIM_SIGBH_MATCH;
    results.emplace_back(passed ? "pass" : dkim_sig_geterrorstr(dkim_sig_geterror(signatures[i])));
  }
  dkim_free(handle);
  dkim_close(library);
  return results;
}

TEST(Signer, MakesSignaturesThatDkimpyVerifies) {
  EXPECT_THAT(dkimpy(signed_text(message()), "normal", records()), ElementsAre("pass", "pass"));
}

TEST(Signer, MakesSignaturesThatDkimpyVerifiesWithKeysForTlsReportsOnly) {
  EXPECT_THAT(dkimpy(signed_text(message()), "strict", records("s=tlsrpt; ")),
              ElementsAre("pass", "pass"));
}

TEST(Signer, MakesSignaturesThatLibopendkimVerifies) {
  EXPECT_THAT(libopendkim(signed_text(message()), records()), ElementsAre("pass", "pass"));
}

TEST(Signer, MakesSignaturesThatStandEachForItself) {
  const auto fields = *signer()->sign("example.net", message(), kDate);
  const auto list = header_fields(fields);
  ASSERT_EQ(list.size(), 2U);
  for (const auto field : list) {
    const auto text = std::string(field) + "\r\n" + message().text();
    EXPECT_THAT(dkimpy(text, "normal", records()), ElementsAre("pass"));
    EXPECT_THAT(libopendkim(text, records()), ElementsAre("pass"));
  }
}

std::string with_changed_byte(std::string text, std::size_t at) {
  text.at(at) = text.at(at) == 'Q' ? 'R' : 'Q';
  return text;
}

TEST(Signer, MakesSignaturesThatOneChangedByteBreaks) {
  const auto text = signed_text(message());
  for (const std::string_view field : kSignedFields) {
    const auto found = text.find("\r\n" + std::string(field) + ": ");
    ASSERT_NE(found, text.npos) << field;
    const auto changed = with_changed_byte(text, found + field.size() + 5);
    EXPECT_THAT(libopendkim(changed, records()), ElementsAre(Not("pass"), Not("pass"))) << field;
  }
  for (const auto at : {text.find("\r\n\r\n") + 8, text.size() - 200}) {
    const auto changed = with_changed_byte(text, at);
    EXPECT_THAT(libopendkim(changed, records()), ElementsAre(Not("pass"), Not("pass"))) << at;
    EXPECT_THAT(dkimpy(changed, "normal", records()),
                ElementsAre(StartsWith("fail"), StartsWith("fail")));
  }
}

TEST(Signer, MakesSignaturesThatAnAddedFieldBreaks) {
  for (const std::string field : {"From: other@example.com", "To: other@example.com",
                                  "Subject: Other", "Date: Sun, 22 Nov 2026 00:00:00 +0000"}) {
    const auto fields = *signer()->sign("example.net", message(), kDate);
    const auto text = fields + field + "\r\n" + message().text();
    EXPECT_THAT(libopendkim(text, records()), Each(Not("pass"))) << field;
    EXPECT_THAT(dkimpy(text, "normal", records()), Each(StartsWith("fail"))) << field;
  }
}

TEST(Signer, NamesTheSignedFieldsAndNoBodyLength) {
  const auto fields = *signer()->sign("example.net", message(), kDate);
  for (const auto field : header_fields(fields)) {
    std::string bare;
    for (const char c : field) {
      if (c != ' ' && c != '\t' && c != '\r' && c != '\n') bare += c;
    }
    bare = to_lower(bare);
    for (const std::string_view name : kSignedFields) EXPECT_THAT(bare, HasSubstr(to_lower(name)));
    for (const std::string_view name : kOversignedFields) {
      const auto list = bare.substr(bare.find(";h=") + 3);
      const auto names = split(std::string_view(list).substr(0, list.find(';')), ':');
      EXPECT_EQ(std::ranges::count(names, to_lower(name)), 2) << name;
    }
    EXPECT_THAT(bare, HasSubstr(";c=relaxed/relaxed;"));
    EXPECT_THAT(bare, HasSubstr(";t=" + std::to_string(kDate.time_since_epoch().count()) + ";"));
    EXPECT_THAT(bare, Not(HasSubstr(";l=")));
    EXPECT_THAT(bare, Not(HasSubstr(";x=")));
  }
}

TEST(Signer, MakesEqualBytesAtEveryAttempt) {
  const auto one = signer();
  const auto first = *one->sign("example.net", message(), kDate);
  EXPECT_EQ(*one->sign("example.net", message(), kDate), first);
  EXPECT_EQ(*signer()->sign("example.net", message(), kDate), first);
  EXPECT_NE(*one->sign("example.net", message(), kDate + Seconds{1}), first);
}

TEST(Signer, SignsWithEachThreadsOwnTime) {
  const auto shared = signer();
  const auto mail = message();
  std::vector<int> good(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < good.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 20; ++round) {
          const auto date = kDate + Seconds{static_cast<int>(i) * 1000 + round};
          const auto fields = shared->sign("example.net", mail, date);
          const auto want = *signer()->sign("example.net", mail, date);
          good[i] += fields && *fields == want ? 1 : 0;
        }
      });
    }
  }
  EXPECT_THAT(good, Each(20));
}

TEST(Signer, UsesTheKeysOfTheDomainOnly) {
  const auto two = make_signer({{"example.net", "a", key("ed25519")},
                                {"example.com", "b", key("ed25519-other")},
                                {"example.net", "c", key("ed25519-other")}});
  EXPECT_TRUE(two->has_keys("example.com"));
  EXPECT_FALSE(two->has_keys("example.org"));
  const auto fields = *two->sign("example.net", message(), kDate);
  EXPECT_THAT(fields, HasSubstr("s=a;"));
  EXPECT_THAT(fields, HasSubstr("s=c;"));
  EXPECT_THAT(fields, Not(HasSubstr("s=b;")));
  const auto none = two->sign("example.org", message(), kDate);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().fault, Fault::kConfig);
  EXPECT_EQ(none.error().text, "no DKIM key for example.org");
}

TEST(Signer, StaysWithinItsOwnMeasureAndTheLineLimit) {
  for (const std::size_t length : {1U, 52U, 230U}) {
    std::string domain;
    while (domain.size() < length)
      domain += std::string(std::min<std::size_t>(50, length - domain.size()), 'd') + ".";
    domain += "example";
    const std::string selector(std::min<std::size_t>(length, 63), 's');
    for (const std::string name : {"rsa2048", "rsa4096", "ed25519"}) {
      const auto one = make_signer({{domain, selector, key(name)}});
      const auto fields = one->sign(domain, message(domain), kDate);
      ASSERT_TRUE(fields) << fields.error().text;
      EXPECT_LE(fields->size(), one->signature_bytes(domain)) << domain << " " << name;
      EXPECT_GE(fields->size() + 250, one->signature_bytes(domain)) << domain << " " << name;
      EXPECT_TRUE(fields->starts_with("DKIM-Signature: v=1;"));
      EXPECT_TRUE(fields->ends_with("\r\n"));
      for (const auto line : split(*fields, '\n')) {
        EXPECT_LE(line.size(), domain.size() + 90) << line;
        EXPECT_TRUE(line.empty() || line.ends_with('\r'));
      }
      EXPECT_EQ(header_fields(*fields).size(), 1U);
      const Records keys = {{selector + "._domainkey." + domain, record_of(key(name), "")}};
      EXPECT_THAT(dkimpy(*fields + message(domain).text(), "normal", keys), ElementsAre("pass"));
    }
  }
  EXPECT_EQ(signer()->signature_bytes("example.org"), 0U);
}

// Under AddressSanitizer: nothing leaks, however often it is done.
TEST(Signer, SignsManyTimes) {
  const auto one = signer();
  const auto mail = message();
  const auto first = *one->sign("example.net", mail, kDate);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*one->sign("example.net", mail, kDate), first);
}

}  // namespace
}  // namespace rapporteur
