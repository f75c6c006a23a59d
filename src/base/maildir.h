#pragma once
// A Maildir as a source of messages: what was delivered to new/ is read once and then stands in
// cur/ as seen, where a mail client finds it. Nothing is deleted, and cur/ is never read.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace rapporteur {

struct MaildirMessage {
  enum class State {
    kRead,
    kTooLarge,  // larger than Limits::message_bytes: `text` is empty
    kGone,      // it vanished meanwhile, or is no regular file
  };
  State state = State::kGone;
  std::string text;         // its first Limits::read_bytes
  std::uint64_t bytes = 0;  // the file's size
};

// Whether the path is a directory that has a directory new/.
bool is_maildir(const std::string& path);

// Keeps no file open. Several processes may work on one Maildir; each may then read a message
// before one of them takes it away.
class Maildir {
 public:
  struct Limits {
    std::size_t messages = 1000;             // that waiting() gives at a time
    std::uint64_t message_bytes = 10 << 20;  // that a message may have
    std::uint64_t read_bytes = 10 << 20;     // of a message that read() reads
  };

  explicit Maildir(std::string path) : Maildir(std::move(path), Limits()) {}
  Maildir(std::string path, Limits limits);

  // The paths of the regular files in new/, oldest modification first, names deciding between
  // equals; names that begin with '.' and symbolic links are left out. Fails with Fault::kTransient
  // if new/ cannot be read.
  Result<std::vector<std::string>> waiting() const;

  // The message under a path that waiting() gave, without following symbolic links. Fails with
  // Fault::kTransient if the file is there and cannot be read.
  Result<MaildirMessage> read(const std::string& path) const;

  // Moves the message under a path that waiting() gave to cur/ with the flag "seen", under another
  // name if that one is taken; cur/ is made if it is missing. A message that is no longer there is
  // no failure. Fails with Fault::kTransient, and with Fault::kPermanent for a path that is not
  // in new/.
  Result<void> take_away(const std::string& path) const;

 private:
  std::string path_;
  Limits limits_;
};

}  // namespace rapporteur
