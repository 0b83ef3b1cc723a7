// SPDX-License-Identifier: MIT
// One program for many processors: a function that is compiled once for each instruction set, of which a call takes the best
// that the processor has. The CMake function minivit_add_dispatch (cmake/MinivitDispatch.cmake) compiles the sources;
// docs/how-to/one_binary.md shows the whole. Nothing here is in minivit's inline namespace: this header is for the program's
// own sources, compiled without -march.
#pragma once

#include <minivit/core/isa.hpp>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace minivit {

namespace detail {

/// An instruction set by the name that instruction_set() has for it.
struct CpuLevel {
  const char* name;
  bool (*runs)();  // whether this processor and its system have it
};

/// The best first; of two the later one runs wherever the earlier does.
inline constexpr std::array cpu_levels {
#if defined(__x86_64__) || defined(__i386__)
  CpuLevel{"avx512_bf16",
           [] {
             return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
           }},
      CpuLevel{"avx512_vnni",
               [] {
                 return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
               }},
      CpuLevel{"avx512",
               [] {
                 return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
               }},
      CpuLevel{
          "avx2",
          [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"); }},
      CpuLevel{"sse2", [] { return __builtin_cpu_supports("sse2") != 0; }},
#elif defined(__aarch64__)
  CpuLevel{"neon64", [] { return true; }},
#endif
      CpuLevel{"generic", [] { return true; }},
};

/// Number of the first level that may be taken: the environment variable MINIVIT_MAX_ISA names it, 0 without one. Throws
/// std::runtime_error for an unknown name.
inline std::size_t first_level() {
  const char* const wanted = std::getenv("MINIVIT_MAX_ISA");
  if (wanted == nullptr || *wanted == '\0') return 0;
  std::string names;
  for (std::size_t i = 0; i < cpu_levels.size(); ++i) {
    if (std::string_view(wanted) == cpu_levels[i].name) return i;
    names += std::string(i > 0 ? ", " : "") + cpu_levels[i].name;
  }
  throw std::runtime_error("minivit: environment variable MINIVIT_MAX_ISA: expected one of " + names + ", found '" +
                           std::string(wanted).substr(0, 40) + "'");
}

}  // namespace detail

/// A function with a version for each instruction set it was compiled for; made by MINIVIT_DISPATCH. F is its type, as in
/// `int(const std::string&)`.
template <class F>
class Dispatched;

/// The same with the type taken apart: R the result, Args the arguments. Every call looks the version up anew: hand over
/// whole jobs, not single numbers.
template <class R, class... Args>
class Dispatched<R(Args...)> {
 public:
  /// `versions` in the order of detail::cpu_levels; null where there is none.
  using Versions = std::array<R (*)(Args...), detail::cpu_levels.size()>;
  /// `name`, a string literal, is for messages.
  constexpr Dispatched(const char* name, const Versions& versions) : name_(name), versions_(versions) {}

  /// Calls the best version that this processor runs, or the best up to the environment variable MINIVIT_MAX_ISA. Throws
  /// std::runtime_error when there is none.
  R operator()(Args... args) const { return versions_[chosen()](std::forward<Args>(args)...); }

  /// The instruction set of that version.
  const char* isa() const { return detail::cpu_levels[chosen()].name; }

 private:
  std::size_t chosen() const {
    static const std::size_t first = detail::first_level();
    std::string compiled;
    for (std::size_t i = 0; i < versions_.size(); ++i)
      if (versions_[i] != nullptr) {
        if (i >= first && detail::cpu_levels[i].runs()) return i;
        compiled += std::string(compiled.empty() ? "" : ", ") + detail::cpu_levels[i].name;
      }
    throw std::runtime_error("minivit: no version of '" + std::string(name_) +
                             "' runs on this processor; it was compiled for: " +
                             (compiled.empty() ? "nothing; see minivit_add_dispatch" : compiled));
  }

  const char* name_;
  Versions versions_;
};

}  // namespace minivit

#if defined(__x86_64__) || defined(__i386__)
#define MINIVIT_DETAIL_VERSIONS(name) \
  name##_isa_avx512_bf16, name##_isa_avx512_vnni, name##_isa_avx512, name##_isa_avx2, name##_isa_sse2, name##_isa_generic
#elif defined(__aarch64__)
#define MINIVIT_DETAIL_VERSIONS(name) name##_isa_neon64, name##_isa_generic
#else
#define MINIVIT_DETAIL_VERSIONS(name) name##_isa_generic
#endif

/// In a header, at namespace scope: `name` is a Dispatched of the type that follows, for example
///   MINIVIT_DISPATCH(make_classifier, std::unique_ptr<Classifier>(const std::string& weights));
/// Arguments and results must not hold types of minivit, which are different ones for each instruction set.
#define MINIVIT_DISPATCH(name, ...)                               \
  using name##_type = __VA_ARGS__;                                \
  [[gnu::weak]] extern name##_type MINIVIT_DETAIL_VERSIONS(name); \
  inline constexpr ::minivit::Dispatched<name##_type> name {      \
#name, { MINIVIT_DETAIL_VERSIONS(name) }                      \
  }

/// In a source that minivit_add_dispatch compiles, the name of the version to define:
///   std::unique_ptr<Classifier> MINIVIT_DISPATCHED(make_classifier)(const std::string& weights) { ... }
#define MINIVIT_DISPATCHED(name) MINIVIT_DETAIL_PASTED(name, _isa_, MINIVIT_ISA_ID)
