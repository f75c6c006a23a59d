// rapporteur dkim generate: a new key in a file, its DNS record, and what is to be done with both.

#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/domain.h"
#include "base/key_generation.h"
#include "base/new_file.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "dkim/key_record.h"

namespace rapporteur {

namespace {

constexpr unsigned kOwnerOnly = 0600;

struct NewKey {
  std::string domain;
  std::string selector;
  std::string file;
  std::string name;    // of the record
  std::string record;  // its text
};

std::string default_file(const std::string& config_path, const NewKey& key) {
  const auto folder = std::filesystem::absolute(config_path).parent_path();
  return (folder / (key.selector + "." + key.domain + ".pem")).string();
}

std::string toml_lines(const NewKey& key) {
  return fmt::format("[[dkim]]\ndomain = {}\nselector = {}\nkey = {}\n", Json(key.domain).line(),
                     Json(key.selector).line(), Json(key.file).line());
}

std::string_view type_text(PrivateKey::Type type) {
  return type == PrivateKey::Type::kRsa ? "RSA" : "Ed25519";
}

// What this key alone does not do.
std::string caution(const DkimGenerateRequest& request) {
  if (!request.service.empty()) {
    return "With s=tlsrpt ordinary verifiers, and so DMARC, do not count this key. Make a second "
           "one\n"
           "without --service under another selector: both sign every report.";
  }
  if (request.type == PrivateKey::Type::kEd25519) {
    return "Many verifiers do not know Ed25519. Make a second key of type rsa under another "
           "selector:\n"
           "both sign every report.";
  }
  return {};
}

void print_people(const Context& context, const DkimGenerateRequest& request, const NewKey& key) {
  auto& out = context.world.out;
  const auto size = request.type == PrivateKey::Type::kRsa
                        ? fmt::format(" of {} bits", request.bits.value_or(kUsualRsaBits))
                        : std::string();
  out << fmt::format("{}: a new {} key{}, which its owner alone may read\n\n", printable(key.file),
                     type_text(request.type), size)
      << "Publish this TXT record:\n\n"
      << zone_entry(key.name, key.record) << '\n'
      << fmt::format("Add to {}:\n\n", printable(context.config_path)) << toml_lines(key) << '\n';
  if (const auto words = caution(request); !words.empty()) out << words << "\n\n";
  if (geteuid() == 0) {
    out << fmt::format(
        "The daemon must be able to read the key. If its user is rapporteur:\n"
        "  chown rapporteur {}\n",
        printable(shell_word(key.file)));
  }
  out << "When the record is published, `rapporteur check` tells whether it fits.\n";
}

Json json_of(const DkimGenerateRequest& request, const NewKey& key) {
  return Json::object()
      .set("file", key.file)
      .set("type", request.type == PrivateKey::Type::kRsa ? "rsa" : "ed25519")
      .set("domain", key.domain)
      .set("selector", key.selector)
      .set("name", key.name)
      .set("record", key.record)
      .set("strings", Json::strings(character_strings(key.record)))
      .set("zone", zone_entry(key.name, key.record))
      .set("toml", toml_lines(key))
      .set("caution", Json::text_or_null(caution(request)));
}

}  // namespace

int dkim_generate(const Context& context, const DkimGenerateRequest& request) {
  if (request.bits && request.type != PrivateKey::Type::kRsa) {
    return fail(context, "--bits is for RSA keys: one of type ed25519 has a single size",
                kExitUsage);
  }
  const auto domain = normalise_domain(request.domain);
  if (!domain) return fail(context, domain.error().text, kExitUsage);
  const auto selector = normalise_domain(request.selector);
  if (!selector) return fail(context, "SELECTOR: " + selector.error().text, kExitUsage);
  const auto name = key_record_name(*selector, *domain);
  if (!name) return fail(context, name.error().text, kExitUsage);
  NewKey key{.domain = *domain, .selector = *selector, .file = {}, .name = *name, .record = {}};
  key.file = request.file.empty() ? default_file(context.config_path, key)
                                  : std::filesystem::absolute(request.file).string();
  const auto made = generate_private_key(request.type, request.bits.value_or(kUsualRsaBits));
  if (!made) return fail(context, made.error());
  key.record = key_record(*made, request.service);
  const auto written = write_new_file(key.file, made->pem(), kOwnerOnly);
  if (!written) {
    return fail(context, written.error().text + "; --out FILE names another file", kExitFailed);
  }
  if (context.json) {
    context.print(json_of(request, key));
  } else {
    print_people(context, request, key);
  }
  return kExitDone;
}

}  // namespace rapporteur
