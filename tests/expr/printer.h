#pragma once
// A syntax tree back as the text of an expression: docs/expressions.md, "Grammar". No parenthesis
// stands where it is not needed. parse(print(tree)) has the dump of `tree`, unless the text is
// longer than a source may be: numbers lose their units and control characters become escapes.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "expr/ast.h"

namespace expr::testing_support {

class Printer {
 public:
  // Children stand before their parents, so that each finds its own already printed.
  std::string print(const Ast& ast) {
    for (const Node& node : ast.nodes) {
      printed_.push_back(std::visit([this](const auto& form) { return print(form); }, node.form));
    }
    return std::move(printed_.at(ast.root).text);
  }

 private:
  // How much a text binds: what binds less than its place asks for stands in parentheses there.
  enum Bond { kAnything, kOr, kAnd, kXor, kEquality, kRelation, kSum, kProduct, kUnary, kPrimary };
  struct Text {
    std::string text;
    Bond bond = kPrimary;
  };

  static Bond bond_of(BinaryOp op) {
    static constexpr std::array<Bond, 13> kBonds = {
        kProduct,  kProduct,  kSum,      kSum, kRelation, kRelation, kRelation,
        kRelation, kEquality, kEquality, kXor, kAnd,      kOr};
    return kBonds.at(static_cast<std::size_t>(op));
  }

  Text print(const Literal& literal) {
    if (literal.truth) return {is_true(literal.value) ? "true" : "false"};
    return {to_literal(literal.value)};
  }
  Text print(const Name& name) { return {name.text}; }
  Text print(const Capture& capture) { return {"$" + std::to_string(capture.group)}; }
  Text print(const Unary& unary) {
    return {std::string(spelling(unary.op)) + take(unary.operand, kUnary), kUnary};
  }
  Text print(const Binary& binary) {
    const Bond bond = bond_of(binary.op);
    std::string text = take(binary.left, bond);
    text.append(" ").append(spelling(binary.op)).append(" ");
    return {text + take(binary.right, static_cast<Bond>(bond + 1)), bond};
  }
  Text print(const List& list) { return {"[" + join(list.items) + "]"}; }
  Text print(const Index& index) {
    std::string array = take(index.array, kPrimary);
    return {std::move(array) + "[" + take(index.position, kAnything) + "]"};
  }
  Text print(const Call& call) { return {call.function + "(" + join(call.arguments) + ")"}; }

  std::string take(NodeId id, Bond least) {
    Text& child = printed_.at(id);
    if (child.bond >= least) return std::move(child.text);
    return "(" + child.text + ")";
  }

  std::string join(const std::vector<NodeId>& children) {
    std::string text;
    for (const NodeId child : children) {
      if (!text.empty()) text += ", ";
      text += take(child, kAnything);
    }
    return text;
  }

  std::vector<Text> printed_;
};

inline std::string print(const Ast& ast) {
  return Printer().print(ast);
}

}  // namespace expr::testing_support
