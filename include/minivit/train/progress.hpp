// SPDX-License-Identifier: MIT
// Progress: a bar with images/s, loss and remaining time, redrawn in place on a terminal; a plain line every few seconds
// when stderr is a file or a pipe. Obeys NO_COLOR, TERM=dumb and COLUMNS. Time and output are parameters, for tests.
#pragma once

#include <minivit/core/view.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#if __has_include(<unistd.h>) && __has_include(<sys/ioctl.h>)
#include <sys/ioctl.h>
#include <unistd.h>
#define MINIVIT_HAS_TTY 1  ///< the width of a terminal can be asked for
#endif

namespace minivit::inline MINIVIT_ISA {

/// What the output device can do.
struct Terminal {
  bool interactive = false;  ///< a line can be overwritten
  bool colour = false;       ///< escape codes are understood
  int columns = 80;          ///< characters in a line

  /// Of stderr: not interactive when it is no terminal or TERM is "dumb"; no colour when NO_COLOR is set and not empty; the
  /// width is COLUMNS, else what the terminal says, else 80.
  static Terminal of_stderr() {
#ifdef MINIVIT_HAS_TTY
    winsize size{};
    const bool tty = isatty(STDERR_FILENO) == 1;
    const int width = tty && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
    return from(tty, width, variable("TERM"), variable("NO_COLOR"), variable("COLUMNS"));
#else
    return {};
#endif
  }
  /// The same from given facts; `width` 0 means unknown.
  static Terminal from(bool tty, int width, std::string_view term, std::string_view no_color, std::string_view columns) {
    Terminal t;
    t.interactive = tty && term != "dumb";
    t.colour = t.interactive && no_color.empty();
    if (width > 0) t.columns = width;
    int asked = 0;
    const auto [end, error] = std::from_chars(columns.data(), columns.data() + columns.size(), asked);
    if (error == std::errc() && end == columns.data() + columns.size() && asked > 0) t.columns = asked;
    return t;
  }

 private:
  static std::string_view variable(const char* name) {
    const char* const value = std::getenv(name);
    return value ? value : "";
  }
};

/// Seconds as "0:07", "12:34", "1:02:03" or "3 d 04:05"; "-" when not finite or negative.
inline std::string duration_text(double seconds) {
  if (!(seconds >= 0 && seconds < 1e9)) return "-";
  const auto all = static_cast<long long>(seconds + 0.5);
  char text[48];
  if (all < 3600) std::snprintf(text, sizeof text, "%lld:%02lld", all / 60, all % 60);
  else if (all < 86400) std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", all / 3600, all / 60 % 60, all % 60);
  else std::snprintf(text, sizeof text, "%lld d %02lld:%02lld", all / 86400, all / 3600 % 24, all / 60 % 60);
  return text;
}

/// Shows how far a long job is. Construct, `update` after each batch, `finish` (the destructor does it, too).
class Progress {
 public:
  /// Where and how often it is drawn, and by which clock.
  struct Options {
    Terminal terminal{};         ///< what the output can do
    double line_seconds = 10;    ///< between lines when not interactive
    double frame_seconds = 0.1;  ///< between redraws when interactive
    /// Seconds, monotonic.
    std::function<double()> clock = [] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    };
    /// Takes complete pieces of text.
    std::function<void(std::string_view)> write = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stderr);
      std::fflush(stderr);
    };
  };
  /// Options for this program's stderr.
  static Options on_stderr() {
    Options o;
    o.terminal = Terminal::of_stderr();
    return o;
  }
  /// Options that show nothing.
  static Options silent() {
    Options o;
    o.write = nullptr;
    return o;
  }

  /// `total` images of the whole job, of which `done` were finished by an earlier run. The rate counts only this run.
  explicit Progress(Index total, Options options = on_stderr(), Index done = 0)
      : options_(std::move(options)), total_(total), first_(done), done_(done) {
    started_ = now();
    shown_ = started_ - (options_.terminal.interactive ? options_.frame_seconds : 0);
  }
  Progress(const Progress&) = delete;             ///< it owns the line
  Progress& operator=(const Progress&) = delete;  ///< nor is it assigned
  /// finish(), whose errors are swallowed.
  ~Progress() {
    try {
      finish();
    } catch (...) {  // a destructor may run while an exception is on its way
    }
  }

  /// `done` images are finished; `loss` NaN is shown as "-". Draws only when it is time.
  void update(Index done, std::string_view label, double loss) {
    done_ = done;
    loss_ = loss;
    label_.assign(label);
    const double t = now();
    if (t - shown_ < (options_.terminal.interactive ? options_.frame_seconds : options_.line_seconds)) return;
    shown_ = t;
    draw(t);
  }
  /// Writes `text` on a line of its own, above the bar if there is one.
  void print(std::string_view text) {
    if (!options_.write) return;
    options_.write(erase() + std::string(text) + "\n");
    if (drawn_ > 0) {
      drawn_ = 0;
      draw(now());
    }
  }
  /// Draws the last state and leaves the cursor on a fresh line. Later calls do nothing.
  void finish() {
    if (finished_) return;
    finished_ = true;
    if (label_.empty()) return;  // nothing was ever shown
    draw(now());
    if (options_.terminal.interactive && options_.write) options_.write("\n");
    drawn_ = 0;
  }

  /// Images per second of this run, and the seconds left at that rate.
  double rate() const { return rate_at(now()); }
  double seconds_left() const { return seconds_left_at(now()); }  ///< infinite before the first image

  /// One line of at most `columns` characters, without colour and without a line end.
  std::string line(double t) const {
    const double part = total_ > 0 ? std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0) : 0;
    char percent[16], speed[48], loss[48];
    std::snprintf(percent, sizeof percent, "%3d%%", static_cast<int>(part * 100));
    std::snprintf(speed, sizeof speed, rate_at(t) < 100 ? "%.1f images/s" : "%.0f images/s", rate_at(t));
    if (std::isfinite(loss_)) std::snprintf(loss, sizeof loss, "loss %.4f", loss_);
    else std::snprintf(loss, sizeof loss, "loss -");
    const std::string tail = std::string(percent) + "  " + speed + "  " + loss + "  " +
                             (done_ >= total_ ? "took " + duration_text(t - started_)
                                              : duration_text(seconds_left_at(t)) + " left");
    if (!options_.terminal.interactive) return label_ + " " + tail;
    const int width = options_.terminal.columns - 1;  // the last column would wrap on some terminals
    const int room = width - static_cast<int>(label_.size() + tail.size()) - 5;
    std::string text = label_ + "  ";
    if (room >= 8) {
      const int cells = std::min(room, 40);
      const int full = static_cast<int>(part * cells);
      text += "[" + std::string(static_cast<std::size_t>(full), '=') + (full < cells ? ">" : "") +
              std::string(static_cast<std::size_t>(std::max(0, cells - full - 1)), ' ') + "] ";
    }
    text += tail;
    if (static_cast<int>(text.size()) > width) text.resize(static_cast<std::size_t>(std::max(0, width)));
    return text;
  }

 private:
  double now() const { return options_.clock(); }
  double rate_at(double t) const {
    const double seconds = t - started_;
    return seconds > 0 ? static_cast<double>(done_ - first_) / seconds : 0;
  }
  double seconds_left_at(double t) const {
    const double r = rate_at(t);
    return r > 0 ? static_cast<double>(std::max<Index>(0, total_ - done_)) / r : std::numeric_limits<double>::infinity();
  }
  /// Text that empties the line of the bar. Spaces, not escape codes, so that it works on every terminal.
  std::string erase() const {
    return options_.terminal.interactive && drawn_ > 0 ? "\r" + std::string(drawn_, ' ') + "\r" : std::string();
  }
  void draw(double t) {
    if (!options_.write) return;
    const std::string text = line(t);
    if (!options_.terminal.interactive) {
      options_.write(text + "\n");
      return;
    }
    const std::string rest(drawn_ > text.size() ? drawn_ - text.size() : 0, ' ');
    const std::size_t open = text.find('['), close = text.find(']');
    if (options_.terminal.colour && open != std::string::npos && close != std::string::npos)
      options_.write("\r" + text.substr(0, open + 1) + "\x1b[36m" + text.substr(open + 1, close - open - 1) + "\x1b[0m" +
                     text.substr(close) + rest);
    else options_.write("\r" + text + rest);
    drawn_ = text.size();
  }

  Options options_;
  Index total_;
  Index first_;
  Index done_;
  double loss_ = std::numeric_limits<double>::quiet_NaN();
  std::string label_;
  double started_ = 0;
  double shown_ = 0;
  std::size_t drawn_ = 0;  ///< characters of the bar on the screen
  bool finished_ = false;
};

}  // namespace minivit::inline MINIVIT_ISA
