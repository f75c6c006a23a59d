#pragma once
// How a function of one room tells another that something could not be done. Rooms throw nothing;
// what a foreign library throws is caught in the .cc file that calls it.

#include <string>
#include <utility>
#include <variant>

namespace rapporteur {

// What the caller should do about a failure. Where it happened belongs in the text.
enum class Fault {
  kInput,      // someone else's data is malformed: skip that item and count it
  kConfig,     // the administrator must edit a file: refuse to start, or keep the old configuration
  kTransient,  // the world may recover: try again later
  kPermanent,  // it will not: give up on this unit of work
  kCorrupt,    // our own stored state is damaged: stop writing to it
  kUnknown,    // nobody can tell whether it was done: only the same again tells
};

struct Error {
  Fault fault;
  std::string text;  // one line, no trailing newline, names the offending value
};

// A T or the Error that prevented it. Reading the side that is not there is a bug in
// the caller and throws std::bad_variant_access, which nothing in this program catches.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : state_(std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace rapporteur
