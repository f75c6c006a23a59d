// Text to program: parse, check, and lay the tree out as instructions.

#include <algorithm>
#include <memory>
#include <utility>

#include "expr/checker.h"
#include "expr/code.h"
#include "expr/expression.h"
#include "expr/grammar.h"

namespace expr {
namespace {

// Recursion is as deep as the tree, which has at most kMaxNodes levels.
class Generator {
 public:
  Generator(Code& code, Findings& findings) : code_(code), findings_(findings) {}

  void generate(NodeId id) {
    if (findings_.values[id]) {
      emit(Action::kPush, keep(code_.values, *findings_.values[id]), id);
    } else {
      std::visit([&](const auto& form) { generate(form, id); }, code_.ast.nodes[id].form);
    }
  }

 private:
  void generate(const Literal& literal, NodeId id) {
    emit(Action::kPush, keep(code_.values, literal.value), id);
  }
  void generate(const Name& name, NodeId id) {
    emit(Action::kVariable, keep(code_.names, {name.text, findings_.slots.at(id)}), id);
  }
  void generate(const Capture& capture, NodeId id) {
    code_.groups_read = std::max<std::size_t>(code_.groups_read, capture.group + 1);
    emit(Action::kCapture, capture.group, id);
  }
  void generate(const Unary& unary, NodeId id) {
    generate(unary.operand);
    emit(Action::kUnary, static_cast<std::uint32_t>(unary.op), id);
  }

  void generate(const Binary& binary, NodeId id) {
    if (joins(id)) return generate_join(id);
    generate(binary.left);
    if (binary.op == BinaryOp::kAnd || binary.op == BinaryOp::kOr) {
      const auto jump = emit(binary.op == BinaryOp::kAnd ? Action::kAnd : Action::kOr, 0, id);
      generate(binary.right);
      emit(Action::kTruth, 0, id);
      land(jump);
      return;
    }
    generate(binary.right);
    emit(Action::kBinary, static_cast<std::uint32_t>(binary.op), id);
  }

  // Whether the node is a '+' that is certain to put texts together.
  bool joins(NodeId id) const {
    const auto* binary = std::get_if<Binary>(&code_.ast.nodes[id].form);
    return binary != nullptr && binary->op == BinaryOp::kAdd &&
           findings_.types[id] == Type::kString && !findings_.values[id];
  }

  // a + b + c + d at once, without the sums on the way.
  void generate_join(NodeId id) {
    std::vector<NodeId> operands;
    std::vector<std::uint32_t> points;
    NodeId left = id;
    while (joins(left)) {
      const auto& binary = std::get<Binary>(code_.ast.nodes[left].form);
      operands.push_back(binary.right);
      points.push_back(code_.ast.nodes[left].point);
      left = binary.left;
    }
    operands.push_back(left);
    std::reverse(operands.begin(), operands.end());
    std::reverse(points.begin(), points.end());
    for (const NodeId operand : operands) generate(operand);
    emit(Action::kJoin, keep(code_.joins, std::move(points)), id);
  }

  void generate(const List& list, NodeId id) {
    for (const NodeId item : list.items) generate(item);
    emit(Action::kList, static_cast<std::uint32_t>(list.items.size()), id);
  }

  void generate(const Index& index, NodeId id) {
    generate(index.array);
    generate(index.position);
    emit(Action::kIndex, 0, id);
  }

  void generate(const Call& call, NodeId id) {
    const Function* function = findings_.functions[id];
    if (function->special == Special::kIfThen) return generate_choice(call, id);
    if (function->special == Special::kMatches) {
      generate(call.arguments[1]);
      emit(Action::kMatch, keep(code_.regexes, findings_.regexes.at(id)), id);
      return;
    }
    for (const NodeId argument : call.arguments) generate(argument);
    if (function->special != Special::kNone) {
      const bool dns = function->special == Special::kDnsQuery;
      code_.asks_dns = code_.asks_dns || dns;
      code_.asks_lookups = code_.asks_lookups || !dns;
      emit(Action::kAsk, static_cast<std::uint32_t>(function->special), id);
      return;
    }
    emit(Action::kCall, keep(code_.calls, function), id);
  }

  void generate_choice(const Call& call, NodeId id) {
    generate(call.arguments[0]);
    const auto otherwise = emit(Action::kJumpIfFalse, 0, id);
    generate(call.arguments[1]);
    const auto end = emit(Action::kJump, 0, id);
    land(otherwise);
    generate(call.arguments[2]);
    land(end);
  }

  template <class T>
  static std::uint32_t keep(std::vector<T>& pool, T entry) {
    pool.push_back(std::move(entry));
    return static_cast<std::uint32_t>(pool.size() - 1);
  }

  // How many values more there are on the stack after the instruction, where it does not jump. A
  // jump leaves its value to where it leads.
  std::ptrdiff_t growth(Action action, std::uint32_t operand) const {
    switch (action) {
      case Action::kPush:
      case Action::kVariable:
      case Action::kCapture:
        return 1;
      case Action::kUnary:
      case Action::kMatch:
      case Action::kTruth:
        return 0;
      case Action::kJoin:
        return -static_cast<std::ptrdiff_t>(code_.joins[operand].size());
      case Action::kList:
        return 1 - static_cast<std::ptrdiff_t>(operand);
      case Action::kCall:
        return 1 - static_cast<std::ptrdiff_t>(code_.calls[operand]->arity);
      case Action::kAsk:
        return static_cast<Special>(operand) == Special::kIsLocalDomain ? 0 : -1;
      default:
        return -1;
    }
  }

  std::size_t emit(Action action, std::uint32_t operand, NodeId id) {
    code_.instructions.push_back({action, operand, code_.ast.nodes[id].point});
    depth_ += growth(action, operand);
    code_.depth = std::max(code_.depth, static_cast<std::size_t>(depth_));
    return code_.instructions.size() - 1;
  }

  // Lets a jump lead to the next instruction.
  void land(std::size_t jump) {
    code_.instructions[jump].operand = static_cast<std::uint32_t>(code_.instructions.size());
  }

  Code& code_;
  Findings& findings_;
  std::ptrdiff_t depth_ = 0;
};

// The values that the node may yield. As deep as calls can be nested.
void collect_results(const Ast& ast, const Findings& findings, NodeId id,
                     std::vector<PossibleResult>& results) {
  const Node& node = ast.nodes[id];
  const Function* function = findings.functions[id];
  if (!findings.values[id] && function != nullptr && function->special == Special::kIfThen) {
    const auto& arguments = std::get<Call>(node.form).arguments;
    const auto& condition = findings.values[arguments[0]];
    if (!condition || is_true(*condition)) {
      collect_results(ast, findings, arguments[1], results);
    }
    if (!condition || !is_true(*condition)) {
      collect_results(ast, findings, arguments[2], results);
    }
    return;
  }
  const auto failure = findings.failures.find(id);
  results.push_back({findings.types[id], findings.values[id],
                     failure == findings.failures.end() ? std::string() : failure->second,
                     node.span.offset, node.span.length});
}

}  // namespace

Compilation compile(std::string_view source, const Schema& schema) {
  Compilation compilation;
  auto parsed = parse(source);
  if (auto* diagnostic = std::get_if<Diagnostic>(&parsed)) {
    compilation.diagnostics.push_back(std::move(*diagnostic));
    return compilation;
  }

  auto code = std::make_shared<Code>();
  code->source = source;
  code->ast = std::get<Ast>(std::move(parsed));
  Findings findings = check(code->ast, schema);
  compilation.diagnostics = std::move(findings.diagnostics);
  const auto is_error = [](const Diagnostic& found) { return found.severity == Severity::kError; };
  if (std::any_of(compilation.diagnostics.begin(), compilation.diagnostics.end(), is_error)) {
    return compilation;
  }

  code->type = findings.types[code->ast.root];
  code->constant = findings.values[code->ast.root];
  collect_results(code->ast, findings, code->ast.root, code->results);
  code->variables = std::move(findings.variables);
  code->constant_order = schema.constants;
  code->lookups = schema.lookups;
  Generator(*code, findings).generate(code->ast.root);
  const auto& steps = code->instructions;
  code->is_search = steps.size() == 2 && steps[0].action == Action::kVariable &&
                    steps[1].action == Action::kMatch;
  code->is_variable = steps.size() == 1 && steps[0].action == Action::kVariable;
  if (code->is_search) code->search_instructions = code->regexes[0].instructions();
  compilation.program.emplace(std::move(code));
  return compilation;
}

const std::string& Program::source() const {
  return code_->source;
}

Type Program::type() const {
  return code_->type;
}

const Value* Program::constant() const {
  return code_->constant ? &*code_->constant : nullptr;
}

const std::vector<PossibleResult>& Program::possible_results() const {
  return code_->results;
}

std::size_t Program::regex_bytes() const {
  std::size_t bytes = 0;
  for (const Regex& regex : code_->regexes) bytes += regex.compiled_bytes();
  return bytes;
}

bool Program::mentions(std::string_view variable) const {
  return code_->variables.contains(variable);
}

bool Program::asks_lookups() const {
  return code_->asks_lookups;
}

bool Program::asks_dns() const {
  return code_->asks_dns;
}

bool Program::reads_captures() const {
  return code_->groups_read > 0;
}

std::string Program::dump() const {
  return expr::dump(code_->ast);
}

}  // namespace expr
