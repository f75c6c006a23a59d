#include "cli/screen.h"

#include <algorithm>
#include <array>
#include <streambuf>
#include <utility>

namespace rapporteur {

namespace {

constexpr std::string_view kEscape = "\x1b[";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kColours = {{
    {"done", kGreen},
    {"delivered", kGreen},
    {"accepted", kGreen},
    {"ok", kGreen},
    {"held", kYellow},
    {"suppressed", kYellow},
    {"uncertain", kYellow},
    {"abandoned", kYellow},
    {"silent", kYellow},
    {"warning", kYellow},
    {"blocked", kRed},
    {"failed", kRed},
    {"bounced", kRed},
    {"fault", kRed},
}};

// The part of the text that is one character on the screen, or one sequence that is none.
std::size_t step(std::string_view text, bool& shown) {
  shown = !text.starts_with(kEscape);
  if (!shown) {
    const auto end = text.find_first_of("mK");
    return end == text.npos ? text.size() : end + 1;
  }
  std::size_t bytes = 1;
  while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U) ++bytes;
  return bytes;
}

// Puts the words of a line into lines that fit.
class Folding {
 public:
  Folding(std::string_view begin, std::size_t columns, std::size_t indent)
      : columns_(columns), indent_(indent, ' '), current_(begin) {}

  void add(std::size_t blanks, std::string_view word) {
    const auto room = blanks + width_on_screen(word);
    while (has_word_ && width_on_screen(current_) + room > columns_) {
      end_line(room);
      if (!has_word_) blanks = 0;
    }
    if (word.starts_with('(')) note_good_place();
    current_.append(blanks, ' ').append(word);
    has_word_ = true;
    if (word.ends_with(';') || word.ends_with(',') || word.ends_with('|')) note_good_place();
  }

  std::string text() const { return done_ + current_; }

 private:
  // Where one thing ends and the next begins, unless a line that ends there is mostly empty.
  void note_good_place() {
    if (width_on_screen(current_) >= columns_ / 2) good_ = current_.size();
  }

  // What stands behind the good place goes to the next line, if there is `room` behind it there.
  void end_line(std::size_t room) {
    const auto moved = width_on_screen(std::string_view(current_).substr(good_));
    const bool is_good = good_ > 0 && indent_.size() + moved + room <= columns_;
    const auto end = is_good ? good_ : current_.size();
    done_.append(current_, 0, end) += '\n';
    const auto next = current_.find_first_not_of(' ', end);
    has_word_ = next != current_.npos;
    current_ = indent_ + (has_word_ ? current_.substr(next) : std::string());
    good_ = 0;
  }

  const std::size_t columns_;
  const std::string indent_;
  std::string done_;
  std::string current_;
  std::size_t good_ = 0;  // of `current_`; 0: there is none
  bool has_word_ = false;
};

}  // namespace

std::size_t width_on_screen(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    bool shown = false;
    text.remove_prefix(step(text, shown));
    width += shown ? 1U : 0U;
  }
  return width;
}

std::string fitted(std::string_view line, std::size_t columns) {
  if (columns == 0 || width_on_screen(line) <= columns) return std::string(line);
  const auto lead = std::min(line.find_first_not_of(' '), line.size());
  Folding folding(line.substr(0, lead), columns, std::min(lead + 2, columns / 2));
  for (auto rest = line.substr(lead); !rest.empty();) {
    const auto blanks = std::min(rest.find_first_not_of(' '), rest.size());
    const auto end = std::min(rest.find(' ', blanks), rest.size());
    folding.add(blanks, rest.substr(blanks, end - blanks));
    rest.remove_prefix(end);
  }
  return folding.text();
}

// Passes whole lines on, fitted.
class Screen::Lines : public std::streambuf {
 public:
  Lines(std::ostream& out, std::size_t columns) : out_(out), columns_(columns) {}
  ~Lines() override { end(); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  void end() {
    out_ << std::exchange(line_, {});
    out_.flush();
  }

 protected:
  int_type overflow(int_type character) override {
    if (traits_type::eq_int_type(character, traits_type::eof())) return traits_type::not_eof(0);
    put(traits_type::to_char_type(character));
    return character;
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    for (const char c : std::string_view(text, static_cast<std::size_t>(size))) put(c);
    return size;
  }

 private:
  void put(char c) {
    if (c != '\n') {
      line_ += c;
      return;
    }
    out_ << fitted(std::exchange(line_, {}), columns_) << '\n';
  }

  std::ostream& out_;
  const std::size_t columns_;
  std::string line_;
};

Screen::Screen(const World& world) : terminal_(world.out_terminal), direct_(world.out) {
  if (terminal_.columns == 0) return;
  lines_ = std::make_unique<Lines>(world.out, terminal_.columns);
  fitted_ = std::make_unique<std::ostream>(lines_.get());
}

Screen::~Screen() = default;

std::ostream& Screen::out() {
  return fitted_ ? *fitted_ : direct_;
}

std::string Screen::state(std::string_view word) const {
  const auto colour =
      std::ranges::find(kColours, word, &std::pair<std::string_view, std::string_view>::first);
  if (!terminal_.colours || colour == kColours.end()) return std::string(word);
  return std::string(colour->second).append(word).append(kPlain);
}

std::string Screen::heading(std::string_view text) const {
  if (!terminal_.colours) return std::string(text);
  return std::string(kBold).append(text).append(kPlain);
}

}  // namespace rapporteur
