// Whether whoever takes our mail is there, and as well guarded as the configuration wants.

#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/check.h"
#include "config/endpoint.h"

namespace rapporteur {

namespace {

// What a probe has shown of an SMTP relay.
struct Shown {
  std::string tls;  // "TLSv1.3 / …"; empty: none
  bool authenticated = false;
  bool offers_auth = false;
};

void listen_to(Speaker speaker, std::string_view line, Shown& shown) {
  constexpr std::string_view kTls = "SSL connection using ";
  if (speaker == Speaker::kNote && line.starts_with(kTls)) {
    shown.tls = std::string(line.substr(kTls.size()));
  }
  if (speaker != Speaker::kPeer) return;
  if (line.starts_with("235")) shown.authenticated = true;
  if (line.size() > 4 && starts_with_ignoring_case(line.substr(4), "AUTH")) {
    shown.offers_auth = true;
  }
}

std::string seen_of(const Shown& shown) {
  std::string seen = "answers, " + (shown.tls.empty() ? std::string("without TLS") : shown.tls);
  if (shown.authenticated) return seen + ", authenticated";
  return seen + (shown.offers_auth ? ", offers AUTH" : ", no AUTH");
}

void judge_smtp_probe(const CheckScene& scene, const Reply& reply, const Shown& shown,
                      Checks& checks) {
  const auto& smtp = scene.config.delivery.smtp;
  const auto check = "relay " + smtp.url;
  if (reply.outcome != Reply::Outcome::kAccepted) {
    return checks.fault(check, reply.text,
                        "look at url, tls, caFile and username in [delivery.smtp], and at the "
                        "relay's log");
  }
  const auto url = parse_relay_url(smtp.url);
  const bool here = url && url->relay.is_loopback();
  if (shown.tls.empty() && !here) {
    return checks.warning(check, seen_of(shown) + ": mail goes there in clear",
                          "let the relay offer STARTTLS, and set tls = \"required\"");
  }
  if (!here && smtp.tls == RelayTls::kOpportunistic) {
    return checks.warning(check, seen_of(shown) + ", certificate not verified",
                          "set tls = \"required\", with caFile if its authority is your own");
  }
  checks.ok(check, seen_of(shown));
}

}  // namespace

void check_relay(const CheckScene& scene, Checks& checks) {
  Shown shown;
  const auto transports = scene.context.world.make_transports(
      scene.config,
      [&shown](Speaker speaker, std::string_view line) { listen_to(speaker, line, shown); });
  if (!transports) {
    return checks.fault("relay", transports.error().text, "look at [delivery]");
  }
  const Interrupt interrupt;
  const auto reply = transports->mail(interrupt)->probe();
  const auto& smtp = scene.config.delivery.smtp;
  if (smtp.transport == MailTransportKind::kSmtp) {
    return judge_smtp_probe(scene, reply, shown, checks);
  }
  const bool works = reply.outcome == Reply::Outcome::kAccepted;
  if (smtp.transport == MailTransportKind::kSendmail) {
    if (works) return checks.ok("sendmail", reply.text);
    return checks.fault("sendmail", reply.text, "look at [delivery.smtp] command");
  }
  if (!works) {
    return checks.fault("directory", reply.text, "look at [delivery.smtp] directory");
  }
  checks.warning("directory", smtp.directory + ": mail is written there, and not sent",
                 "set [delivery.smtp] transport when the dry run is over");
}

}  // namespace rapporteur
