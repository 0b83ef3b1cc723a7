// SPDX-License-Identifier: MIT
// JsonLine: builds one JSON object in one line of valid UTF-8, of strings and numbers as core/json_scalar.hpp writes them.
// Reading JSON is not its business.
#pragma once

#include <minivit/core/json_scalar.hpp>

#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace minivit::inline MINIVIT_ISA {

/// `JsonLine().add("epoch", 3).add("loss", 0.5).str()` is `{"epoch": 3, "loss": 0.5}`. Keys are not checked for duplicates.
class JsonLine {
 public:
  /// A number, or true and false.
  template <class T>
  requires(std::is_arithmetic_v<T>) JsonLine& add(std::string_view key, T value) {
    if constexpr (std::is_same_v<T, bool>) return raw(key, value ? "true" : "false");
    else return raw(key, json_number(value));
  }
  /// Escaped, and made valid UTF-8.
  JsonLine& add(std::string_view key, std::string_view value) { return raw(key, json_string(value)); }
  JsonLine& add(std::string_view key, const char* value) { return raw(key, json_string(value)); }  ///< likewise
  /// An object inside this one.
  JsonLine& add(std::string_view key, const JsonLine& value) { return raw(key, value.str()); }
  /// An array of numbers.
  JsonLine& add(std::string_view key, std::span<const double> values) {
    std::string text = "[";
    for (const double v : values) text += (text.size() > 1 ? ", " : "") + json_number(v);
    return raw(key, text + "]");
  }
  /// All members of `other` behind those of this one.
  JsonLine& add(const JsonLine& other) {
    if (!members_.empty() && !other.members_.empty()) members_ += ", ";
    members_ += other.members_;
    return *this;
  }

  bool empty() const { return members_.empty(); }  ///< has no members
  /// The object, without a line end.
  std::string str() const { return "{" + members_ + "}"; }

 private:
  JsonLine& raw(std::string_view key, std::string_view value) {
    if (!members_.empty()) members_ += ", ";
    members_ += json_string(key);
    members_ += ": ";
    members_ += value;
    return *this;
  }
  std::string members_;
};

}  // namespace minivit::inline MINIVIT_ISA
