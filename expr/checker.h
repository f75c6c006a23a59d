#pragma once
// Whether a syntax tree means something: names, counts and types of arguments, regular expressions.
// Collects every error it can; what is wrong with one operand is not reported again for its
// parents.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "expr/ast.h"
#include "expr/expression.h"
#include "expr/functions.h"
#include "expr/regex.h"

namespace expr {

// What was found out about a tree. The vectors are indexed by NodeId.
struct Findings {
  std::vector<Type> types;
  std::vector<std::optional<Value>> values;  // of nodes that depend on nothing
  std::vector<const Function*> functions;    // of calls; else null
  std::map<NodeId, Regex> regexes;           // of calls of matches()
  std::map<NodeId, std::size_t> slots;       // of variables, as the schema gives them
  std::set<std::string, std::less<>> variables;
  std::map<NodeId, std::string> failures;  // of nodes whose evaluation is certain to fail
  std::vector<Diagnostic> diagnostics;     // in the order of their offsets
};

Findings check(const Ast& ast, const Schema& schema);

}  // namespace expr
