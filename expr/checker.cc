#include "expr/checker.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "expr/literal.h"
#include "expr/lookups.h"
#include "expr/operators.h"
#include "expr/suggestion.h"
#include "expr/value.h"

namespace expr {
namespace {

// Visits the nodes in the order of the arena: operands before what is made of them.
class Checker {
 public:
  Checker(const Ast& ast, const Schema& schema) : ast_(ast), schema_(schema) {
    findings_.types.assign(ast.nodes.size(), Type::kAny);
    findings_.values.resize(ast.nodes.size());
    findings_.functions.assign(ast.nodes.size(), nullptr);
  }

  Findings run() {
    for (here_ = 0; here_ < ast_.nodes.size(); ++here_) {
      std::visit([this](const auto& form) { check(form); }, ast_.nodes[here_].form);
    }
    std::stable_sort(findings_.diagnostics.begin(), findings_.diagnostics.end(),
                     [](const auto& a, const auto& b) { return a.offset < b.offset; });
    return std::move(findings_);
  }

 private:
  void check(const Literal& literal) {
    set_value(literal.value, literal.truth ? Type::kTruth : type_of(literal.value));
  }

  void check(const Name& name) {
    const auto declared = [&](const Schema::Variable& known) { return known.name == name.text; };
    const auto variable =
        std::find_if(schema_.variables.begin(), schema_.variables.end(), declared);
    if (variable != schema_.variables.end()) {
      set_type(variable->type);
      findings_.variables.insert(name.text);
      findings_.slots.emplace(here_, variable->slot);
      return;
    }
    const auto& constants = schema_.constants;
    if (std::find(constants.begin(), constants.end(), name.text) != constants.end()) {
      set_value(Value(Constant{name.text}), Type::kConstant);
      return;
    }
    if (const auto other = schema_.synonyms.find(name.text); other != schema_.synonyms.end()) {
      set_value(Value(Constant{other->second}), Type::kConstant);
      return;
    }
    explain_name(name.text, span(here_));
  }

  void check(const Capture&) { set_type(Type::kString); }

  void check(const Unary& unary) {
    if (const auto refusal = refuse(unary.op, type(unary.operand))) {
      error(span(unary.operand), refusal->message);
    }
    set_type(result_type(unary.op, operand(unary.operand)));
    if (const Value* value = value_of(unary.operand))
      set_value(compute(unary.op, *value), type(here_));
  }

  void check(const Binary& binary) {
    if (const auto refusal = refuse(binary.op, type(binary.left), type(binary.right))) {
      error(span(refusal->right ? binary.right : binary.left), refusal->message);
      return;
    }
    set_type(result_type(binary.op, operand(binary.left), operand(binary.right)));
    advise_comparison(binary);
    const Value* left = value_of(binary.left);
    const Value* right = value_of(binary.right);
    if (left == nullptr) return;
    const bool decided = (binary.op == BinaryOp::kAnd && !is_true(*left)) ||
                         (binary.op == BinaryOp::kOr && is_true(*left));
    if (decided) {
      set_value(truth(is_true(*left)), Type::kTruth);
    } else if (right != nullptr) {
      fold(compute(binary.op, *left, *right, schema_.constants));
    }
  }

  void check(const List& list) {
    set_type(Type::kArray);
    Array array;
    for (const NodeId item : list.items) {
      const Value* value = value_of(item);
      if (value == nullptr) return;
      array.push_back(*value);
    }
    fold(Value(std::move(array)));
  }

  void check(const Index& index) {
    set_type(element_type(operand(index.array)));
    check_argument(Accepts::kNumber, index.position, "a position", {});
    const Value* array = value_of(index.array);
    const Value* position = value_of(index.position);
    if (array != nullptr && position != nullptr) {
      Value found = element(*array, *position);
      const Type found_type = type_of(found);
      set_value(std::move(found), found_type);
    }
  }

  void check(const Call& call) {
    const Function* function = find_function(call.function);
    if (function == nullptr) return explain_function(call);
    const auto& unavailable = schema_.unavailable;
    if (const auto reason = unavailable.find(call.function); reason != unavailable.end()) {
      return error(call.name, mention(call.function) + " " + reason->second);
    }
    const std::size_t given = call.arguments.size();
    if (given != function->arity) {
      error(call.name, call.function + " takes " + std::to_string(function->arity) +
                           (function->arity == 1 ? " argument" : " arguments") + ", not " +
                           std::to_string(given));
      return;
    }
    findings_.functions[here_] = function;
    for (std::size_t i = 0; i < given; ++i) {
      check_argument(function->accepts[i], call.arguments[i],
                     "argument " + std::to_string(i + 1) + " of " + call.function, function->words);
    }
    switch (function->special) {
      case Special::kMatches:
        return check_matches(call);
      case Special::kSystem:
        return check_system(call);
      case Special::kIfThen:
        return check_if_then(call);
      case Special::kKeyExists:
      case Special::kKeyGet:
        return check_lookup(*function, call);
      case Special::kIsLocalDomain:
        return check_local(call);
      case Special::kDnsQuery:
        return check_dns(call);
      case Special::kNone:
        return check_call(*function, call);
    }
  }

  void check_call(const Function& function, const Call& call) {
    set_type(call_type(function, type(call.arguments[0])));
    std::array<const Value*, kMaxArity> values{};
    for (std::size_t i = 0; i < call.arguments.size(); ++i) {
      values[i] = value_of(call.arguments[i]);
      if (values[i] == nullptr) return;
    }
    fold(function.apply(Arguments(values, schema_.constants)));
  }

  // The list is mostly named by a literal; then it must exist.
  void check_lookup(const Function& function, const Call& call) {
    const bool exists = function.special == Special::kKeyExists;
    set_type(exists ? Type::kTruth : Type::kString);
    const Value* list = value_of(call.arguments[0]);
    if (list == nullptr || type_of(*list) == Type::kArray) return;
    const std::string name = to_text(*list);
    const auto* lookups = schema_.lookups.get();
    if (lookups == nullptr || !lookups->by_name.contains(name)) {
      std::vector<std::string_view> known;
      if (lookups != nullptr) {
        for (const auto& entry : lookups->by_name) known.push_back(entry.first);
      }
      return error(span(call.arguments[0]), "there is no lookup " + mention(name),
                   did_you_mean(name, known));
    }
    const Value* key = value_of(call.arguments[1]);
    if (key == nullptr) return;
    auto found =
        exists ? key_exists(lookups, name, to_text(*key)) : key_get(lookups, name, to_text(*key));
    fold(std::get<Value>(std::move(found)));
  }

  void check_local(const Call& call) {
    set_type(Type::kTruth);
    const Value* domain = value_of(call.arguments[0]);
    if (domain == nullptr) return;
    set_value(is_local_domain(schema_.lookups.get(), to_text(*domain)), Type::kTruth);
  }

  void check_dns(const Call& call) {
    const Value* type = value_of(call.arguments[1]);
    set_type(type == nullptr ? Type::kAny : type_of_dns(to_text(*type)));
  }

  void check_matches(const Call& call) {
    set_type(Type::kTruth);
    const std::string* pattern = literal_text(call.arguments[0]);
    if (pattern == nullptr) {
      error(span(call.arguments[0]), "matches needs its regular expression as a string literal");
      return;
    }
    auto compiled = Regex::compile(*pattern);
    if (const auto* problem = std::get_if<std::string>(&compiled)) {
      error(span(call.arguments[0]), *problem);
      return;
    }
    auto& regex = std::get<Regex>(compiled);
    regex_bytes_ += regex.compiled_bytes();
    if (regex_bytes_ > kMaxRegexBytes) {
      error(span(call.arguments[0]),
            "the regular expressions together take more than 1 MiB when compiled");
      return;
    }
    findings_.regexes.emplace(here_, std::move(regex));
  }

  void check_system(const Call& call) {
    set_type(Type::kString);
    const std::string* key = literal_text(call.arguments[0]);
    std::vector<std::string_view> known;
    for (const auto& entry : schema_.system) known.push_back(entry.first);
    if (key == nullptr) {
      error(span(call.arguments[0]), "system needs its argument as a string literal");
    } else if (const auto found = schema_.system.find(*key); found != schema_.system.end()) {
      fold(Value(found->second));
    } else {
      error(span(call.arguments[0]), "system(" + mention(*key) + ") is not available here",
            did_you_mean(*key, known));
    }
  }

  void check_if_then(const Call& call) {
    const Type yes = type(call.arguments[1]);
    const Type no = type(call.arguments[2]);
    const auto is_integer = [](Type type) {
      return type == Type::kInteger || type == Type::kTruth;
    };
    if (yes == no) {
      set_type(yes);
    } else if (is_integer(yes) && is_integer(no)) {
      set_type(Type::kInteger);
    }
    const Value* condition = value_of(call.arguments[0]);
    if (condition == nullptr) return;
    const NodeId taken = call.arguments[is_true(*condition) ? 1 : 2];
    set_type(type(taken));
    if (const Value* value = value_of(taken)) set_value(*value, type(taken));
  }

  // Reports what is known to be wrong with an argument. `what` names it.
  void check_argument(Accepts accepts, NodeId id, const std::string& what,
                      std::span<const std::string_view> words) {
    if (accepts == Accepts::kAnything) return;
    const Type given = type(id);
    const bool number = accepts == Accepts::kNumber;
    if (given == Type::kArray || (number && given == Type::kConstant)) {
      error(span(id),
            what + " is " + (number ? "a number" : "a string") + ", not " + with_article(given));
      return;
    }
    const Value* value = value_of(id);
    if (value == nullptr) return;
    const std::string text = to_text(*value);
    if (accepts == Accepts::kNetwork && !is_network(text)) {
      error(span(id), mention(text) + " is not a network",
            "write an address, with /8 to /32 or, for IPv6, /8 to /128 after it");
    }
    if (accepts == Accepts::kWord && std::find(words.begin(), words.end(), text) == words.end()) {
      std::string known;
      for (const auto word : words) {
        known += (known.empty() ? "" : word == words.back() ? " or " : ", ") + quote(word);
      }
      error(span(id), what + " is " + known + ", not " + mention(text),
            did_you_mean(text, {words.begin(), words.end()}));
    }
  }

  static Type call_type(const Function& function, Type first) {
    switch (function.gives) {
      case Gives::kAnything:
        return Type::kAny;
      case Gives::kString:
        return Type::kString;
      case Gives::kInteger:
        return Type::kInteger;
      case Gives::kTruth:
        return Type::kTruth;
      case Gives::kArray:
        return Type::kArray;
      case Gives::kStringOrArray:
      case Gives::kTruthOrArray:
        break;
    }
    if (first == Type::kArray || first == Type::kAny) return first;
    return function.gives == Gives::kStringOrArray ? Type::kString : Type::kTruth;
  }

  void explain_name(const std::string& name, Span where) {
    if (const auto known = schema_.unavailable.find(name); known != schema_.unavailable.end()) {
      return error(where, mention(name) + " " + known->second);
    }
    if (const auto reason = why_no_variable(name); !reason.empty()) {
      return error(where, mention(name) + " " + std::string(reason));
    }
    if (find_function(name) != nullptr || !why_no_function(name).empty()) {
      return error(where, mention(name) + " is a function", "write " + name + "(…)");
    }
    std::vector<std::string_view> candidates = {"true", "false"};
    for (const auto& variable : schema_.variables) candidates.push_back(variable.name);
    candidates.insert(candidates.end(), schema_.constants.begin(), schema_.constants.end());
    for (const auto& [synonym, constant] : schema_.synonyms) candidates.push_back(synonym);
    error(where, "unknown name " + mention(name), did_you_mean(name, candidates));
  }

  void explain_function(const Call& call) {
    if (const auto reason = why_no_function(call.function); !reason.empty()) {
      return error(call.name, mention(call.function) + " " + std::string(reason));
    }
    const auto& variables = schema_.variables;
    const bool variable = std::any_of(variables.begin(), variables.end(), [&](const auto& known) {
      return known.name == call.function;
    });
    if (variable)
      return error(call.name, mention(call.function) + " is a variable, not a function");
    const auto& constants = schema_.constants;
    if (std::find(constants.begin(), constants.end(), call.function) != constants.end()) {
      return error(call.name, mention(call.function) + " is a constant, not a function");
    }
    error(call.name, "unknown function " + mention(call.function),
          did_you_mean(call.function, function_names()));
  }

  // A constant and a quoted name look alike but are never equal.
  void advise_comparison(const Binary& binary) {
    if (binary.op != BinaryOp::kEqual && binary.op != BinaryOp::kNotEqual) return;
    const bool constant_left = type(binary.left) == Type::kConstant;
    if (!constant_left && type(binary.right) != Type::kConstant) return;
    const NodeId other = constant_left ? binary.right : binary.left;
    if (type(other) == Type::kConstant || type(other) == Type::kAny) return;
    const auto* text =
        value_of(other) == nullptr ? nullptr : std::get_if<std::string>(value_of(other));
    const auto& constants = schema_.constants;
    const bool quoted =
        text != nullptr && std::find(constants.begin(), constants.end(), *text) != constants.end();
    report(Severity::kAdvice, span(other), "a constant never equals " + with_article(type(other)),
           quoted ? "write " + *text + " without quotes" : "");
  }

  const std::string* literal_text(NodeId id) const {
    const auto* literal = std::get_if<Literal>(&ast_.nodes[id].form);
    return literal == nullptr ? nullptr : std::get_if<std::string>(&literal->value);
  }

  // Keeps the result of a node whose operands are known, unless evaluating it fails.
  void fold(Computed result) {
    if (const auto* problem = std::get_if<std::string_view>(&result)) {
      return advise_failure(std::string(*problem));
    }
    auto& value = std::get<Value>(result);
    if (size_of(value) > kMaxValueBytes) return advise_failure("the result is larger than 64 KiB");
    const bool is_truth = type(here_) == Type::kTruth;
    const Type known = is_truth ? Type::kTruth : type_of(value);
    set_value(std::move(value), known);
  }

  void advise_failure(const std::string& problem) {
    findings_.failures.emplace(here_, problem);
    report(Severity::kAdvice, {ast_.nodes[here_].point, 1},
           "this fails whenever it is evaluated: " + problem, "");
  }

  void set_type(Type type) { findings_.types[here_] = type; }
  void set_value(Value value, Type type) {
    findings_.values[here_] = std::move(value);
    findings_.types[here_] = type;
  }

  Type type(NodeId id) const { return findings_.types[id]; }
  const Value* value_of(NodeId id) const {
    return findings_.values[id] ? &*findings_.values[id] : nullptr;
  }
  Operand operand(NodeId id) const { return {type(id), value_of(id)}; }
  Span span(NodeId id) const { return ast_.nodes[id].span; }

  void error(Span where, std::string message, std::string suggestion = "") {
    report(Severity::kError, where, std::move(message), std::move(suggestion));
  }
  void report(Severity severity, Span where, std::string message, std::string suggestion) {
    findings_.diagnostics.push_back(
        {severity, where.offset, where.length, std::move(message), std::move(suggestion)});
  }

  const Ast& ast_;
  const Schema& schema_;
  Findings findings_;
  NodeId here_ = 0;
  std::size_t regex_bytes_ = 0;
};

}  // namespace

Findings check(const Ast& ast, const Schema& schema) {
  return Checker(ast, schema).run();
}

}  // namespace expr
