#pragma once
// Runs a program with text on its standard input, without a shell.

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace rapporteur {

// A program that runs with a pipe to its standard input and one from its standard error, in a
// process group of its own. Whoever ends this object before the program has ended kills the group.
// One thread. SIGPIPE is ignored in this process.
class ChildProcess {
 public:
  // Of what the program says on its standard error no more is kept.
  static constexpr std::size_t kMostErrorBytes = 2000;

  ChildProcess() = default;
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Once. `words` are the program's path and its arguments. Fails with Fault::kTransient and the
  // system's reason.
  Result<void> start(const std::vector<std::string>& words);

  // Moves what can be moved within about a fifth of a second: `input` shrinks by what was written,
  // and is closed when all of it is. False if the program has ended.
  bool turn(std::string_view& input);

  // False: it ended without reading everything, or runs.
  bool has_read_everything() const { return !input_open_ && !broken_pipe_; }
  // The status as waitpid(2) tells it, once turn() has returned false.
  int status() const { return status_; }
  bool succeeded() const;
  std::string status_text() const;  // "exit code 1", "ended by signal 9"
  const std::string& errors() const { return errors_; }

 private:
  void write_some(std::string_view& input);
  void read_some();

  pid_t pid_ = -1;
  int status_ = 0;
  Fd input_, errors_pipe_, process_;
  bool input_open_ = true;
  bool broken_pipe_ = false;
  std::string errors_;
};

}  // namespace rapporteur
