#pragma once
// A dry run: mail that is written to a folder instead of being sent.

#include <memory>
#include <string>

#include "deliver/transport.h"

namespace rapporteur {

// Each message becomes one file, byte for byte as it would be sent: its name is the Message-ID made
// safe, a hash of recipient and message, and ".eml". The same message to the same recipient again
// leaves one file; another message never replaces one. The folder exists already. Files are on disk
// only after sync_file_system() was called for the folder.
std::unique_ptr<MailTransport> make_directory_transport(const std::string& directory);

}  // namespace rapporteur
