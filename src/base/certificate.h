#pragma once
// The certificate and key with which a listener shows who it is, checked when the configuration is
// loaded. The listeners read the files themselves.

#include <string>

#include "base/result.h"

namespace rapporteur {

// Reads a PEM file that begins with the server's certificate, its chain behind it, and the PEM file
// of its key. Fails with Fault::kConfig if a file cannot be read or holds none, if the key is
// encrypted, or if it is not the certificate's.
Result<void> check_certificate(const std::string& certificate, const std::string& key);

}  // namespace rapporteur
