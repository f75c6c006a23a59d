#pragma once
// Every table and key of the configuration, in one list that drives reading, the search for unknown
// keys, the defaults, config_text() and the tests of docs/configuration.md and rapporteur.toml.

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace rapporteur {

// How a value is written, and what is checked about it alone.
enum class Form {
  kText,        // any string
  kPath,        // a string that is not empty; the file need not exist
  kReadable,    // a file that can be read, or empty
  kSecret,      // the same, and not world-readable
  kDomain,      // brought to A-labels
  kMailDomain,  // the same, of at least two labels
  kDuration,    // "90s", "4h"
  kSize,        // an integer of bytes, or "5mb"
  kNumber,
  kTruth,
  kChoice,     // one of `choices`
  kMode,       // "0660"
  kListen,     // "address:port", or empty
  kStoreUrl,   // sqlite: or postgresql://
  kRelayUrl,   // smtp:// or smtps://
  kProxyUrl,   // http://, https://, socks5:// or socks5h://, or empty
  kTexts,      // array of strings
  kDomains,    // array of domains
  kChoices,    // array of `choices`
  kServers,    // array of "address:port"; the port may be missing and is 53 then
  kAllowed,    // array of host names and networks
  kAddresses,  // table of addresses by addresses
  kExpression  // a setting: config/expressions.h
};

// A member of Config whose values are numbered as `choices` are listed.
struct ChoiceSlot {
  std::size_t (*get)(const Config&);
  void (*set)(Config&, std::size_t);
};

// Where a value goes. Nothing for settings, [[dkim]] and [lookup], which have readers of their own.
using Slot =
    std::variant<std::monostate, std::string& (*)(Config&), Seconds& (*)(Config&),
                 std::int64_t& (*)(Config&), std::size_t& (*)(Config&), int& (*)(Config&),
                 unsigned& (*)(Config&), bool& (*)(Config&), std::vector<std::string>& (*)(Config&),
                 std::map<std::string, std::string>& (*)(Config&), ChoiceSlot>;

struct KeySpec {
  std::string_view table;  // "delivery.smtp"
  std::string_view key;
  Form form;
  Slot slot = {};
  // The value without quotes or brackets, items separated by ','; of a setting its expression.
  std::string_view fallback = {};
  std::int64_t least = 0;  // seconds, bytes or plain, by form
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::string_view choices = {};  // separated by ','
  bool required = false;
};

enum class TableKind {
  kPlain,
  kOptional,   // if it is absent its keys have no value at all
  kArray,      // [[dkim]]
  kOverrides,  // [report.tls.domain."…"]
  kNamed       // [lookup.NAME]
};

struct TableSpec {
  std::string_view name;
  TableKind kind = TableKind::kPlain;
};

// In the order in which they are documented and shown.
std::span<const TableSpec> table_specs();
std::span<const KeySpec> key_specs();

// Null if there is none.
const KeySpec* find_key_spec(std::string_view table, std::string_view key);
const TableSpec* find_table_spec(std::string_view name);
// The keys of one table.
std::vector<std::string_view> keys_of(std::string_view table);

// "delivery.smtp.url"
std::string full_name(const KeySpec& spec);

// The default as TOML: "\"10m\"", "5242880", "[]"; empty if there is none to write.
std::string default_as_toml(const KeySpec& spec);

// As a basic string of TOML, with its quotes.
std::string toml_string(std::string_view text);

}  // namespace rapporteur
