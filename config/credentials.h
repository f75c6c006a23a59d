#pragma once
// The file of [http] credentials: a line of "user:hash" for each user, "name:{bearer}digest" for
// each token. docs/configuration.md, "[http]", describes it. No password can be read from it.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace rapporteur {

struct CredentialProblem {
  std::size_t line = 0;  // from 1
  std::string text;      // tells nothing of what should be secret
  std::string suggestion;
};

struct ParsedCredentials {
  std::vector<HttpCredential> entries;  // in the order of the file
  std::vector<CredentialProblem> problems;
};

// Blank lines and lines that begin with '#' do not count. Hashes are those of crypt(5): yescrypt
// ("$y$"), bcrypt ("$2a$", "$2b$", "$2y$"), SHA-512 ("$6$") and SHA-256 ("$5$").
ParsedCredentials parse_credentials(std::string_view text);

}  // namespace rapporteur
