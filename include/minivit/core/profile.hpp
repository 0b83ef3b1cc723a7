// SPDX-License-Identifier: MIT
// Profile: where the time of a pass goes. Code names what it is doing with a Profile::Scope; while a profile records on the
// thread, each moment counts for the innermost scope, so the rows add up to the whole. Not recording costs one comparison.
#pragma once

#include <minivit/core/view.hpp>

#include <array>
#include <chrono>
#include <cstring>

namespace minivit::inline MINIVIT_ISA {

/// Times by name, of one thread. Does not allocate.
class Profile {
  using Clock = std::chrono::steady_clock;

 public:
  /// What one scope took.
  struct Row {
    const char* name = nullptr;  ///< as given to Scope; null in an unused row
    double seconds = 0;          ///< inside this scope and in no inner one
    Index calls = 0;             ///< times it was entered
  };

  /// Records on this thread from construction to destruction; time outside of every scope goes to the row "other". Profiles
  /// do not nest.
  class Recording {
   public:
    /// Starts the clock. `profile` must outlive this.
    explicit Recording(Profile& profile) : profile_(profile) {
      active() = &profile;
      profile.current_ = profile.row("other");
      profile.last_ = Clock::now();
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    /// Stops it: the last moments go to the row that is current.
    ~Recording() {
      profile_.tick();
      active() = nullptr;
    }

   private:
    Profile& profile_;
  };

  /// From construction to destruction the thread does what `name`, a string literal, says. May stand in constant
  /// expressions.
  class Scope {
   public:
    /// Begins `name`; the outer scope's clock stands still until the end.
    explicit constexpr Scope(const char* name) {
      if (std::is_constant_evaluated()) return;
      profile_ = active();
      if (profile_) begin(name);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    /// Goes on with the outer scope.
    constexpr ~Scope() {
      if (profile_) end();
    }

   private:
    // Apart, because scopes stand in every op and hardly ever anybody records.
    [[gnu::cold, gnu::noinline]] void begin(const char* name) {
      profile_->tick();
      outer_ = profile_->current_;
      profile_->current_ = profile_->row(name);
      ++profile_->current_->calls;
    }
    [[gnu::cold, gnu::noinline]] void end() {
      profile_->tick();
      profile_->current_ = outer_;
    }
    Profile* profile_ = nullptr;
    Row* outer_ = nullptr;
  };

  /// In the order of first use.
  const Row* begin() const { return rows_.data(); }
  const Row* end() const { return rows_.data() + size_; }  ///< behind the last row

 private:
  static Profile*& active() {
    static constinit thread_local Profile* profile = nullptr;
    return profile;
  }

  /// Gives the time since the last call to the current row.
  void tick() {
    const auto now = Clock::now();
    current_->seconds += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

  /// The row of that name. When all are taken, the first one ("other") serves.
  Row* row(const char* name) {
    for (Row& r : rows_) {
      if (!r.name) {
        r.name = name;
        ++size_;
      }
      if (r.name == name || std::strcmp(r.name, name) == 0) return &r;
    }
    return rows_.data();
  }

  std::array<Row, 48> rows_{};
  std::size_t size_ = 0;
  Row* current_ = nullptr;
  Clock::time_point last_{};
};

}  // namespace minivit::inline MINIVIT_ISA
