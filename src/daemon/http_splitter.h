#pragma once
// Cuts a request's body into the texts of its sessions as it arrives: NDJSON lines, the elements of
// a JSON array, or JSON objects one behind the other. It does not parse what it cuts out.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace rapporteur {

// One thread. Holds kMaxLineBytes (ingest/decoder.h) of the body and a little more at the most: of
// a longer text it hands on the beginning, which is too long still.
class SessionSplitter {
 public:
  enum class Form {
    kUnknown,  // nothing has come that tells
    kLines,
    kArray,    // the body begins with '[', then '{' or ']'
    kObjects,  // the body is called JSON and begins with '{'
  };

  // Told each text; the view is good until it returns.
  using Sink = std::function<void(std::string_view)>;

  // `json`: the request calls the body one JSON text, not lines of them.
  explicit SessionSplitter(bool json) : json_(json) {}
  // Of a form that is known beforehand.
  explicit SessionSplitter(Form form) : json_(false), form_(form) {}

  // False: the body breaks the form that it began with, see problem(); nothing more can be read.
  bool add(std::string_view piece, const Sink& sink);
  // At the end of the body. False: it is cut off.
  bool finish(const Sink& sink);

  Form form() const { return form_; }
  const std::string& problem() const { return problem_; }

 private:
  enum class Place { kBeforeFirst, kAfterComma, kElement, kAfterElement, kAfterEnd };

  void decide(bool at_end);
  bool run(std::string_view piece, const Sink& sink);
  void run_lines(std::string_view piece, const Sink& sink);
  bool run_elements(std::string_view piece, const Sink& sink);
  bool between_elements(char c, const Sink& sink);
  std::size_t within_element(std::string_view piece, const Sink& sink);
  void hold(std::string_view text);
  void hand_on(const Sink& sink);
  bool broken(std::string problem);

  const bool json_;
  Form form_ = Form::kUnknown;
  Place place_ = Place::kBeforeFirst;
  std::string probe_;  // what came while the form was unknown
  std::string held_;   // the beginning of a text whose end has not come
  bool holding_ = false;
  std::size_t depth_ = 0;
  bool quoted_ = false;
  bool escaped_ = false;
  bool scalar_ = false;  // the element is no object, array or string
  std::string problem_;
};

}  // namespace rapporteur
