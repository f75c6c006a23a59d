#include "received/mail.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/domain.h"
#include "base/text.h"
#include "mime/entity.h"
#include "received/container.h"

namespace rapporteur {

namespace {

// How likely a part is the report, from what it says about itself.
enum class Likelihood { kNone, kBare, kNamed, kTyped };

constexpr std::array<std::string_view, 2> kReportTypes = {"application/tlsrpt+gzip",
                                                          "application/tlsrpt+json"};
constexpr std::array<std::string_view, 6> kArchiveTypes = {
    "application/gzip", "application/x-gzip",           "application/zip",
    "application/json", "application/x-zip-compressed", "application/x-zip"};
constexpr std::array<std::string_view, 3> kEndings = {".json", ".gz", ".zip"};

constexpr std::size_t kMostUniqueId = 64;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string base_name(std::string_view name) {
  return std::string(name.substr(name.find_last_of("/\\") + 1));
}

std::string file_name_of(const Entity& part) {
  auto name = parameter(part, "Content-Disposition", "filename");
  if (name.empty()) name = parameter(part, "Content-Type", "name");
  return base_name(name);
}

Likelihood likelihood_of(std::string_view type, std::string_view name) {
  if (contains(kReportTypes, type)) return Likelihood::kTyped;
  const auto lower = to_lower(name);
  const bool named = std::ranges::any_of(
      kEndings, [&](std::string_view ending) { return lower.ends_with(ending); });
  if (named || contains(kArchiveTypes, type)) return Likelihood::kNamed;
  return type == "application/octet-stream" || type == "text/plain" ? Likelihood::kBare
                                                                    : Likelihood::kNone;
}

// Walks through a message and keeps what may be reports.
class Search {
 public:
  Search(const MailLimits& limits, MailedReport& mail) : limits_(limits), mail_(mail) {}

  // Without recursion on the stack beyond limits_.depth.
  void visit(const Entity& entity, std::size_t depth);

  Likelihood best() const { return best_; }
  std::size_t parts() const { return parts_; }

 private:
  void odd(std::string phrase) {
    auto& oddities = mail_.oddities;
    if (std::ranges::find(oddities, phrase) == oddities.end()) {
      oddities.push_back(std::move(phrase));
    }
  }
  void take(const Entity& leaf, Likelihood likelihood, std::string name);

  const MailLimits& limits_;
  MailedReport& mail_;
  Likelihood best_ = Likelihood::kNone;
  std::size_t parts_ = 0;
  int forwards_ = 0;  // messages around the part that is visited
};

void Search::visit(const Entity& entity, std::size_t depth) {
  if (++parts_ > limits_.parts) return odd("it has too many parts; not all were read");
  if (depth > limits_.depth) return odd("its parts are nested too deeply; not all were read");
  const auto type = content_type(entity);
  if (type.media_type.starts_with("multipart/")) {
    for (const auto part : parts_of(entity.body, type.boundary, limits_.parts)) {
      visit(read_entity(part), depth + 1);
    }
    return;
  }
  if (type.media_type == "message/rfc822" || type.media_type == "message/global") {
    const auto inner = decoded_body(entity);
    ++forwards_;
    visit(read_entity(inner), depth + 1);
    --forwards_;
    return;
  }
  auto name = file_name_of(entity);
  const auto likelihood = likelihood_of(type.media_type, name);
  if (likelihood != Likelihood::kNone && likelihood >= best_) {
    take(entity, likelihood, std::move(name));
  }
}

void Search::take(const Entity& leaf, Likelihood likelihood, std::string name) {
  auto bytes = decoded_body(leaf);
  // What calls itself a report is judged by what is in it; anything else must look like one.
  if (likelihood != Likelihood::kTyped && !is_container(bytes)) return;
  if (likelihood > best_) {
    best_ = likelihood;
    mail_.attachments.clear();
  }
  if (mail_.attachments.size() >= limits_.attachments) {
    return odd("it has more than " + std::to_string(limits_.attachments) +
               " attachments; the others were not read");
  }
  mail_.attachments.push_back(
      {std::move(bytes), std::move(name), likelihood == Likelihood::kTyped, forwards_ > 0});
}

// The domain of the header's one From address: with two of them nobody knows who is meant.
std::string from_domain(const Entity& message) {
  const auto fields = message.all("From");
  if (fields.size() != 1) return {};
  const auto addresses = addresses_in(fields.front(), 2);
  if (addresses.size() != 1) return {};
  const auto domain = normalise_domain(domain_of_address(addresses.front()));
  return domain ? *domain : std::string();
}

std::string domain_field(const Entity& message, std::string_view name) {
  const auto domain = normalise_domain(trim(without_comments(message.first(name))));
  return domain ? *domain : std::string();
}

// The date behind the last ';' of the topmost Received field.
std::optional<Time> arrival(const Entity& message) {
  const auto received = message.first("Received");
  const auto semicolon = received.rfind(';');
  if (semicolon != received.npos) {
    if (const auto time = parse_mail_date(received.substr(semicolon + 1))) return time;
  }
  return parse_mail_date(message.first("Date"));
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

std::optional<int> month_number(std::string_view name) {
  constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
  if (name.size() < 3) return std::nullopt;
  const auto at = kMonths.find(to_lower(name.substr(0, 3)));
  if (at == kMonths.npos || at % 3 != 0) return std::nullopt;
  return static_cast<int>(at / 3) + 1;
}

// "+0130" in seconds; any other word counts as UTC.
std::chrono::seconds zone_offset(std::string_view zone) {
  if (zone.size() != 5 || (zone[0] != '+' && zone[0] != '-')) return {};
  const auto digits = number(zone.substr(1));
  if (!digits) return {};
  const std::chrono::seconds offset =
      std::chrono::hours(*digits / 100) + std::chrono::minutes(*digits % 100);
  return zone[0] == '-' ? -offset : offset;
}

// "hh:mm" or "hh:mm:ss".
std::optional<std::chrono::seconds> time_of_day(std::string_view text) {
  const auto pieces = split(text, ':');
  if (pieces.size() < 2 || pieces.size() > 3) return std::nullopt;
  const auto hour = number(pieces[0]);
  const auto minute = number(pieces[1]);
  const auto second = pieces.size() == 3 ? number(pieces[2]) : std::optional(0);
  if (!hour || !minute || !second || *hour < 0 || *hour > 23 || *minute < 0 || *minute > 59 ||
      *second < 0 || *second > 60) {
    return std::nullopt;
  }
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

}  // namespace

std::optional<Time> parse_mail_date(std::string_view text) {
  const auto plain = without_comments(text.substr(0, 200));
  std::vector<std::string_view> words;
  std::string_view rest = plain;
  if (const auto comma = rest.find(','); comma != rest.npos) rest.remove_prefix(comma + 1);
  for (const auto word : split(rest, ' ')) {
    if (!trim(word).empty()) words.push_back(trim(word));
  }
  if (words.size() < 4) return std::nullopt;
  const auto day = number(words[0]);
  const auto month = month_number(words[1]);
  const auto year = number(words[2]);
  const auto clock = time_of_day(words[3]);
  if (!day || !month || !year || !clock || *day < 1 || *day > 31 || *year < 1970 || *year > 9999)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + *clock -
         zone_offset(words.size() > 4 ? words[4] : std::string_view());
}

bool begins_like_mail(std::string_view text) {
  if (text.starts_with("From ")) return true;
  const auto line = text.substr(0, text.find('\n'));
  const auto colon = line.find(':');
  const auto name = trim(line.substr(0, colon == line.npos ? 0 : colon));
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '_';
  });
}

std::optional<ReportFileName> parse_file_name(std::string_view name) {
  const auto fields = split(name, '!');
  if (fields.size() < 4) return std::nullopt;
  const auto domain = normalise_domain(fields[1]);
  const auto stem = [](std::string_view text) { return text.substr(0, text.find('.')); };
  const auto begin = parse_time(fields[2]);
  const auto end = parse_time(stem(fields[3]));
  if (!domain || !begin || !end) return std::nullopt;
  ReportFileName file{*domain, *begin, *end, {}};
  for (const char c : stem(fields.size() > 4 ? fields[4] : std::string_view())) {
    if (is_alphanumeric(c) && file.unique_id.size() < kMostUniqueId) file.unique_id += c;
  }
  return file;
}

Result<MailedReport> read_report_mail(std::string_view message, const MailLimits& limits) {
  const auto entity = read_entity(message);
  MailedReport mail;
  mail.from_domain = from_domain(entity);
  mail.report_domain = domain_field(entity, "TLS-Report-Domain");
  mail.submitter = domain_field(entity, "TLS-Report-Submitter");
  const auto ids = message_ids_in(entity.first("Message-ID"), 1);
  if (!ids.empty()) mail.message_id = ids.front();
  mail.arrived = arrival(entity);
  mail.authentication_results = entity.all("Authentication-Results");
  Search search(limits, mail);
  search.visit(entity, 0);
  if (mail.attachments.empty()) {
    auto why = "no TLS report is in the message, which has " +
               std::to_string(std::min(search.parts(), limits.parts)) +
               (search.parts() == 1 ? " part" : " parts");
    for (const auto& phrase : mail.oddities) why += "; " + phrase;
    return Error{Fault::kInput, why};
  }
  if (std::ranges::any_of(mail.attachments, &Attachment::forwarded)) {
    mail.oddities.emplace_back("the report stands in a forwarded message");
  }
  if (search.best() != Likelihood::kTyped) {
    mail.oddities.emplace_back("its attachment has no media type of RFC 8460");
  }
  return mail;
}

}  // namespace rapporteur
