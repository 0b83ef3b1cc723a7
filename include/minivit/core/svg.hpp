// SPDX-License-Identifier: MIT
// What SVG pictures are made of: round axis ticks, escaped text, lines, and the document around them (dark text on white,
// one font). train/plot.hpp draws curves with it, analysis/heat_map.hpp matrices. It knows nothing of either.
#pragma once

#include <minivit/core/utf8.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

/// Round numbers that divide [low, high] into about `wanted` parts: steps of 1, 2 or 5 times a power of ten. The first
/// tick is not above `low`, the last not below `high`. Precondition: both finite, low <= high.
struct Ticks {
  double first = 0;  ///< position of the first tick
  double step = 1;   ///< between neighbours, greater than 0
  int count = 2;     ///< at least 2

  double operator[](int i) const { return first + step * i; }  ///< position of tick i
  double last() const { return (*this)[count - 1]; }           ///< position of the last

  /// Ticks for an axis that must show `low` to `high`. When they are equal, the axis gets half of the value as room on both
  /// sides.
  static Ticks around(double low, double high, int wanted = 5) {
    if (!(high > low)) {  // a constant: make room around it
      const double room = low == 0 ? 1 : std::fabs(low) * 0.5;
      low -= room;
      high += room;
    }
    const double raw = (high - low) / wanted;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    const double digit = raw / power;
    Ticks t;
    t.step = power * (digit < 1.5 ? 1 : digit < 3 ? 2 : digit < 7 ? 5 : 10);
    const double slack = 1e-9;  // 0.3 / 0.1 is 2.9999999999999996
    const double from = std::floor(low / t.step + slack), to = std::ceil(high / t.step - slack);
    t.first = from * t.step;
    t.count = static_cast<int>(to - from) + 1;
    return t;
  }
  /// Text of tick i: as many decimals as the step needs; powers of ten outside 0.0001 .. 999999.
  std::string label(int i) const {
    const double value = std::fabs((*this)[i]) < step * 1e-6 ? 0 : (*this)[i];
    const double largest = std::max(std::fabs(first), std::fabs(last()));
    char text[32];
    if (largest < 1e-3 || largest >= 1e6) {
      if (value == 0) return "0";
      const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 1).ptr;
      std::string out(text, end);
      if (const auto zero = out.find(".0e"); zero != std::string::npos) out.erase(zero, 2);
      return out;
    }
    const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 8);
    return std::string(text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals).ptr);
  }
};

namespace detail {

/// Text for XML. Control bytes, which XML forbids, become spaces; bytes that are not UTF-8 become U+FFFD.
inline std::string xml_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text[0];
    if (length == 0) out += "\xEF\xBF\xBD";
    else if (length > 1) out += text.substr(0, length);
    else if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    text.remove_prefix(length > 0 ? length : 1);
  }
  return out;
}

/// A coordinate with at most two decimals, in every locale with a point.
inline std::string svg_number(double v) {
  char text[40];
  std::string out(text, std::to_chars(text, text + sizeof text, v, std::chars_format::fixed, 2).ptr);
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  return out;
}

/// A text element at (x, y); `attributes` is written as it is, `words` are escaped.
inline std::string svg_text(double x, double y, std::string_view attributes, std::string_view words) {
  return "<text x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" " + std::string(attributes) + ">" + xml_text(words) +
         "</text>\n";
}

/// The same, turned by `degrees` (clockwise) around (x, y).
inline std::string svg_turned_text(double x, double y, double degrees, std::string_view attributes, std::string_view words) {
  return "<text transform=\"translate(" + svg_number(x) + " " + svg_number(y) + ") rotate(" + svg_number(degrees) + ")\" " +
         std::string(attributes) + ">" + xml_text(words) + "</text>\n";
}

inline std::string svg_line(double x1, double y1, double x2, double y2, std::string_view attributes) {
  return "<line x1=\"" + svg_number(x1) + "\" y1=\"" + svg_number(y1) + "\" x2=\"" + svg_number(x2) + "\" y2=\"" +
         svg_number(y2) + "\" " + std::string(attributes) + "/>\n";
}

/// A whole document of width x height pixels around `body`.
inline std::string svg_document(int width, int height, std::string_view body) {
  const std::string w = std::to_string(width), h = std::to_string(height);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h + "\" viewBox=\"0 0 " + w + " " + h +
         "\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"#222\">\n" +
         "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n" + std::string(body) + "</svg>\n";
}

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
