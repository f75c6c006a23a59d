#pragma once
// A foreign file of settings as a tree, be it JSON, one JSON value a line, or TOML. What its keys
// mean is not known here.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rapporteur::stalwart {

struct Field;

struct Item {
  enum class Kind { kNull, kText, kNumber, kTruth, kList, kObject, kOther };
  Kind kind = Kind::kNull;
  std::string text;           // of a text its content; a number or truth value as it is written
  std::vector<Item> items;    // of a list
  std::vector<Field> fields;  // of an object, in the order of the file; JSON may name a key twice

  // The first field of that name. Null if this is no object or has none.
  const Item* find(std::string_view key) const;
  // Whether the text of the item is an expression: a text, number or truth value.
  bool is_scalar() const;
};

struct Field {
  std::string key;
  Item value;
};

enum class Syntax { kJson, kToml };

struct Source {
  Item root;  // a list of the values, if there is one a line
  Syntax syntax = Syntax::kJson;
};

// Fails with Fault::kInput and "name:line:column: no JSON: …".
Result<Source> read_source(std::string_view text, const std::string& name);

// On one line, without control characters.
std::string as_written(const Item& item, Syntax syntax);

}  // namespace rapporteur::stalwart
