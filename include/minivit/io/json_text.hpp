// SPDX-License-Identifier: MIT
// JSON text, put together piece by piece: strings, lists, objects. The library formats single strings and numbers only: its lists and
// objects allocate when they are destroyed, and a program in which that fails is ended.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/json_strict.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// A text in quotes, which must be valid UTF-8, or a number with all digits that count. Two functions, not one for each type: a value of the
/// library takes long to compile.
inline std::string json_text(const std::string& text) { return nlohmann::json(text).dump(); }
inline std::string json_text(double number) { return nlohmann::json(number).dump(); }
}  // namespace detail

/// `text` as a JSON string with quotes. Throws Error, naming `where` and `what`, when it is not valid UTF-8.
inline std::string json_quoted(const std::string& text, std::string_view where, std::string_view what) {
  if (const std::size_t at = find_invalid_utf8(text); at != std::string::npos)
    fail({.where = where, .what = std::string(what) + " is not valid UTF-8 at byte " + std::to_string(at), .found = text});
  return detail::json_text(text);
}

/// [1,2,3] from a range of elements, of which text_of(element) gives the JSON text.
template <class Range, class TextOf>
std::string json_list(const Range& elements, TextOf&& text_of) {
  std::string text = "[";
  for (const auto& element : elements) text += (text.size() > 1 ? "," : "") + text_of(element);
  return text + "]";
}

/// {"depth":2,"sharing":{"repeat":3}} from {"sharing.repeat", "3"} and {"depth", "2"}: sorted by name, a dot opens an object.
/// Preconditions: each name once, at most one dot in it, nothing to escape; each text is JSON.
inline std::string json_object(std::vector<std::pair<std::string, std::string>> names_and_texts) {
  std::sort(names_and_texts.begin(), names_and_texts.end());
  std::string text = "{", open;  // "sharing." while that object is
  for (const auto& [name, value] : names_and_texts) {
    const std::size_t dot = name.find('.');
    const std::string inside = dot == std::string::npos ? std::string() : name.substr(0, dot + 1);
    const bool another = inside != open;
    if (another && !open.empty()) text += '}';
    if (text.back() != '{') text += ',';
    if (another && !inside.empty()) text += '"' + inside.substr(0, inside.size() - 1) + "\":{";
    open = inside;
    text += '"' + name.substr(inside.size()) + "\":" + value;
  }
  return text + (open.empty() ? "}" : "}}");
}

}  // namespace minivit::inline MINIVIT_ISA
