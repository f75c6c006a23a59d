// Every expression up to a size over a small alphabet, instead of those that somebody thought of:
// printing and parsing, what the checker promises, and what a second evaluator says.

#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "expr/grammar.h"
#include "expr/plain_evaluator.h"
#include "expr/printer.h"
#include "expr/support.h"

namespace expr {
namespace {

using testing_support::PlainEvaluator;
using testing_support::print;
using testing_support::shown;

using Nodes = std::vector<NodeId>;

NodeId add(Ast& ast, decltype(Node::form) form) {
  ast.nodes.push_back({std::move(form), {}, 0});
  ast.root = static_cast<NodeId>(ast.nodes.size() - 1);
  return ast.root;
}

Ast leaf(decltype(Node::form) form) {
  Ast ast;
  add(ast, std::move(form));
  return ast;
}

Ast literal(Value value) {
  return leaf(Literal{std::move(value), false});
}

// What makes one tree of some others. It counts as one node.
struct Form {
  std::size_t operands = 0;
  std::function<void(Ast&, const Nodes&)> make;  // adds the new root
};

Form unary(UnaryOp op) {
  return {1, [op](Ast& ast, const Nodes& of) { add(ast, Unary{op, of[0]}); }};
}
Form binary(BinaryOp op) {
  return {2, [op](Ast& ast, const Nodes& of) { add(ast, Binary{op, of[0], of[1]}); }};
}
Form list(std::size_t items) {
  return {items, [](Ast& ast, const Nodes& of) { add(ast, List{of}); }};
}
Form index() {
  return {2, [](Ast& ast, const Nodes& of) { add(ast, Index{of[0], of[1]}); }};
}
Form call(const std::string& name, std::size_t arguments) {
  return {arguments, [name](Ast& ast, const Nodes& of) { add(ast, Call{name, {}, of}); }};
}
Form matches() {
  return {1, [](Ast& ast, const Nodes& of) {
            const NodeId regex = add(ast, Literal{Value("(1)2?"), false});
            add(ast, Call{"matches", {}, {regex, of[0]}});
          }};
}

struct Alphabet {
  std::vector<Ast> leaves;
  std::vector<Form> forms;
};

std::vector<Form> operators() {
  std::vector<Form> forms = {unary(UnaryOp::kNot), unary(UnaryOp::kNegate), index()};
  for (auto op = BinaryOp::kMultiply; op <= BinaryOp::kOr;
       op = static_cast<BinaryOp>(static_cast<int>(op) + 1)) {
    forms.push_back(binary(op));
  }
  return forms;
}

std::vector<Form> all_forms() {
  std::vector<Form> forms = operators();
  for (Form& more : std::vector<Form>{list(1), list(2), call("to_uppercase", 1),
                                      call("contains", 2), call("if_then", 3), matches()}) {
    forms.push_back(std::move(more));
  }
  return forms;
}

std::vector<Ast> all_leaves() {
  return {literal(std::int64_t{0}),
          literal(std::int64_t{1}),
          literal(2.5),
          literal(""),
          literal("a"),
          literal("12"),
          leaf(Literal{Value(std::int64_t{1}), true}),
          leaf(List{}),
          leaf(Name{"daily"}),
          leaf(Name{"text"}),
          leaf(Name{"array"}),
          leaf(Name{"untyped"}),
          leaf(Capture{0}),
          leaf(Capture{1})};
}

// All trees over an alphabet, by their size.
class Forest {
 public:
  explicit Forest(Alphabet alphabet) : alphabet_(std::move(alphabet)) {
    by_size_.push_back(alphabet_.leaves);
  }

  // Visits the trees of one to `most` nodes until `visit` says no. How many it visited.
  std::size_t visit(std::size_t most, const std::function<bool(const Ast&)>& visit) {
    std::size_t visited = 0;
    bool go_on = true;
    for (std::size_t size = 1; size <= most; ++size) {
      std::vector<Ast> trees;
      const auto one = [&](Ast tree) {
        if (!go_on) return;
        ++visited;
        go_on = visit(tree);
        if (size < most) trees.push_back(std::move(tree));  // larger ones are made of it
      };
      if (size == 1) {
        for (const Ast& tree : alphabet_.leaves) one(tree);
        continue;
      }
      for (const Form& form : alphabet_.forms) choose(form, {}, size - 1, one);
      by_size_.push_back(std::move(trees));
    }
    return visited;
  }

 private:
  using Operands = std::vector<const Ast*>;

  // All ways to take the operands that are still missing, of `nodes` nodes together.
  template <class Visit>
  void choose(const Form& form, const Operands& taken, std::size_t nodes, const Visit& visit) {
    const std::size_t missing = form.operands - taken.size();
    if (missing == 0) {
      if (nodes == 0) visit(joined(form, taken));
      return;
    }
    for (std::size_t size = 1; size + missing - 1 <= nodes; ++size) {
      if (missing == 1 && size != nodes) continue;
      for (const Ast& tree : by_size_.at(size - 1)) {
        Operands more = taken;
        more.push_back(&tree);
        choose(form, more, nodes - size, visit);
      }
    }
  }

  static Ast joined(const Form& form, const Operands& operands) {
    Ast ast;
    Nodes roots;
    for (const Ast* operand : operands) roots.push_back(append(ast, *operand));
    form.make(ast, roots);
    return ast;
  }

  static NodeId append(Ast& ast, const Ast& tree) {
    const auto shift = static_cast<NodeId>(ast.nodes.size());
    const auto move = [shift](Nodes& nodes) {
      for (NodeId& node : nodes) node += shift;
    };
    for (Node node : tree.nodes) {
      if (auto* unary = std::get_if<Unary>(&node.form)) {
        unary->operand += shift;
      } else if (auto* binary = std::get_if<Binary>(&node.form)) {
        binary->left += shift;
        binary->right += shift;
      } else if (auto* index = std::get_if<Index>(&node.form)) {
        index->array += shift;
        index->position += shift;
      } else if (auto* list = std::get_if<List>(&node.form)) {
        move(list->items);
      } else if (auto* call = std::get_if<Call>(&node.form)) {
        move(call->arguments);
      }
      ast.nodes.push_back(std::move(node));
    }
    return shift + tree.root;
  }

  Alphabet alphabet_;
  std::vector<std::vector<Ast>> by_size_;
};

// What the printed tree is when it is read again; nothing, and a failure of the test, if that is
// another tree.
std::optional<Ast> read_back(const Ast& tree, const std::string& source) {
  auto parsed = parse(source);
  auto* ast = std::get_if<Ast>(&parsed);
  if (ast == nullptr) {
    ADD_FAILURE() << source << ": " << testing::PrintToString(std::get<Diagnostic>(parsed));
    return std::nullopt;
  }
  EXPECT_EQ(dump(*ast), dump(tree)) << source;
  EXPECT_EQ(print(*ast), source);
  return std::move(*ast);
}

Schema schema() {
  Schema schema;
  schema.variables = {
      {"text", Type::kString, 0}, {"array", Type::kArray, 1}, {"untyped", Type::kAny, 2}};
  schema.constants = {"hourly", "daily"};
  return schema;
}

std::vector<MapEnvironment> environments() {
  const auto made = [](Value text, Array array, Value untyped) {
    MapEnvironment environment;
    environment.set("text", std::move(text));
    environment.set("array", std::move(array));
    environment.set("untyped", std::move(untyped));
    return environment;
  };
  const Array none;
  return {made("12", {Value(std::int64_t{1}), Value("a"), Value("")}, Value(none)),
          made("", {Value(none)}, Value(Constant{"daily"})),
          made("a1", none, Value(Array{Value("12"), Value(2.5)})),
          made("-.5", {Value(std::int64_t{0}), Value(Constant{"hourly"})}, Value("2.5"))};
}

bool is_of(const Value& value, Type type) {
  if (type == Type::kAny) return true;
  if (type != Type::kTruth) return type_of(value) == type;
  return value == Value(std::int64_t{0}) || value == Value(std::int64_t{1});
}

// What the checker, the compiler and the machine make of each tree, beside the plain evaluator.
class Comparison {
 public:
  bool check(const Ast& tree) {
    const std::string source = print(tree);
    const auto ast = read_back(tree, source);
    if (!ast) return false;
    const Compilation compilation = compile(source, schema_);
    if (!compilation.program) {
      ++refused_;
      for (const Diagnostic& found : compilation.diagnostics) {
        if (found.severity == Severity::kError) refusals.insert(found.message);
      }
      return true;
    }
    const Program& program = *compilation.program;
    if (program.constant() != nullptr) ++constants_;
    for (const MapEnvironment& environment : environments_) {
      compare(program, *ast, environment);
      const bool varies =
          program.mentions("text") || program.mentions("array") || program.mentions("untyped");
      if (!varies) break;
    }
    return !testing::Test::HasFailure();
  }

  void report() const {
    std::cout << refused_ << " refused, " << constants_ << " known beforehand, " << evaluations_
              << " evaluations\n";
  }

  std::set<std::string> refusals;  // the messages of the checker's errors
  std::set<std::string> failures;  // those of failed evaluations

 private:
  void compare(const Program& program, const Ast& ast, const MapEnvironment& environment) {
    ++evaluations_;
    const Outcome outcome = evaluate(program, environment);
    const Outcome want = PlainEvaluator(ast, environment, schema_.constants).run();
    const auto& source = program.source();
    EXPECT_EQ(shown(outcome), shown(want)) << source;
    if (const auto* failure = std::get_if<Failure>(&outcome)) {
      failures.insert(failure->message);
      EXPECT_EQ(program.constant(), nullptr) << source;
      return;
    }
    const Value& value = std::get<Value>(outcome);
    EXPECT_TRUE(is_of(value, program.type()))
        << source << " is " << to_literal(value) << ", not " << to_string(program.type());
    if (program.constant() != nullptr) {
      EXPECT_EQ(to_literal(value), to_literal(*program.constant())) << source;
    }
  }

  const Schema schema_ = schema();
  const std::vector<MapEnvironment> environments_ = environments();
  std::size_t refused_ = 0;
  std::size_t constants_ = 0;  // whose value the checker knows
  std::size_t evaluations_ = 0;
};

// All that the checker has to say against these trees.
const std::set<std::string> kRefusals = {
    "'*' needs a number, not a constant",  "'*' needs a number, not an array",
    "'+' needs a number, not a constant",  "'-' needs a number, not a constant",
    "'-' needs a number, not an array",    "'/' needs a number, not a constant",
    "'/' needs a number, not an array",    "a position is a number, not a constant",
    "a position is a number, not an array"};

TEST(EveryExpression, OfOneToFourNodesMeansTheSameToBothEvaluators) {
  Forest forest({all_leaves(), all_forms()});
  Comparison comparison;
  EXPECT_EQ(forest.visit(4, [&](const Ast& tree) { return comparison.check(tree); }),
            14 + 70 + 3'486 + 51'534);
  EXPECT_EQ(comparison.failures, std::set<std::string>{"division by zero"});
  EXPECT_EQ(comparison.refusals, kRefusals);
  comparison.report();
}

TEST(EveryExpression, OfOneToFiveNodesOverFewLeavesMeansTheSameToBothEvaluators) {
  Forest forest({{literal("12"), leaf(Name{"untyped"}), leaf(Name{"array"})}, operators()});
  Comparison comparison;
  EXPECT_EQ(forest.visit(5, [&](const Ast& tree) { return comparison.check(tree); }),
            3 + 6 + 138 + 780 + 13'656);
  EXPECT_EQ(comparison.failures, std::set<std::string>{"division by zero"});
  comparison.report();
}

// A search counts as one node here, so that there is room for what it leaves behind.
TEST(EveryExpression, OfOneToFiveSearchesAndCapturesMeansTheSameToBothEvaluators) {
  const auto search = [](const Ast& of) {
    Ast ast = of;
    matches().make(ast, {of.root});
    return ast;
  };
  Forest forest(
      {{search(leaf(Name{"text"})), search(literal("12")), leaf(Capture{0}), leaf(Capture{1})},
       {matches(), list(2), call("if_then", 3), binary(BinaryOp::kAnd), binary(BinaryOp::kOr)}});
  Comparison comparison;
  EXPECT_EQ(forest.visit(5, [&](const Ast& tree) { return comparison.check(tree); }),
            4 + 4 + 52 + 212 + 1'700);
  comparison.report();
}

TEST(EveryExpression, OfOneToSevenNodesIsReadAsItIsPrinted) {
  Alphabet alphabet{{leaf(Capture{0})}, {unary(UnaryOp::kNegate), index()}};
  for (const auto op : {BinaryOp::kOr, BinaryOp::kAnd, BinaryOp::kXor, BinaryOp::kEqual,
                        BinaryOp::kLess, BinaryOp::kSubtract, BinaryOp::kDivide}) {
    alphabet.forms.push_back(binary(op));  // one of each strength
  }
  Forest forest(std::move(alphabet));
  EXPECT_EQ(forest.visit(7,
                         [](const Ast& tree) {
                           read_back(tree, print(tree));
                           return !testing::Test::HasFailure();
                         }),
            1 + 1 + 9 + 25 + 177 + 721 + 4'601);
}

}  // namespace
}  // namespace expr
