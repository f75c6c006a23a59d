#include "schedule/transports.h"

#include <string>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "deliver/curl_https.h"
#include "deliver/curl_smtp.h"
#include "deliver/directory.h"
#include "deliver/guard.h"
#include "deliver/sendmail.h"

namespace rapporteur {

namespace {

SmtpOptions::Tls tls_of(RelayTls tls) {
  switch (tls) {
    case RelayTls::kNone:
      return SmtpOptions::Tls::kNone;
    case RelayTls::kOpportunistic:
      return SmtpOptions::Tls::kOpportunistic;
    case RelayTls::kRequired:
      return SmtpOptions::Tls::kRequired;
  }
  return SmtpOptions::Tls::kRequired;
}

Result<MailTransportFactory> mail_factory(const Config& config,
                                          const ConversationListener& listener) {
  const auto& smtp = config.delivery.smtp;
  if (smtp.transport == MailTransportKind::kDirectory) {
    return MailTransportFactory([directory = smtp.directory](const Interrupt&) {
      return make_directory_transport(directory);
    });
  }
  if (smtp.transport == MailTransportKind::kSendmail) {
    const SendmailOptions options{.command = smtp.command, .timeout = smtp.final_timeout};
    return MailTransportFactory([options](const Interrupt& interrupt) {
      return make_sendmail_transport(options, interrupt);
    });
  }
  SmtpOptions options{.url = smtp.url,
                      .tls = tls_of(smtp.tls),
                      .ca_file = smtp.ca_file,
                      .username = smtp.username,
                      .password = {},
                      .ehlo_name = config.hostname,
                      .connect_timeout = smtp.connect_timeout,
                      .reply_timeout = smtp.reply_timeout,
                      .final_timeout = smtp.final_timeout,
                      .listener = listener};
  if (!smtp.password_file.empty()) {
    const auto password = read_file(smtp.password_file);
    if (!password) return Error{Fault::kConfig, password.error().text};
    options.password = trim(*password);
  }
  return MailTransportFactory([options = std::move(options)](const Interrupt& interrupt) {
    return make_smtp_transport(options, interrupt);
  });
}

}  // namespace

Result<Transports> make_transports(const Config& config, const ConversationListener& listener) {
  auto mail = mail_factory(config, listener);
  if (!mail) return std::move(mail).error();
  const auto& settings = config.delivery.https;
  auto exceptions = parse_guard_exceptions(settings.allow);
  if (!exceptions) return std::move(exceptions).error();
  const HttpsOptions options{.verify = settings.verify,
                             .ca_file = settings.ca_file,
                             .timeout = settings.timeout,
                             .proxy = settings.proxy,
                             .exceptions = *std::move(exceptions),
                             .listener = listener};
  return Transports{.mail = *std::move(mail), .https = [options](const Interrupt& interrupt) {
                      return make_https_transport(options, interrupt);
                    }};
}

}  // namespace rapporteur
