#include "cli/parser_dkim.h"

#include <CLI/CLI.hpp>

#include "base/key_generation.h"

namespace rapporteur {

void add_dkim_commands(const AddCommand& add, const Context& context,
                       DkimGenerateRequest& request) {
  auto* generate =
      add("generate", "make a key; print its DNS record and the lines of the configuration",
          "dkim generate example.org tlsrpt", [&] { return dkim_generate(context, request); });
  generate->add_option("DOMAIN", request.domain, "the domain that signs")->required();
  generate->add_option("SELECTOR", request.selector, "the name of the key below it")->required();
  generate
      ->add_option_function<std::string>(
          "--type",
          [&request](const std::string& type) {
            request.type = type == "rsa" ? PrivateKey::Type::kRsa : PrivateKey::Type::kEd25519;
          },
          "rsa, which every verifier knows, or ed25519 (rsa)")
      ->option_text("TYPE")
      ->check(CLI::IsMember({"rsa", "ed25519"}));
  generate->add_option("--bits", request.bits, "size of an RSA key, 1024 to 4096 (2048)")
      ->option_text("N")
      ->check(CLI::Range(kLeastRsaBits, kLargestRsaBits));
  generate
      ->add_option("--service", request.service,
                   "tlsrpt: the record allows TLS reports only; a second key without it is needed")
      ->option_text("SERVICE")
      ->check(CLI::IsMember({"tlsrpt"}));
  generate
      ->add_option("--out", request.file,
                   "the new file (SELECTOR.DOMAIN.pem beside the configuration)")
      ->option_text("FILE");
}

}  // namespace rapporteur
