#include "expr/grammar.h"

#include <algorithm>
#include <array>
#include <boost/spirit/home/x3.hpp>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "expr/literal.h"
#include "expr/unicode.h"

namespace expr {
namespace {

namespace x3 = boost::spirit::x3;

// Leaves the parser from any depth; parse() turns it into its answer.
struct SyntaxError {
  const char* where;   // white space may follow
  std::size_t length;  // 0: of the token that stands there
  std::string message;
  std::string suggestion;
};

// Something else was expected where this token stands.
struct Unexpected {
  const char* where;
  const char* wanted;
};

BinaryOp binary_operator(std::string_view text) {
  using enum BinaryOp;
  static constexpr std::array<std::pair<std::string_view, BinaryOp>, 18> kOperators = {
      {{"*", kMultiply},
       {"/", kDivide},
       {"+", kAdd},
       {"-", kSubtract},
       {">", kGreater},
       {">=", kGreaterEqual},
       {"=>", kGreaterEqual},
       {"<", kLess},
       {"<=", kLessEqual},
       {"=<", kLessEqual},
       {"==", kEqual},
       {"=", kEqual},
       {"!=", kNotEqual},
       {"^", kXor},
       {"&&", kAnd},
       {"&", kAnd},
       {"||", kOr},
       {"|", kOr}}};
  const auto* found = std::find_if(kOperators.begin(), kOperators.end(),
                                   [&](const auto& known) { return known.first == text; });
  return found->second;
}

// Makes nodes out of tokens, as the grammar recognises them: operands wait on a stack until what
// joins them is complete. The grammar decides on the first token, so nothing is ever taken back.
class Builder {
 public:
  explicit Builder(std::string_view source) : source_(source) {}

  int depth = 0;

  void number(std::string_view token) {
    auto read = read_number(token);
    if (auto* malformed = std::get_if<Malformed>(&read)) fail(token, *malformed);
    leaf(Literal{std::get<Value>(std::move(read)), false}, token);
  }

  void string(std::string_view token) {
    leaf(Literal{Value(unescape(token.substr(1, token.size() - 2))), false}, token);
  }

  [[noreturn]] void unterminated(std::string_view open) {
    const auto offset = offset_of(open);
    throw SyntaxError{open.data(), source_.size() - offset, "the string is not closed",
                      "add " + std::string(open) + " at its end"};
  }

  void capture(std::string_view token) {
    Capture capture;
    const char* end = token.data() + token.size();
    const auto [stop, error] = std::from_chars(token.data() + 1, end, capture.group);
    if (token.size() == 1 || stop != end || error != std::errc{}) {
      fail(token, {mention(token) + " is not a capture",
                   "captures are $0 for the match and $1, $2, … for its groups"});
    }
    leaf(capture, token);
  }

  void word(std::string_view token) { words_.push_back(token); }

  void name() {
    const auto token = words_.back();
    words_.pop_back();
    if (token == "true" || token == "false") {
      leaf(Literal{Value(std::int64_t{token == "true"}), true}, token);
    } else {
      leaf(Name{std::string(token)}, token);
    }
  }

  void operation(std::string_view token) { operators_.push_back(token); }

  void unary() {
    const auto token = take_operator();
    const Piece operand = take();
    const auto op = token == "!" ? UnaryOp::kNot : UnaryOp::kNegate;
    const auto begin = offset_of(token);
    add(Unary{op, operand.id}, begin, operand.end, begin);
  }

  void binary() {
    const auto token = take_operator();
    const Piece right = take();
    const Piece left = take();
    add(Binary{binary_operator(token), left.id, right.id}, left.begin, right.end, offset_of(token));
  }

  void open(std::string_view token) { marks_.push_back({offset_of(token), operands_.size()}); }

  // Parentheses make no node, but what they enclose begins and ends with them.
  void group(std::string_view close) {
    operands_.back().begin = marks_.back().begin;
    operands_.back().end = end_of(close);
    marks_.pop_back();
  }

  void list(std::string_view close) {
    const auto begin = marks_.back().begin;
    auto items = take_since_mark();
    add(List{std::move(items)}, begin, end_of(close), begin);
  }

  void index(std::string_view close) {
    const auto point = marks_.back().begin;
    marks_.pop_back();
    const Piece position = take();
    const Piece array = take();
    add(Index{array.id, position.id}, array.begin, end_of(close), point);
  }

  void call(std::string_view close) {
    const auto token = words_.back();
    words_.pop_back();
    const Span span{offset_of(token), static_cast<std::uint32_t>(token.size())};
    auto arguments = take_since_mark();
    add(Call{std::string(token), span, std::move(arguments)}, span.offset, end_of(close),
        span.offset);
  }

  Ast finish() {
    ast_.root = take().id;
    return std::move(ast_);
  }

 private:
  // An operand and the bytes it covers, parentheses included.
  struct Piece {
    NodeId id = 0;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };
  struct Mark {
    std::uint32_t begin = 0;
    std::size_t operands = 0;
  };

  std::uint32_t offset_of(std::string_view token) const {
    return static_cast<std::uint32_t>(token.data() - source_.data());
  }
  std::uint32_t end_of(std::string_view token) const {
    return offset_of(token) + static_cast<std::uint32_t>(token.size());
  }

  [[noreturn]] static void fail(std::string_view token, const Malformed& malformed) {
    throw SyntaxError{token.data(), token.size(), malformed.message, malformed.suggestion};
  }

  template <class Form>
  void add(Form form, std::uint32_t begin, std::uint32_t end, std::uint32_t point) {
    if (ast_.nodes.size() == kMaxNodes) {
      throw SyntaxError{source_.data() + begin, end - begin,
                        "the expression has more than 1,024 parts", ""};
    }
    operands_.push_back({static_cast<NodeId>(ast_.nodes.size()), begin, end});
    ast_.nodes.push_back({std::move(form), {begin, end - begin}, point});
  }

  template <class Form>
  void leaf(Form form, std::string_view token) {
    add(std::move(form), offset_of(token), end_of(token), offset_of(token));
  }

  Piece take() {
    const Piece piece = operands_.back();
    operands_.pop_back();
    return piece;
  }

  std::string_view take_operator() {
    const auto token = operators_.back();
    operators_.pop_back();
    return token;
  }

  std::vector<NodeId> take_since_mark() {
    const auto first = operands_.begin() + static_cast<std::ptrdiff_t>(marks_.back().operands);
    std::vector<NodeId> ids;
    for (auto piece = first; piece != operands_.end(); ++piece) ids.push_back(piece->id);
    operands_.erase(first, operands_.end());
    marks_.pop_back();
    return ids;
  }

  std::string_view source_;
  Ast ast_;
  std::vector<Piece> operands_;
  std::vector<std::string_view> operators_;
  std::vector<std::string_view> words_;
  std::vector<Mark> marks_;
};

struct BuilderTag;

// wanted("a value")[p]: p, or the syntax error that says what was wanted here.
template <class Subject>
struct WantedDirective : x3::unary_parser<Subject, WantedDirective<Subject>> {
  using base_type = x3::unary_parser<Subject, WantedDirective<Subject>>;
  static constexpr bool is_pass_through_unary = true;

  WantedDirective(const Subject& inner, const char* words) : base_type(inner), text(words) {}

  template <class Iterator, class Context, class RuleContext, class Attribute>
  bool parse(Iterator& first, const Iterator& last, const Context& context,
             RuleContext& rule_context, Attribute& attribute) const {
    if (!this->subject.parse(first, last, context, rule_context, attribute)) {
      throw Unexpected{first, text};
    }
    return true;
  }

  const char* text;
};

struct Wanted {
  const char* text;
  template <class Subject>
  auto operator[](const Subject& parser) const {
    using Parser = typename x3::extension::as_parser<Subject>::value_type;
    return WantedDirective<Parser>(x3::as_parser(parser), text);
  }
};
Wanted wanted(const char* text) {
  return {text};
}

// nested[p]: p, unless it stands too deep. Every recursive path of the grammar crosses it, which
// keeps the parser's stack small whatever the text.
template <class Subject>
struct NestedDirective : x3::unary_parser<Subject, NestedDirective<Subject>> {
  using base_type = x3::unary_parser<Subject, NestedDirective<Subject>>;
  static constexpr bool is_pass_through_unary = true;
  using base_type::base_type;

  template <class Iterator, class Context, class RuleContext, class Attribute>
  bool parse(Iterator& first, const Iterator& last, const Context& context,
             RuleContext& rule_context, Attribute& attribute) const {
    int& depth = x3::get<BuilderTag>(context).get().depth;
    if (depth > kMaxNesting) {
      throw SyntaxError{first, 0, "the expression is nested more than 64 levels deep", ""};
    }
    ++depth;
    const bool matched = this->subject.parse(first, last, context, rule_context, attribute);
    --depth;  // an exception ends the whole parse, so it need not be undone
    return matched;
  }
};

struct Nested {
  template <class Subject>
  auto operator[](const Subject& parser) const {
    using Parser = typename x3::extension::as_parser<Subject>::value_type;
    return NestedDirective<Parser>(x3::as_parser(parser));
  }
};
constexpr Nested nested;

// The bytes of what the parser matches, without white space around or within.
template <class Parser>
auto token(const Parser& parser) {
  return x3::raw[x3::lexeme[parser]];
}

// A semantic action: a member of Builder, with the token if it takes one.
auto on(void (Builder::*action)(std::string_view)) {
  return [action](auto& context) {
    const auto& range = x3::_attr(context);
    const auto size = static_cast<std::size_t>(range.end() - range.begin());
    (x3::get<BuilderTag>(context).get().*action)(std::string_view(range.begin(), size));
  };
}
auto on(void (Builder::*action)()) {
  return [action](auto& context) { (x3::get<BuilderTag>(context).get().*action)(); };
}

const auto kSpace = x3::char_(" \t\r\n");
const auto kByte = x3::char_;

const auto number = token(x3::char_("0-9.") >> *x3::char_("0-9A-Za-z_."));
const auto word = token(x3::char_("A-Za-z_") >> *x3::char_("A-Za-z0-9_."));
const auto capture = token('$' >> *x3::char_("A-Za-z0-9_."));
const auto string = token(('\'' >> *(('\\' >> kByte) | ~x3::char_("\\'")) >> '\'') |
                          ('"' >> *(('\\' >> kByte) | ~x3::char_("\\\"")) >> '"'));
const auto quotation_mark = token(x3::char_("'\""));

const auto open_parenthesis = token(x3::lit('('))[on(&Builder::open)];
const auto open_bracket = token(x3::lit('['))[on(&Builder::open)];
const auto close_parenthesis = token(x3::lit(')'));
const auto close_bracket = token(x3::lit(']'));

const x3::rule<struct DisjunctionId> disjunction = "disjunction";
const x3::rule<struct ConjunctionId> conjunction = "conjunction";
const x3::rule<struct DifferenceId> difference = "difference";
const x3::rule<struct EqualityId> equality = "equality";
const x3::rule<struct RelationId> relation = "relation";
const x3::rule<struct SumId> sum = "sum";
const x3::rule<struct ProductId> product = "product";
const x3::rule<struct UnaryId> unary = "unary";
const x3::rule<struct PrimaryId> primary = "primary";

const auto& expression = disjunction;
const auto value = wanted("a value");

// operand (operator operand)*, joined from the left.
template <class Operand, class Operators>
auto chain(const Operand& operand, const Operators& operators) {
  return operand >>
         *(token(operators)[on(&Builder::operation)] >> value[operand][on(&Builder::binary)]);
}

const auto disjunction_def = chain(conjunction, x3::lit("||") | '|');
const auto conjunction_def = chain(difference, x3::lit("&&") | '&');
const auto difference_def = chain(equality, x3::lit('^'));
const auto equality_def = chain(relation, x3::lit("==") | "!=" | '=');
const auto relation_def = chain(sum, x3::lit(">=") | "=>" | "<=" | "=<" | '<' | '>');
const auto sum_def = chain(product, x3::char_("+-"));
const auto product_def = chain(unary, x3::char_("*/"));

const auto index_of = open_bracket >> value[expression] >>
                      wanted("an operator or ']'")[close_bracket[on(&Builder::index)]];

const auto unary_def =
    nested[(token(('!' >> !x3::lit('=')) | x3::lit('-'))[on(&Builder::operation)] >>
            value[unary][on(&Builder::unary)]) |
           (primary >> *index_of)];

const auto arguments = close_parenthesis[on(&Builder::call)] |
                       (wanted("a value or ')'")[expression] >> *(',' >> value[expression]) >>
                        wanted("',' or ')'")[close_parenthesis[on(&Builder::call)]]);

const auto items = close_bracket[on(&Builder::list)] |
                   (wanted("a value or ']'")[expression] >> *(',' >> value[expression]) >>
                    wanted("',' or ']'")[close_bracket[on(&Builder::list)]]);

const auto primary_def =
    number[on(&Builder::number)] | string[on(&Builder::string)] |
    quotation_mark[on(&Builder::unterminated)] | capture[on(&Builder::capture)] |
    (word[on(&Builder::word)] >> ((open_parenthesis >> arguments) | x3::eps[on(&Builder::name)])) |
    (open_parenthesis >> value[expression] >>
     wanted("an operator or ')'")[close_parenthesis[on(&Builder::group)]]) |
    (open_bracket >> items);

BOOST_SPIRIT_DEFINE(disjunction, conjunction, difference, equality, relation, sum, product, unary,
                    primary)

std::size_t skip_space(std::string_view source, std::size_t offset) {
  return std::min(source.find_first_not_of(" \t\r\n", offset), source.size());
}

// The token at an offset, for a message about it. At least one character.
std::string_view token_at(std::string_view source, std::size_t offset) {
  constexpr std::string_view kWord =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$";
  const auto rest = source.substr(offset);
  if (rest.empty()) return rest;
  const auto letters = std::min(rest.find_first_not_of(kWord), rest.size());
  if (letters > 0) return rest.substr(0, letters);
  if (rest[0] == '\'' || rest[0] == '"') {
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == rest[0]) return rest.substr(0, i + 1);
      if (rest[i] == '\\') ++i;
    }
    return rest;
  }
  for (const std::string_view pair : {"||", "&&", "==", "!=", ">=", "=>", "<=", "=<"}) {
    if (rest.starts_with(pair)) return rest.substr(0, pair.size());
  }
  return next_character(rest).bytes;
}

std::string suggest(std::string_view found) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kMeant = {
      {{"and", "did you mean &&?"},
       {"or", "did you mean ||?"},
       {"not", "did you mean !?"},
       {"xor", "did you mean ^?"},
       {"%", "there is no remainder operator"},
       {"?", "write if_then(condition, one, other)"},
       {"}", "expressions are written without braces"}}};
  for (const auto& [word_found, text] : kMeant) {
    if (word_found == found) return std::string(text);
  }
  return "";
}

Diagnostic diagnose(std::string_view source, const Unexpected& error) {
  const auto offset = skip_space(source, static_cast<std::size_t>(error.where - source.data()));
  const auto found = token_at(source, offset);
  Diagnostic diagnostic;
  diagnostic.offset = offset;
  diagnostic.length = std::max<std::size_t>(1, found.size());
  diagnostic.message =
      "expected " + std::string(error.wanted) +
      (found.empty() ? " but the expression ends" : " but found " + mention(found));
  diagnostic.suggestion = suggest(found);
  return diagnostic;
}

Diagnostic diagnose(std::string_view source, const SyntaxError& error) {
  const auto offset = skip_space(source, static_cast<std::size_t>(error.where - source.data()));
  Diagnostic diagnostic;
  diagnostic.offset = offset;
  diagnostic.length =
      error.length > 0 ? error.length : std::max<std::size_t>(1, token_at(source, offset).size());
  diagnostic.message = error.message;
  diagnostic.suggestion = error.suggestion;
  return diagnostic;
}

// What can be wrong before there is a grammar to it.
std::optional<Diagnostic> check_bytes(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return Diagnostic{Severity::kError, kMaxSourceBytes, source.size() - kMaxSourceBytes,
                      "the expression is longer than 8,192 bytes", ""};
  }
  for (std::size_t offset = 0; offset < source.size();) {
    const auto character = next_character(source.substr(offset));
    if (!character.valid) {
      return Diagnostic{Severity::kError, offset, 1, "the expression is not valid UTF-8 here", ""};
    }
    offset += character.bytes.size();
  }
  return std::nullopt;
}

}  // namespace

std::variant<Ast, Diagnostic> parse(std::string_view source) {
  if (source.data() == nullptr) source = "";
  if (auto wrong = check_bytes(source)) return *std::move(wrong);
  Builder builder(source);
  const char* first = source.data();
  const char* const last = first + source.size();
  const auto whole = value[expression] >> wanted("an operator")[x3::eoi];
  try {
    x3::phrase_parse(first, last, x3::with<BuilderTag>(std::ref(builder))[whole], kSpace);
    return builder.finish();
  } catch (const Unexpected& error) {
    return diagnose(source, error);
  } catch (const SyntaxError& error) {
    return diagnose(source, error);
  }
}

}  // namespace expr
