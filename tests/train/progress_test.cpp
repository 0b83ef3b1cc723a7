// SPDX-License-Identifier: MIT
// Progress with a clock and a screen of our own: what is written, when, and how wide.
#include <minivit/train/progress.hpp>

#include "catch.hpp"

#include <cmath>
#include <string>
#include <vector>

namespace progress_test {

using namespace minivit;

namespace {

/// Time that stands still until told, and everything that was written.
struct Fake {
  double time = 100;
  std::vector<std::string> written;

  Progress::Options options(Terminal terminal) {
    Progress::Options o;
    o.terminal = terminal;
    o.clock = [this] { return time; };
    o.write = [this](std::string_view text) { written.emplace_back(text); };
    return o;
  }
};

/// What a terminal shows after `pieces`: carriage returns overwrite, line ends begin a new line.
std::vector<std::string> screen(const std::vector<std::string>& pieces) {
  std::vector<std::string> lines{""};
  std::size_t column = 0;
  for (const std::string& piece : pieces)
    for (const char c : piece) {
      if (c == '\n') {
        lines.emplace_back();
        column = 0;
      } else if (c == '\r') {
        column = 0;
      } else {
        if (lines.back().size() <= column) lines.back().resize(column + 1, ' ');
        lines.back()[column++] = c;
      }
    }
  for (std::string& line : lines) line.erase(line.find_last_not_of(' ') + 1);
  return lines;
}

const Terminal file{};
const Terminal tty{.interactive = true, .colour = false, .columns = 80};

}  // namespace

TEST_CASE("progress: into a file goes one line every few seconds and one at the end", "[train]") {
  Fake fake;
  {
    Progress progress(1000, fake.options(file));
    for (int i = 1; i <= 25; ++i) {
      fake.time = 100 + i;
      progress.update(i * 40, "epoch 1/1", 25 - i);
    }
    CHECK(fake.written == std::vector<std::string>{"epoch 1/1  40%  40.0 images/s  loss 15.0000  0:15 left\n",
                                                   "epoch 1/1  80%  40.0 images/s  loss 5.0000  0:05 left\n"});
  }
  REQUIRE(fake.written.size() == 3);
  CHECK(fake.written[2] == "epoch 1/1 100%  40.0 images/s  loss 0.0000  took 0:25\n");
}

TEST_CASE("progress: on a terminal one line is redrawn in place, at most ten times a second", "[train]") {
  Fake fake;
  Progress progress(1000, fake.options(tty));
  for (int i = 1; i <= 100; ++i) {
    fake.time = 100 + 0.01 * i;
    progress.update(i * 5, "epoch 1/2", 1);
  }
  CHECK(fake.written.size() >= 10);
  CHECK(fake.written.size() <= 11);
  progress.finish();
  progress.finish();
  const auto lines = screen(fake.written);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "epoch 1/2  [===========>           ]  50%  500 images/s  loss 1.0000  0:01 left");
  CHECK(lines[0].size() == 79);
  CHECK(lines[1].empty());
}

TEST_CASE("progress: the bar shrinks, then goes, and the line never reaches the last column", "[train]") {
  for (int columns = 1; columns < 200; ++columns) {
    CAPTURE(columns);
    Fake fake;
    Progress progress(1000, fake.options({.interactive = true, .colour = false, .columns = columns}));
    fake.time += 2;
    progress.update(500, "epoch 12/300", 0.125);
    const std::string line = progress.line(fake.time);
    CHECK(static_cast<int>(line.size()) <= columns - 1);
    if (columns >= 90) CHECK(line.find('>') != std::string::npos);
    if (columns < 60) CHECK(line.find('[') == std::string::npos);
  }
}

TEST_CASE("progress: colour only around the bar, and none when not wanted", "[train]") {
  for (const bool colour : {false, true}) {
    Fake fake;
    Progress progress(10, fake.options({.interactive = true, .colour = colour, .columns = 100}));
    fake.time += 1;
    progress.update(5, "epoch 1/2", 1);
    REQUIRE(fake.written.size() == 1);
    CHECK((fake.written[0].find("[\x1b[36m=") != std::string::npos) == colour);
    CHECK((fake.written[0].find('\x1b') != std::string::npos) == colour);
  }
}

TEST_CASE("progress: a message stands above the bar", "[train]") {
  Fake fake;
  Progress progress(10, fake.options(tty));
  fake.time += 1;
  progress.update(5, "epoch 1/2", 1);
  progress.print("saved");
  progress.finish();
  const auto lines = screen(fake.written);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "saved");
  CHECK(lines[1].starts_with("epoch 1/2  ["));
}

TEST_CASE("progress: a resumed job counts only its own images in the rate", "[train]") {
  Fake fake;
  Progress progress(1000, fake.options(file), 900);
  fake.time += 10;
  progress.update(950, "epoch 10/10", 1);
  CHECK(progress.rate() == 5);
  CHECK(progress.seconds_left() == 10);
}

TEST_CASE("progress: unknown loss and rate are dashes, silence writes nothing", "[train]") {
  Fake fake;
  Progress progress(1000, fake.options(file));
  progress.update(0, "epoch 1/1", std::nan(""));
  CHECK(progress.line(fake.time) == "epoch 1/1   0%  0.0 images/s  loss -  - left");
  Progress silent(10, Progress::silent());
  silent.update(10, "epoch 1/1", 1);
  silent.print("nothing");
  silent.finish();
}

TEST_CASE("terminal: TERM=dumb, NO_COLOR and COLUMNS are obeyed", "[train]") {
  CHECK(Terminal::from(true, 0, "xterm", "", "").interactive);
  CHECK(Terminal::from(true, 0, "xterm", "", "").colour);
  CHECK(Terminal::from(true, 0, "xterm", "", "").columns == 80);
  CHECK(!Terminal::from(false, 0, "xterm", "", "").interactive);
  CHECK(!Terminal::from(false, 0, "xterm", "", "").colour);
  CHECK(!Terminal::from(true, 0, "dumb", "", "").interactive);
  CHECK(!Terminal::from(true, 0, "xterm", "1", "").colour);
  CHECK(Terminal::from(true, 120, "xterm", "", "").columns == 120);
  CHECK(Terminal::from(true, 120, "xterm", "", "60").columns == 60);
  for (const char* wrong : {"0", "-3", "60x", "x", "99999999999999999999"})
    CHECK(Terminal::from(true, 120, "xterm", "", wrong).columns == 120);
}

TEST_CASE("progress: durations", "[train]") {
  CHECK(duration_text(7.4) == "0:07");
  CHECK(duration_text(59.6) == "1:00");
  CHECK(duration_text(754) == "12:34");
  CHECK(duration_text(3723) == "1:02:03");
  CHECK(duration_text(3 * 86400 + 4 * 3600 + 5 * 60) == "3 d 04:05");
  CHECK(duration_text(INFINITY) == "-");
  CHECK(duration_text(-1) == "-");
  CHECK(duration_text(std::nan("")) == "-");
}

}  // namespace progress_test
