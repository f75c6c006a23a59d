#include "schedule/parts.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/domain.h"
#include "base/hash.h"
#include "mime/message.h"
#include "report/report.h"
#include "report/split.h"
#include "report/summary.h"
#include "schedule/blob_box.h"
#include "store/held_counts.h"

namespace rapporteur {

namespace {

constexpr std::size_t kDeliveryIdLength = 12;

// While the number of parts is not known, texts that tell it are measured with this one.
constexpr int kWidestNumber = 9999;

// A subject whose length depends on more than the part's number can make a mail larger than it was
// measured. The report is then split anew for a limit that is smaller by what was too much.
constexpr int kSplitAttempts = 4;

// The bodies of all parts of one window: what is more waits on disk.
constexpr std::size_t kMostInMemory = 4U << 20;

// The same whenever the part is made, so that a preview shows what will be sent; not to be guessed
// by those who know the report-id, so that nobody else can make up a bounce.
std::string delivery_id(const std::string& secret, const std::string& report_id,
                        const std::string& destination) {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyz0123456789";
  Sha256 hash;
  for (const auto* text : {&secret, &report_id, &destination}) {
    hash.update(std::to_string(text->size()) + ":");
    hash.update(*text);
  }
  std::string id;
  for (const auto byte : hash.finish()) {
    if (id.size() == kDeliveryIdLength) break;
    id += kCharacters[static_cast<unsigned char>(byte) % kCharacters.size()];
  }
  return id;
}

// The settings that are the same for all parts and destinations.
struct Identity {
  std::string from_name;
  std::string from_address;
  std::string organization;
  std::string contact;
  std::string contact_domain;  // TLS-Report-Submitter, and the file name's sender
  std::string submitter;       // in the Subject and the report-id
  std::string sign_domain;
  std::uint64_t max_size = 0;
};

Result<Identity> identity_of(const Config& config, const Question& question) {
  Identity identity;
  const std::pair<Setting, std::string*> texts[] = {
      {Setting::kFromName, &identity.from_name},
      {Setting::kFromAddress, &identity.from_address},
      {Setting::kOrgName, &identity.organization},
      {Setting::kContactInfo, &identity.contact},
      {Setting::kOutboundReportSubmitter, &identity.submitter},
      {Setting::kDkimSignDomain, &identity.sign_domain}};
  for (const auto& [setting, text] : texts) {
    auto value = text_setting(config, setting, question);
    if (!value) return std::move(value).error();
    *text = *std::move(value);
  }
  const auto size = number_setting(config, Setting::kMaxReportSize, question);
  if (!size) return size.error();
  identity.max_size = static_cast<std::uint64_t>(*size);
  identity.contact_domain = domain_of_address(identity.contact);
  return identity;
}

// Makes everything about one window. Made for one call and thrown away.
class PartMaker {
 public:
  PartMaker(const AssemblyContext& context, const Window& window, const Dossier& dossier,
            const Question& question, const std::vector<std::string>& destinations, Time now)
      : context_(context),
        window_(window),
        dossier_(dossier),
        question_(question),
        destinations_(destinations),
        now_(now) {}

  Result<Assembly> make() {
    auto identity = identity_of(context_.config, question_);
    if (!identity) return std::move(identity).error();
    identity_ = *std::move(identity);
    if (marked()) identity_.organization += " (" + std::string(context_.mark) + ")";
    any_mail_ = std::ranges::any_of(destinations_, is_mail);
    sign_ = context_.signer.has_keys(identity_.sign_domain);
    if (any_mail_ && !sign_ && !context_.config.delivery.smtp.relay_signs) {
      return Error{Fault::kConfig, "no [[dkim]] key for dkimSignDomain '" + identity_.sign_domain +
                                       "'; a report is never sent unsigned"};
    }
    auto source = read_counts();
    if (!source) return std::move(source).error();
    source_ = *std::move(source);
    auto limit = identity_.max_size;
    for (int attempt = 0; attempt < kSplitAttempts; ++attempt) {
      too_large_ = false;
      auto assembly = make_within(limit);
      if (!assembly || !too_large_) return assembly;
      limit = identity_.max_size > longer_ ? identity_.max_size - longer_ : 1;
    }
    return Error{Fault::kConfig, "maxReportSize " + std::to_string(identity_.max_size) +
                                     " is too small for the mail's own header"};
  }

 private:
  Result<std::unique_ptr<CountsSource>> read_counts() const {
    const auto shown = [this](const std::string& address) {
      return shown_sending_ip(address, context_.config.ingest.sending_ip);
    };
    if (!dossier_.counts) return context_.store.read_counts(window_.id, shown);
    return std::unique_ptr<CountsSource>(std::make_unique<HeldCounts>(*dossier_.counts, shown));
  }

  bool marked() const { return !context_.mark.empty(); }

  std::string report_id_of(int part) const {
    return report_id(window_.period, window_.domain, part, context_.store.token(),
                     identity_.submitter);
  }

  ReportHead head_of(int part) const {
    return {identity_.organization, identity_.contact, window_.period, report_id_of(part)};
  }

  Result<std::string> subject_of(int part, int parts) const {
    const PartFacts facts{identity_.submitter, report_id_of(part), part, parts};
    Question question = question_;
    question.part = &facts;
    auto subject = text_setting(context_.config, Setting::kSubject, question);
    if (subject && marked()) subject = std::string(context_.mark) + ": " + *subject;
    return subject;
  }

  // What the part's mail says, whoever gets it.
  Result<ReportMail> mail_of(int part, int parts) {
    if (mail_ && mail_->part == part && mail_->parts == parts) return mail_->mail;
    auto mail = new_mail(part, parts);
    if (mail) mail_ = {part, parts, *mail};
    return mail;
  }

  Result<ReportMail> new_mail(int part, int parts) const {
    const SummaryContext summary{window_.domain, identity_.contact_domain,
                                 part - dossier_.first_part + 1, parts};
    auto subject = subject_of(part, parts);
    if (!subject) return std::move(subject).error();
    ReportMail mail;
    mail.from_name = identity_.from_name;
    mail.from_address = identity_.from_address;
    mail.subject = *std::move(subject);
    mail.report_domain = window_.domain;
    mail.submitter = identity_.contact_domain;
    mail.summary_text = human_summary(summary, head_of(part), dossier_.outline);
    mail.file_name = file_name(identity_.contact_domain, window_.domain, window_.period, part,
                               context_.store.token());
    mail.date = now_;
    mail.boundary = boundary_for(report_id_of(part));
    return mail;
  }

  std::string message_id(const std::string& delivery) const {
    return delivery + "." + context_.store.token() + "@" + identity_.submitter;
  }

  // To the longest destination.
  Result<ReportMail> addressed(Result<ReportMail> mail) const {
    if (!mail) return mail;
    const auto longest = std::ranges::max_element(destinations_, {}, &std::string::size);
    mail->to = *longest;
    mail->message_id = message_id(std::string(kDeliveryIdLength, 'x'));
    return mail;
  }

  std::size_t signature_bytes() const {
    return sign_ ? context_.signer.signature_bytes(identity_.sign_domain) : 0;
  }

  // How many bytes are submitted for so many bytes of gzip, whatever the part's number and the
  // number of parts. It takes as long as making a mail, so it is found out when it is asked for:
  // most reports are far below the limit. If there is no such mail, everything is too long.
  std::size_t submitted(std::size_t gz) {
    if (!any_mail_) return gz;
    if (!size_ && !no_mail_) {
      const auto widest = addressed(new_mail(dossier_.first_part + kWidestNumber, kWidestNumber));
      if (widest) {
        size_.emplace(*widest, signature_bytes());
      } else {
        no_mail_ = widest.error();
      }
    }
    return size_ ? size_->with(gz) : std::numeric_limits<std::size_t>::max();
  }

  // How much gzip fits into the mail of the only part if it has `limit` bytes, whatever becomes of
  // the mail's texts.
  Result<std::size_t> surely_fits(std::uint64_t limit) {
    constexpr std::size_t kFields = 8192;  // their names, and what does not depend on the window
    constexpr std::size_t kEncoded = 8;    // times as long, written twice
    if (!any_mail_ || limit == 0) return std::size_t{0};
    const auto mail = addressed(mail_of(dossier_.first_part, 1));
    if (!mail) return mail.error();
    std::size_t texts = 0;
    for (const auto* text : {&mail->from_name, &mail->from_address, &mail->to, &mail->subject,
                             &mail->message_id, &mail->report_domain, &mail->submitter,
                             &mail->summary_text, &mail->file_name, &mail->boundary}) {
      texts += text->size();
    }
    const auto around = kFields + kEncoded * texts + signature_bytes();
    return limit > around ? static_cast<std::size_t>((limit - around) / 2) : 0;
  }

  Result<Assembly> make_within(std::uint64_t limit) {
    const auto quick = surely_fits(limit);
    if (!quick) return quick.error();
    const SplitRules rules{.limit_bytes = limit,
                           .first_part = dossier_.first_part,
                           .head = [this](int part) { return head_of(part); },
                           .submitted_size = [this](std::size_t gz, int) { return submitted(gz); },
                           .surely_fits = *quick};
    Assembly assembly;
    assembly.window = window_.id;
    assembly.counted = {window_.successful, window_.failed};
    assembly.now = now_;
    // The mails tell how many parts there are, so they are made when all parts are known.
    BlobBox reports(kMostInMemory);
    const auto split = split_report(*source_, rules, [&](ReportPart&& piece) -> Result<void> {
      Part part;
      part.number = piece.number;
      part.successful = piece.successful;
      part.failed = piece.failed;
      assembly.parts.push_back(std::move(part));
      const auto put = reports.put(std::move(piece.gz));
      return put ? Result<void>() : put.error();
    });
    if (no_mail_) return *no_mail_;
    if (!split) return split.error();
    bodies_ = std::make_shared<BlobBox>(kMostInMemory);
    for (std::size_t i = 0; i < assembly.parts.size(); ++i) {
      auto gz = reports.get(i);
      if (!gz) return std::move(gz).error();
      assembly.parts[i].gz = *std::move(gz);
      if (auto made = finish(assembly.parts[i], assembly); !made) return std::move(made).error();
    }
    return hold(std::move(assembly));
  }

  // What is too large to be held together is loaded when it is wanted.
  Result<Assembly> hold(Assembly assembly) const {
    assembly.load = [bodies = bodies_](std::size_t index, Part& part) -> Result<void> {
      auto gz = bodies->get(2 * index);
      if (!gz) return std::move(gz).error();
      auto mail_body = bodies->get(2 * index + 1);
      if (!mail_body) return std::move(mail_body).error();
      part.gz = *std::move(gz);
      part.mail_body = *std::move(mail_body);
      return {};
    };
    if (!bodies_->in_memory()) return assembly;
    for (std::size_t i = 0; i < assembly.parts.size(); ++i) {
      if (auto loaded = assembly.load(i, assembly.parts[i]); !loaded) {
        return std::move(loaded).error();
      }
    }
    assembly.load = nullptr;
    return assembly;
  }

  // Everything about the part but its report, and its deliveries.
  Result<void> finish(Part& part, Assembly& assembly) {
    part.of = static_cast<int>(assembly.parts.size());
    part.report_id = report_id_of(part.number);
    part.file_name = file_name(identity_.contact_domain, window_.domain, window_.period,
                               part.number, context_.store.token());
    for (std::size_t rank = 0; rank < destinations_.size(); ++rank) {
      auto delivery = delivery_to(static_cast<int>(rank), part);
      if (!delivery) return std::move(delivery).error();
      assembly.deliveries.push_back(*std::move(delivery));
    }
    for (auto* body : {&part.gz, &part.mail_body}) {
      if (const auto put = bodies_->put(std::exchange(*body, {})); !put) return put.error();
    }
    return {};
  }

  Result<Delivery> delivery_to(int rank, Part& part) {
    Delivery delivery;
    delivery.window = window_.id;
    delivery.domain = window_.domain;
    delivery.part = part.number;
    delivery.report_id = part.report_id;
    delivery.destination = destinations_[static_cast<std::size_t>(rank)];
    delivery.destination_key = destination_key(delivery.destination);
    delivery.id = delivery_id(context_.store.secret(), part.report_id, delivery.destination);
    delivery.rank = rank;
    delivery.fallback = context_.config.delivery.first_only && rank > 0;
    if (!delivery.fallback) delivery.next_attempt = now_;
    if (!is_mail(delivery.destination)) return delivery;

    Question question = question_;
    question.delivery_id = delivery.id;
    auto envelope = text_setting(context_.config, Setting::kEnvelopeFrom, question);
    if (!envelope) return std::move(envelope).error();
    delivery.envelope_from = *std::move(envelope);
    auto mail = mail_of(part.number, part.of);
    if (!mail) return std::move(mail).error();
    mail->to = mail_address(delivery.destination);
    mail->message_id = message_id(delivery.id);
    mail->gz = part.gz;
    auto message = make_message(*mail);
    if (sign_) {
      const auto signatures = context_.signer.sign(identity_.sign_domain, message, now_);
      if (!signatures) return signatures.error();
      message.header = *signatures + message.header;
    }
    const auto bytes = message.header.size() + 2 + message.body.size();
    if (identity_.max_size > 0 && bytes > identity_.max_size) {
      too_large_ = true;
      const auto measured = submitted(part.gz.size());
      if (bytes > measured) longer_ = std::max<std::uint64_t>(longer_, bytes - measured);
    }
    delivery.header = std::move(message.header);
    part.mail_body = std::move(message.body);
    return delivery;
  }

  const AssemblyContext& context_;
  const Window& window_;
  const Dossier& dossier_;
  const Question& question_;
  const std::vector<std::string>& destinations_;
  const Time now_;
  Identity identity_;
  std::unique_ptr<CountsSource> source_;
  std::shared_ptr<BlobBox> bodies_;  // of each part its gzip, then its mail body
  bool any_mail_ = false;
  bool sign_ = false;
  struct MadeMail {
    int part;
    int parts;
    ReportMail mail;  // to nobody yet
  };
  std::optional<MadeMail> mail_;  // the last one
  std::optional<MailSize> size_;  // once it was asked for
  std::optional<Error> no_mail_;  // why it could not be found out
  bool too_large_ = false;        // some mail passes the limit
  std::uint64_t longer_ = 0;      // by how much such a mail was longer than it had been measured
};

}  // namespace

Result<Assembly> make_parts(const AssemblyContext& context, const Window& window,
                            const Dossier& dossier, const Question& question,
                            const std::vector<std::string>& destinations, Time now) {
  return PartMaker(context, window, dossier, question, destinations, now).make();
}

}  // namespace rapporteur
