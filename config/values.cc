#include "config/values.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/domain.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/text.h"
#include "base/time.h"
#include "base/url.h"
#include "config/endpoint.h"

namespace rapporteur {

namespace {

constexpr std::string_view kDurationHint =
    "write it with a unit: \"90s\", \"10m\", \"4h\", \"30d\"";
constexpr std::string_view kSizeHint = "write bytes, or a string with a unit: 5242880, \"5mb\"";

// One value on its way from the file to its place.
struct Reading {
  const KeySpec& spec;
  const Node& node;
  Config& config;
  Reporter& reporter;
  std::string name = full_name(spec);

  void wrong(std::string message, std::string suggestion = {}) const {
    reporter.error(node.span, std::move(message), std::move(suggestion));
  }
  void wrong_type(std::string_view wanted, std::string_view suggestion = {}) const {
    report_type(name, wanted, node, reporter, std::string(suggestion));
  }

  template <class T>
  void put(T value) const {
    std::get<T& (*)(Config&)>(spec.slot)(config) = std::move(value);
  }
  std::optional<std::string> string() const { return read_string(name, node, reporter); }
};

bool has_control(std::string_view text) {
  return without_controls(text).size() != text.size();
}

std::string bound_text(Form form, std::int64_t value) {
  if (form == Form::kDuration) return format_duration(Seconds{value});
  return std::to_string(value) + (form == Form::kSize ? " bytes" : "");
}

bool in_bounds(const Reading& reading, std::int64_t value) {
  const auto& spec = reading.spec;
  if (value < spec.least) {
    reading.wrong(reading.name + " must be at least " + bound_text(spec.form, spec.least));
  } else if (value > spec.most) {
    reading.wrong(reading.name + " must be at most " + bound_text(spec.form, spec.most));
  }
  return value >= spec.least && value <= spec.most;
}

void read_path(const Reading& reading) {
  auto text = reading.string();
  if (!text) return;
  if (text->empty()) return reading.wrong(reading.name + " must not be empty");
  reading.put(*std::move(text));
}

void read_file_name(const Reading& reading) {
  auto path = reading.string();
  if (!path) return;
  if (!path->empty()) {
    const auto content = read_file(*path);
    if (!content) return reading.wrong(content.error().text);
    struct stat status {};
    if (reading.spec.form == Form::kSecret && stat(path->c_str(), &status) == 0 &&
        (status.st_mode & S_IROTH) != 0) {
      return reading.wrong("every user of this machine may read " + *path,
                           "run: chmod o-rwx " + *path);
    }
  }
  reading.put(*std::move(path));
}

void read_one_domain(const Reading& reading) {
  auto domain = read_domain(reading.name, reading.node, reading.reporter);
  if (!domain) return;
  if (reading.spec.form == Form::kMailDomain && domain->find('.') == domain->npos) {
    return reading.wrong(quoted(*domain) + " is no mail domain: it has only one label");
  }
  reading.put(*std::move(domain));
}

void read_duration(const Reading& reading) {
  if (reading.node.type != NodeType::kString)
    return reading.wrong_type("a duration", kDurationHint);
  const auto duration = parse_duration(reading.node.text);
  if (!duration) {
    return reading.wrong(quoted(reading.node.text) + " is no duration", std::string(kDurationHint));
  }
  if (in_bounds(reading, duration->count())) reading.put(*duration);
}

void read_size(const Reading& reading) {
  std::optional<std::int64_t> size;
  if (reading.node.type == NodeType::kInteger) {
    size = reading.node.integer;
  } else if (reading.node.type == NodeType::kString) {
    size = parse_size(reading.node.text);
    if (!size) {
      return reading.wrong(quoted(reading.node.text) + " is no size", std::string(kSizeHint));
    }
  } else {
    return reading.wrong_type("a size", kSizeHint);
  }
  if (in_bounds(reading, *size)) reading.put(*size);
}

void read_number(const Reading& reading) {
  if (reading.node.type != NodeType::kInteger) {
    return reading.wrong_type(
        "an integer", reading.node.type == NodeType::kString ? "write it without quotes" : "");
  }
  const auto value = reading.node.integer;
  if (!in_bounds(reading, value)) return;
  if (std::holds_alternative<int& (*)(Config&)>(reading.spec.slot)) {
    reading.put(static_cast<int>(value));
  } else {
    reading.put(static_cast<std::size_t>(value));
  }
}

void read_truth(const Reading& reading) {
  if (reading.node.type != NodeType::kBoolean) {
    return reading.wrong_type(
        "true or false", reading.node.type == NodeType::kString ? "write it without quotes" : "");
  }
  reading.put(reading.node.integer != 0);
}

std::optional<std::size_t> index_of_choice(std::string_view choices, std::string_view text) {
  const auto all = split(choices, ',');
  const auto found = std::ranges::find(all, text);
  if (found == all.end()) return std::nullopt;
  return static_cast<std::size_t>(found - all.begin());
}

// "one of all, first"
void report_choice(const Reading& reading, const Node& node) {
  const auto all = split(reading.spec.choices, ',');
  std::string list;
  for (const auto one : all) list += (list.empty() ? "" : ", ") + std::string(one);
  auto suggestion = did_you_mean(node.text, all);
  reading.reporter.error(
      node.span, quoted(node.text) + " is no value of " + reading.name + ", which takes " + list,
      std::move(suggestion));
}

void read_choice(const Reading& reading) {
  const auto text = reading.string();
  if (!text) return;
  const auto index = index_of_choice(reading.spec.choices, *text);
  if (!index) return report_choice(reading, reading.node);
  std::get<ChoiceSlot>(reading.spec.slot).set(reading.config, *index);
}

void read_mode(const Reading& reading) {
  constexpr std::string_view kHint = "write it as octal digits in quotes: \"0660\"";
  if (reading.node.type != NodeType::kString) return reading.wrong_type("a file mode", kHint);
  const auto& text = reading.node.text;
  unsigned mode = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (text.empty() || fault != std::errc{} || end != text.data() + text.size() || mode > 0777) {
    return reading.wrong(quoted(text) + " is no file mode", std::string(kHint));
  }
  reading.put(mode);
}

void read_listen(const Reading& reading) {
  const auto text = reading.string();
  if (!text) return;
  if (text->empty()) return reading.put(std::string());
  const auto endpoint = parse_endpoint(*text);
  if (!endpoint || !endpoint->is_address || !endpoint->port) {
    return reading.wrong(quoted(*text) + " is no address with a port",
                         "write it like \"127.0.0.1:8460\" or \"[::1]:8460\"");
  }
  reading.put(endpoint->text());
}

void read_store_url(const Reading& reading) {
  const auto text = reading.string();
  if (!text) return;
  const bool sqlite = text->starts_with("sqlite:") && text->size() > 7;
  const bool postgres = (text->starts_with("postgresql://") || text->starts_with("postgres://")) &&
                        !text->ends_with("://");
  if (!sqlite && !postgres) {
    return reading.wrong(quoted(without_password(*text)) + " names no store",
                         "write \"sqlite:/path/to/file\" or \"postgresql://user@host/database\"");
  }
  reading.put(*text);
}

void read_relay_url(const Reading& reading) {
  const auto text = reading.string();
  if (!text) return;
  const auto url = parse_relay_url(*text);
  if (!url) {
    const bool with_user = text->find('@') != text->npos;
    return reading.wrong(quoted(*text) + " is no URL of a relay",
                         with_user ? "the user stands in username, the password in passwordFile"
                                   : "write it like \"smtp://127.0.0.1:25\" or "
                                     "\"smtps://mail.example.org:465\"");
  }
  reading.put((url->implicit_tls ? "smtps://" : "smtp://") + url->relay.text());
}

void read_proxy_url(const Reading& reading) {
  const auto text = reading.string();
  if (!text) return;
  const auto separator = text->find("://");
  const bool known =
      separator != text->npos && separator + 3 < text->size() &&
      index_of_choice("http,https,socks5,socks5h", text->substr(0, separator)).has_value();
  if (!text->empty() && !known) {
    return reading.wrong(quoted(*text) + " is no URL of a proxy",
                         "write it like \"http://proxy.example.org:3128\"");
  }
  reading.put(*text);
}

// What an item of an array becomes; nullopt after reporting.
std::optional<std::string> read_item(const Reading& reading, const Node& item) {
  auto text = read_string("an item of " + reading.name, item, reading.reporter);
  if (!text) return std::nullopt;
  switch (reading.spec.form) {
    case Form::kDomains:
      return read_domain(reading.name, item, reading.reporter);
    case Form::kChoices:
      if (index_of_choice(reading.spec.choices, *text)) return text;
      report_choice(reading, item);
      return std::nullopt;
    case Form::kServers: {
      auto endpoint = parse_endpoint(*text);
      // An IPv6 address without a port needs no brackets.
      if (!endpoint) endpoint = parse_endpoint("[" + *text + "]");
      if (endpoint && !endpoint->port) endpoint->port = 53;
      if (endpoint && endpoint->is_address && endpoint->port != 0) return endpoint->text();
      reading.reporter.error(item.span, quoted(*text) + " is no address of a resolver",
                             "write it like \"127.0.0.1:53\" or \"[::1]:53\"");
      return std::nullopt;
    }
    case Form::kAllowed: {
      if (parse_ip_network(*text)) return text;
      const auto endpoint = parse_endpoint(*text);
      if (endpoint && !endpoint->port) return endpoint->host;
      reading.reporter.error(item.span, quoted(*text) + " is neither a host name nor a network");
      return std::nullopt;
    }
    default:
      return text;
  }
}

void read_array(const Reading& reading) {
  if (reading.node.type != NodeType::kArray) {
    return reading.wrong_type("an array of strings", reading.node.type == NodeType::kString
                                                         ? "write it in brackets: [\"...\"]"
                                                         : "");
  }
  std::vector<std::string> items;
  for (const auto& item : reading.node.items) {
    if (auto text = read_item(reading, item)) items.push_back(*std::move(text));
  }
  reading.put(std::move(items));
}

void read_addresses(const Reading& reading) {
  if (reading.node.type != NodeType::kTable) return reading.wrong_type("a table of addresses");
  std::map<std::string, std::string> addresses;
  for (const auto& [key, key_span, value] : reading.node.members) {
    const auto from = parse_ip(key);
    if (!from) reading.reporter.error(key_span, quoted(key) + " is no IP address");
    const auto text = read_string("a value of " + reading.name, value, reading.reporter);
    if (!text) continue;
    const auto to = parse_ip(*text);
    if (!to) reading.reporter.error(value.span, quoted(*text) + " is no IP address");
    if (!from || !to) continue;
    if (!addresses.emplace(format_ip(*from), format_ip(*to)).second) {
      reading.reporter.error(key_span, "the address " + format_ip(*from) + " stands here twice");
    }
  }
  reading.put(std::move(addresses));
}

// The default as the parser would have made it.
Node default_node(const KeySpec& spec) {
  Node node;
  node.text = spec.fallback;
  switch (spec.form) {
    case Form::kNumber:
      node.type = NodeType::kInteger;
      std::from_chars(node.text.data(), node.text.data() + node.text.size(), node.integer);
      break;
    case Form::kTruth:
      node.type = NodeType::kBoolean;
      node.integer = spec.fallback == "true" ? 1 : 0;
      break;
    case Form::kAddresses:
      node.type = NodeType::kTable;
      break;
    case Form::kTexts:
    case Form::kDomains:
    case Form::kChoices:
    case Form::kServers:
    case Form::kAllowed:
      node.type = NodeType::kArray;
      if (spec.fallback.empty()) break;
      for (const auto item : split(spec.fallback, ',')) {
        Node child;
        child.type = NodeType::kString;
        child.text = item;
        node.items.push_back(std::move(child));
      }
      break;
    default:
      node.type = NodeType::kString;
  }
  return node;
}

}  // namespace

void report_type(const std::string& name, std::string_view wanted, const Node& node,
                 Reporter& reporter, std::string suggestion) {
  reporter.error(
      node.span,
      name + " must be " + std::string(wanted) + ", not " + std::string(with_article(node.type)),
      std::move(suggestion));
}

std::optional<std::string> read_string(const std::string& name, const Node& node,
                                       Reporter& reporter) {
  if (node.type != NodeType::kString) {
    report_type(name, "a string", node, reporter,
                node.text.empty() ? std::string() : "write \"" + node.text + "\"");
    return std::nullopt;
  }
  if (has_control(node.text)) {
    reporter.error(node.span, name + " must not hold control characters");
    return std::nullopt;
  }
  return node.text;
}

std::optional<std::string> read_domain(const std::string& name, const Node& node,
                                       Reporter& reporter) {
  const auto text = read_string(name, node, reporter);
  if (!text) return std::nullopt;
  auto domain = normalise_domain(*text);
  if (domain) return *std::move(domain);
  reporter.error(node.span, domain.error().text);
  return std::nullopt;
}

void read_value(const KeySpec& spec, const Node& node, Config& config, Reporter& reporter) {
  const Reading reading{spec, node, config, reporter};
  switch (spec.form) {
    case Form::kText:
      if (auto text = reading.string()) reading.put(*std::move(text));
      return;
    case Form::kPath:
      return read_path(reading);
    case Form::kReadable:
    case Form::kSecret:
      return read_file_name(reading);
    case Form::kDomain:
    case Form::kMailDomain:
      return read_one_domain(reading);
    case Form::kDuration:
      return read_duration(reading);
    case Form::kSize:
      return read_size(reading);
    case Form::kNumber:
      return read_number(reading);
    case Form::kTruth:
      return read_truth(reading);
    case Form::kChoice:
      return read_choice(reading);
    case Form::kMode:
      return read_mode(reading);
    case Form::kListen:
      return read_listen(reading);
    case Form::kStoreUrl:
      return read_store_url(reading);
    case Form::kRelayUrl:
      return read_relay_url(reading);
    case Form::kProxyUrl:
      return read_proxy_url(reading);
    case Form::kTexts:
    case Form::kDomains:
    case Form::kChoices:
    case Form::kServers:
    case Form::kAllowed:
      return read_array(reading);
    case Form::kAddresses:
      return read_addresses(reading);
    case Form::kExpression:
      return;
  }
}

void set_default(const KeySpec& spec, Config& config) {
  const SourceText nothing("");
  const std::string built_in;
  Reporter reporter(built_in, nothing);
  if (spec.form == Form::kDomain || spec.form == Form::kMailDomain) return;  // not in the list
  read_value(spec, default_node(spec), config, reporter);
}

std::optional<std::uint64_t> branch_number(std::string_view key) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(key.data(), key.data() + key.size(), number);
  if (key.empty() || fault != std::errc{} || end != key.data() + key.size()) return std::nullopt;
  return number;
}

}  // namespace rapporteur
