// SPDX-License-Identifier: MIT
// The training log: what is in the file after writing, interrupting and resuming.
#include <minivit/train/log.hpp>

#include "catch.hpp"

#include <fstream>
#include <sstream>
#include <string>

#include <unistd.h>

namespace log_test {

using namespace minivit;

namespace {

/// A file in a folder of its own, removed at the end.
struct TemporaryLog {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("minivit_log_test_" + std::to_string(::getpid()));
  std::filesystem::path path = folder / "log.jsonl";

  TemporaryLog() { std::filesystem::create_directories(folder); }
  ~TemporaryLog() { std::filesystem::remove_all(folder); }
  std::string text() const {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
  }
  void put(const std::string& text) const { std::ofstream(path, std::ios::binary) << text; }
};

std::string line(int step) { return "{\"step\": " + std::to_string(step) + ", \"loss\": 0.5}\n"; }
JsonLine loss() {
  JsonLine l;
  l.add("loss", 0.5);
  return l;
}

}  // namespace

TEST_CASE("log: each line is in the file as soon as it is written", "[train]") {
  TemporaryLog file;
  file.put("old\n");
  TrainingLog log = TrainingLog::create(file.path);
  CHECK(file.text().empty());
  log.write(1, loss());
  CHECK(file.text() == line(1));
  log.write(2, loss());
  CHECK(file.text() == line(1) + line(2));
}

TEST_CASE("log: a resumed log equals the log of an unbroken run", "[train]") {
  const std::string unbroken = line(10) + line(20) + line(20) + line(30) + line(40);
  // After the checkpoint of step 20 the first run came this far: every possible number of bytes.
  const std::size_t saved = (line(10) + line(20) + line(20)).size();
  for (std::size_t bytes = saved; bytes <= unbroken.size(); ++bytes) {
    CAPTURE(bytes);
    TemporaryLog file;
    file.put(unbroken.substr(0, bytes));
    TrainingLog log = TrainingLog::resume(file.path, 20);
    log.write(30, loss());
    log.write(40, loss());
    REQUIRE(file.text() == unbroken);
  }
}

TEST_CASE("log: lines of another kind are kept, long files are cut at the right place", "[train]") {
  TemporaryLog file;
  std::string old = "# started on a Monday\n";
  for (int step = 1; step <= 20000; ++step) old += line(step);  // several read blocks
  file.put(old);
  TrainingLog::resume(file.path, 12345);
  const std::string text = file.text();
  CHECK(text == old.substr(0, text.size()));
  CHECK(text.ends_with("\n" + line(12345)));
}

TEST_CASE("log: resuming at step 0 keeps lines of step 0 only; a missing file is created", "[train]") {
  TemporaryLog file;
  file.put(line(0) + line(1));
  TrainingLog::resume(file.path, 0);
  CHECK(file.text() == line(0));
  std::filesystem::remove(file.path);
  TrainingLog::resume(file.path, 7).write(8, loss());
  CHECK(file.text() == line(8));
}

TEST_CASE("log: a default log swallows everything", "[train]") { CHECK_NOTHROW(TrainingLog().write(1, loss())); }

TEST_CASE("log: what cannot be written is refused in one line", "[train]") {
  TemporaryLog file;
  CHECK_THROWS_WITH(TrainingLog::create(file.folder / "missing" / "log.jsonl"),
                    Catch::Contains("cannot open the log") && Catch::Contains("No such file"));
  CHECK_THROWS_WITH(TrainingLog::resume(file.folder, 1), Catch::Contains("it is not a regular file"));
  if (std::filesystem::exists("/dev/full"))
    CHECK_THROWS_WITH(TrainingLog::create("/dev/full").write(1, loss()), Catch::Contains("No space left"));
}

}  // namespace log_test
