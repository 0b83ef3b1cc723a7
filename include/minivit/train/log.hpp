// SPDX-License-Identifier: MIT
// TrainingLog: a JSON-lines file, one object per line, each beginning with its step and flushed at once. A resumed run
// first cuts off what the interrupted run wrote after the checkpoint, so the file reads as if there had been one run.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/view.hpp>
#include <minivit/train/json_line.hpp>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#if __has_include(<unistd.h>)
#define MINIVIT_HAS_FSYNC 1  ///< lines can be forced to the disk
#include <unistd.h>
#endif

namespace minivit::inline MINIVIT_ISA {

/// Every line reads `{"step": N, ...}` with steps that never go down. Write the line of a step before the checkpoint of
/// that step: then the checkpoint's step decides what to keep. A default-constructed log swallows everything.
class TrainingLog {
 public:
  TrainingLog() = default;  ///< swallows everything

  /// A new file; one that exists is emptied. Throws Error when it cannot be written.
  static TrainingLog create(const std::filesystem::path& path) { return TrainingLog(path, "wb"); }

  /// Continues a file: keeps it up to the last line whose step is at most `step`, and drops a line that was cut short. A
  /// file that does not exist is created. Throws Error when it is no regular file or cannot be written.
  static TrainingLog resume(const std::filesystem::path& path, Index step) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return create(path);
    if (!std::filesystem::is_regular_file(path, error))
      fail_with(path, "cannot continue the log", "it is not a regular file");
    const std::uintmax_t keep = kept_bytes(path, step);
    if (keep != std::filesystem::file_size(path, error)) std::filesystem::resize_file(path, keep, error);
    if (error) fail_with(path, "cannot shorten the log", error.message());
    return TrainingLog(path, "ab");
  }

  /// Appends `{"step": step, members of line}`. Throws Error when the disk refuses. Precondition: `step` >= 0.
  void write(Index step, const JsonLine& line) {
    if (!file_) return;
    const std::string text = JsonLine().add("step", step).add(line).str() + "\n";
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0)
      fail_with(path_, "cannot write the log", std::strerror(errno));
  }

  /// Waits until the lines are on the disk. Call it before a checkpoint that counts on them; after a power cut they are
  /// still there.
  void sync() {
#ifdef MINIVIT_HAS_FSYNC
    if (file_ && ::fsync(::fileno(file_.get())) != 0 && errno != EINVAL && errno != EINTR)  // EINVAL: a pipe or a device
      fail_with(path_, "cannot flush the log to the disk", std::strerror(errno));
#endif
  }

  const std::filesystem::path& path() const { return path_; }  ///< empty for a log that swallows

 private:
  struct Close {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  TrainingLog(const std::filesystem::path& path, const char* mode) : path_(path), file_(std::fopen(path.c_str(), mode)) {
    if (!file_) fail_with(path, "cannot open the log", std::strerror(errno));
  }

  [[noreturn]] static void fail_with(const std::filesystem::path& path, std::string_view what, std::string_view why) {
    fail({.where = "training log " + path.string(), .what = what, .found = why});
  }

  /// Step of a line of ours, from its first bytes; -1 for any other line.
  static Index step_of(std::string_view start) {
    constexpr std::string_view prefix = "{\"step\": ";
    if (!start.starts_with(prefix)) return -1;
    Index step = -1;
    const auto [end, error] = std::from_chars(start.data() + prefix.size(), start.data() + start.size(), step);
    return error == std::errc() && end != start.data() + start.size() ? step : -1;
  }

  /// Bytes in front of the first line that is newer than `step` or has no line end.
  static std::uintmax_t kept_bytes(const std::filesystem::path& path, Index step) {
    const File file(std::fopen(path.c_str(), "rb"));
    if (!file) fail_with(path, "cannot read the log", std::strerror(errno));
    constexpr std::size_t head = 40;  // `{"step": ` and the digits of any Index
    std::vector<char> block(1 << 16);
    std::string start;
    std::uintmax_t position = 0, kept = 0;
    while (const std::size_t n = std::fread(block.data(), 1, block.size(), file.get())) {
      for (std::size_t i = 0; i < n; ++i) {
        ++position;
        if (block[i] != '\n') {
          if (start.size() < head) start += block[i];
          continue;
        }
        if (step_of(start) > step) return kept;
        kept = position;
        start.clear();
      }
    }
    return kept;
  }

  std::filesystem::path path_;
  File file_;
};

}  // namespace minivit::inline MINIVIT_ISA
