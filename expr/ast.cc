#include "expr/ast.h"

#include <array>
#include <type_traits>
#include <utility>

#include "expr/value.h"

namespace expr {
namespace {

// Collects the text of each node from the texts of its children, which stand before it.
class Dumper {
 public:
  explicit Dumper(std::size_t nodes) { texts_.reserve(nodes); }

  void add(const Node& node) {
    texts_.push_back(std::visit([this](const auto& form) { return text(form); }, node.form));
  }

  std::string take(NodeId id) { return std::move(texts_.at(id)); }

 private:
  std::string text(const Literal& literal) {
    if (literal.truth) return is_true(literal.value) ? "true" : "false";
    return to_literal(literal.value);
  }
  std::string text(const Name& name) { return name.text; }
  std::string text(const Capture& capture) { return "$" + std::to_string(capture.group); }
  std::string text(const Unary& unary) {
    return "(" + std::string(spelling(unary.op)) + " " + take(unary.operand) + ")";
  }
  std::string text(const Binary& binary) {
    return "(" + std::string(spelling(binary.op)) + " " + take(binary.left) + " " +
           take(binary.right) + ")";
  }
  std::string text(const List& list) { return form("list", list.items); }
  std::string text(const Index& index) {
    return "(index " + take(index.array) + " " + take(index.position) + ")";
  }
  std::string text(const Call& call) { return form("call " + call.function, call.arguments); }

  std::string form(const std::string& head, const std::vector<NodeId>& children) {
    std::string text = "(" + head;
    for (const NodeId child : children) text += " " + take(child);
    return text + ")";
  }

  std::vector<std::string> texts_;
};

}  // namespace

std::string_view spelling(UnaryOp op) {
  return op == UnaryOp::kNot ? "!" : "-";
}

std::string_view spelling(BinaryOp op) {
  static constexpr std::array<std::string_view, 13> kSpellings = {
      "*", "/", "+", "-", ">", ">=", "<", "<=", "==", "!=", "^", "&&", "||"};
  return kSpellings.at(static_cast<std::size_t>(op));
}

std::string dump(const Ast& ast) {
  Dumper dumper(ast.nodes.size());
  for (const Node& node : ast.nodes) dumper.add(node);
  return dumper.take(ast.root);
}

}  // namespace expr
