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
    emit(Action::kVariable, keep(code_.names, name.text), id);
  }
  void generate(const Capture& capture, NodeId id) { emit(Action::kCapture, capture.group, id); }
  void generate(const Unary& unary, NodeId id) {
    generate(unary.operand);
    emit(Action::kUnary, static_cast<std::uint32_t>(unary.op), id);
  }

  void generate(const Binary& binary, NodeId id) {
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

  std::size_t emit(Action action, std::uint32_t operand, NodeId id) {
    code_.instructions.push_back({action, operand, code_.ast.nodes[id].point});
    return code_.instructions.size() - 1;
  }

  // Lets a jump lead to the next instruction.
  void land(std::size_t jump) {
    code_.instructions[jump].operand = static_cast<std::uint32_t>(code_.instructions.size());
  }

  Code& code_;
  Findings& findings_;
};

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
  code->variables = std::move(findings.variables);
  code->constant_order = schema.constants;
  Generator(*code, findings).generate(code->ast.root);
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

bool Program::mentions(std::string_view variable) const {
  return code_->variables.contains(variable);
}

std::string Program::dump() const {
  return expr::dump(code_->ast);
}

}  // namespace expr
