#pragma once
// What of a URL may be shown.

#include <string>

namespace rapporteur {

// "postgresql://user:***@host/db" for "postgresql://user:secret@host/db"; likewise a parameter
// "password=". Nothing that may belong to a password is left, even where the URL is malformed.
std::string without_password(std::string url);

}  // namespace rapporteur
