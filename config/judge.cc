#include <array>
#include <exception>

#include "base/text.h"
#include "config/expressions.h"

namespace rapporteur {

namespace {

std::string_view not_wanted(Kind kind) {
  switch (kind) {
    case Kind::kText:
      return "is no string";
    case Kind::kAddress:
      return "is no mail address";
    case Kind::kDomain:
      return "is no domain";
    case Kind::kFrequency:
      return "is none of hourly, daily, weekly and never";
    case Kind::kSize:
      return "is no size in bytes";
    case Kind::kTruth:
      return "is no truth value";
    case Kind::kUris:
      return "is neither a URI nor an array of them";
  }
  std::terminate();
}

// Whether some value of the type can be what the kind wants.
bool may_be(Kind kind, expr::Type type) {
  if (type == expr::Type::kAny) return true;
  switch (kind) {
    case Kind::kText:
    case Kind::kAddress:
    case Kind::kDomain:
      return type == expr::Type::kString;
    case Kind::kFrequency:
      return type == expr::Type::kString || type == expr::Type::kConstant;
    case Kind::kSize:
      return type == expr::Type::kInteger || type == expr::Type::kFloat ||
             type == expr::Type::kString;
    case Kind::kTruth:
      return type != expr::Type::kConstant;
    case Kind::kUris:
      return type == expr::Type::kString || type == expr::Type::kArray;
  }
  std::terminate();
}

std::string hint(Kind kind, expr::Type type) {
  switch (kind) {
    case Kind::kFrequency:
      return type == expr::Type::kTruth
                 ? "to choose a frequency, write if_then(condition, weekly, daily)"
                 : "write hourly, daily, weekly or never";
    case Kind::kAddress:
      return "an address looks like 'tlsrpt@example.org'";
    case Kind::kSize:
      return "write a number of bytes, or 5mb";
    case Kind::kTruth:
      return "write true, false or a comparison, without quotes";
    case Kind::kUris:
      return "write rua, or ['mailto:tlsrpt@example.org']";
    case Kind::kText:
    case Kind::kDomain:
      return {};
  }
  std::terminate();
}

}  // namespace

ResultJudgement judge(Setting setting, const expr::PossibleResult& result) {
  const auto kind = kind_of(setting);
  const auto type = result.type;
  if (!result.failure.empty()) return {"always fails: " + result.failure, {}, std::nullopt};
  // Of a truth value the type says more than its 1 or 0.
  if (!may_be(kind, type) && (!result.value || type == expr::Type::kTruth)) {
    return {"yields " + expr::with_article(type) + ", which " + std::string(not_wanted(kind)),
            hint(kind, type), std::nullopt};
  }
  if (!result.value) return {};
  auto conformed = conform(setting, *result.value);
  if (!conformed.value) return {std::move(conformed.problem), hint(kind, type), std::nullopt};
  // True, as every string but the empty one: surely not what was meant.
  const auto* text = std::get_if<std::string>(&*result.value);
  if (kind == Kind::kTruth && text != nullptr) {
    return {"is always " + std::string(text->empty() ? "false" : "true") + ": it is a string",
            hint(kind, type), std::nullopt};
  }
  return {{}, {}, std::move(conformed.value)};
}

}  // namespace rapporteur
