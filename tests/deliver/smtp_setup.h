#pragma once
// What the tests of the SMTP transport share.

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "deliver/curl_smtp.h"
#include "deliver/scripted_smtp.h"

namespace rapporteur::testing_support {

inline constexpr const char* kFrom = "noreply-tls@example.org";
inline constexpr const char* kTo = "tls-reports@example.com";
inline constexpr const char* kMessage = "Subject: x\r\n\r\nbody\r\n";

inline SmtpOptions options_for(const std::string& url,
                               SmtpOptions::Tls tls = SmtpOptions::Tls::kOpportunistic) {
  using namespace std::chrono_literals;
  SmtpOptions options;
  options.url = url;
  options.tls = tls;
  options.ehlo_name = "mail.example.org";
  options.connect_timeout = 5s;
  options.reply_timeout = 5s;
  options.final_timeout = 5s;
  return options;
}

// What the server answers to `step`, in turn; see ScriptedSmtp.
inline ScriptedSmtp::Script answering(const std::string& step, std::deque<std::string> answers) {
  ScriptedSmtp::Script script;
  script[step] = std::move(answers);
  return script;
}

inline Reply send_once(const SmtpOptions& options, std::string_view message = kMessage) {
  const Interrupt interrupt;
  return make_smtp_transport(options, interrupt)->send(kFrom, kTo, message);
}

}  // namespace rapporteur::testing_support
