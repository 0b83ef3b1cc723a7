// SPDX-License-Identifier: MIT
// JSON text, put together piece by piece: strings, lists, objects. The library's lists and objects are not used: they
// allocate when they are destroyed, and a program in which that fails is ended.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/json_scalar.hpp>
#include <minivit/io/json_strict.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// A number that was written with a fraction or an exponent, so that it is read as such again: "100.0", "1e-07", all digits
/// that count.
inline std::string double_text(double number) {
  if (!std::isfinite(number)) return "null";
  const double size = std::abs(number);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e15);
  char text[40];
  const auto end =
      std::to_chars(text, text + sizeof text, number, plain ? std::chars_format::fixed : std::chars_format::scientific).ptr;
  const std::string_view digits(text, static_cast<std::size_t>(end - text));
  return concat({digits, plain && digits.find('.') == digits.npos ? ".0" : ""});
}
}  // namespace detail

/// `text` as a JSON string with quotes. Throws Error, naming `where` and `what`, when it is not valid UTF-8.
inline std::string json_quoted(const std::string& text, std::string_view where, std::string_view what) {
  if (const std::size_t at = find_invalid_utf8(text); at != std::string::npos)
    fail({.where = where, .what = concat({what, " is not valid UTF-8 at byte ", at}), .found = text});
  return json_string(text);
}

/// [1,2,3] from a range of elements, of which text_of(element) gives the JSON text.
template <class Range, class TextOf>
std::string json_list(const Range& elements, TextOf&& text_of) {
  std::string text = "[";
  for (const auto& element : elements) text += concat({text.size() > 1 ? "," : "", text_of(element)});
  return text + "]";
}

/// {"depth":2,"sharing":{"repeat":3}} from {"sharing.repeat", "3"} and {"depth", "2"}: sorted by name, a dot opens an
/// object. Preconditions: each name once, at most one dot in it, nothing to escape; each text is JSON.
inline std::string json_object(std::vector<std::pair<std::string, std::string>> names_and_texts) {
  std::sort(names_and_texts.begin(), names_and_texts.end());
  std::string text = "{", open;  // "sharing." while that object is
  for (const auto& [name, value] : names_and_texts) {
    const std::size_t dot = name.find('.');
    const std::string inside = dot == std::string::npos ? std::string() : name.substr(0, dot + 1);
    const bool another = inside != open;
    if (another && !open.empty()) text += '}';
    if (text.back() != '{') text += ',';
    if (another && !inside.empty()) text += concat({"\"", inside.substr(0, inside.size() - 1), "\":{"});
    open = inside;
    text += concat({"\"", name.substr(inside.size()), "\":", value});
  }
  return text + (open.empty() ? "}" : "}}");
}

}  // namespace minivit::inline MINIVIT_ISA
