#pragma once
// Mail through a sendmail program: sendmail(8)'s command line and exit codes (sysexits(3)).

#include <chrono>
#include <memory>
#include <string>

#include "deliver/transport.h"

namespace rapporteur {

struct SendmailOptions {
  // The program's path and its arguments, separated by spaces; no shell sees them. Added to them
  // are -f, the envelope sender, --, and the recipient.
  std::string command;
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
};

// The message goes to the program's standard input with the local line end, LF. What it writes to
// standard error becomes the reply's text.
std::unique_ptr<MailTransport> make_sendmail_transport(const SendmailOptions& options,
                                                       const Interrupt& interrupt);

}  // namespace rapporteur
