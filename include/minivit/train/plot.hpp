// SPDX-License-Identifier: MIT
// Line charts as SVG text: training curves without a plotting library. Several panels under each other, several series in
// each, round ticks, a legend, dark text on white. Points that are not finite leave a gap. No bars, no log axes.
#pragma once

#include <minivit/core/file.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// One line of a chart. `x` and `y` have the same length.
struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
};

/// One panel.
struct Chart {
  std::string title;
  std::string x_title;
  std::string y_title;
  std::vector<Series> series;
  std::optional<double> y_min{};  ///< otherwise from the data
  std::optional<double> y_max{};
};

/// Round numbers that divide [low, high] into about `wanted` parts: steps of 1, 2 or 5 times a power of ten. The first
/// tick is not above `low`, the last not below `high`. Precondition: both finite, low <= high.
struct Ticks {
  double first = 0;
  double step = 1;
  int count = 2;

  double operator[](int i) const { return first + step * i; }
  double last() const { return (*this)[count - 1]; }

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

/// Text for XML; control bytes, which XML forbids, become spaces.
inline std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
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

/// Draws one panel into a box.
class Panel {
 public:
  Panel(const Chart& chart, double left, double top, double width, double height)
      : chart_(chart), left_(left + 76), top_(top + 58), right_(left + width - 28), bottom_(top + height - 54) {
    double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
    for (const Series& s : chart.series) {
      if (s.x.size() != s.y.size())
        fail({.where = "plot " + chart.title,
              .what = "series '" + s.name + "' has not one y for each x",
              .expected = std::to_string(s.x.size()),
              .found = std::to_string(s.y.size())});
      for (std::size_t i = 0; i < s.x.size(); ++i) {
        if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) continue;
        x_low = std::min(x_low, s.x[i]), x_high = std::max(x_high, s.x[i]);
        y_low = std::min(y_low, s.y[i]), y_high = std::max(y_high, s.y[i]);
      }
    }
    empty_ = !(x_low <= x_high);
    if (empty_) x_low = 0, x_high = 1, y_low = 0, y_high = 1;
    if (chart.y_min) y_low = *chart.y_min;
    if (chart.y_max) y_high = *chart.y_max;
    y_ = Ticks::around(y_low, std::max(y_low, y_high), 5);
    x_from_ = x_high > x_low ? x_low : x_low - 1;
    x_to_ = x_high > x_low ? x_high : x_low + 1;
    const bool whole = std::all_of(chart.series.begin(), chart.series.end(), [](const Series& s) {  // epochs, steps
      return std::all_of(s.x.begin(), s.x.end(), [](double x) { return !std::isfinite(x) || x == std::floor(x); });
    });
    x_ = Ticks::around(x_from_, x_to_, whole ? static_cast<int>(std::clamp(x_to_ - x_from_, 1.0, 8.0)) : 8);
  }

  std::string svg() const { return frame() + lines() + legend(); }

 private:
  static std::string colour(std::size_t i) {  // eight colours that stay apart for colour-blind readers (Okabe and Ito)
    constexpr std::array<const char*, 8> colours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#666666", "#b8a600"};
    return colours[i % colours.size()];
  }
  double px(double x) const { return left_ + (x - x_from_) / (x_to_ - x_from_) * (right_ - left_); }
  double py(double y) const { return bottom_ - (y - y_[0]) / (y_.last() - y_[0]) * (bottom_ - top_); }

  static std::string text(double x, double y, std::string_view attributes, std::string_view words) {
    return "<text x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" " + std::string(attributes) + ">" +
           xml_text(words) + "</text>\n";
  }
  static std::string stroke(double x1, double y1, double x2, double y2, std::string_view attributes) {
    return "<line x1=\"" + svg_number(x1) + "\" y1=\"" + svg_number(y1) + "\" x2=\"" + svg_number(x2) + "\" y2=\"" +
           svg_number(y2) + "\" " + std::string(attributes) + "/>\n";
  }

  std::string frame() const {
    std::string out;
    for (int i = 0; i < y_.count; ++i) {
      out += stroke(left_, py(y_[i]), right_, py(y_[i]), i == 0 ? "stroke=\"#333\"" : "stroke=\"#e4e4e4\"");
      out += text(left_ - 8, py(y_[i]) + 4, "text-anchor=\"end\"", y_.label(i));
    }
    for (int i = 0; i < x_.count; ++i) {
      if (x_[i] < x_from_ - 1e-9 * x_.step || x_[i] > x_to_ + 1e-9 * x_.step) continue;
      out += stroke(px(x_[i]), bottom_, px(x_[i]), bottom_ + 5, "stroke=\"#333\"");
      out += text(px(x_[i]), bottom_ + 19, "text-anchor=\"middle\"", x_.label(i));
    }
    out += text(left_, top_ - 34, "font-size=\"16\" font-weight=\"bold\"", chart_.title);
    out += text((left_ + right_) / 2, bottom_ + 42, "text-anchor=\"middle\"", chart_.x_title);
    if (empty_)
      out += text((left_ + right_) / 2, (top_ + bottom_) / 2, "text-anchor=\"middle\" fill=\"#777\"", "no finite values");
    const std::string x = svg_number(left_ - 58), y = svg_number((top_ + bottom_) / 2);
    out += "<text transform=\"translate(" + x + " " + y + ") rotate(-90)\" text-anchor=\"middle\">" +
           xml_text(chart_.y_title) + "</text>\n";
    return out;
  }

  std::string lines() const {
    std::string out;
    for (std::size_t k = 0; k < chart_.series.size(); ++k) {
      const Series& s = chart_.series[k];
      std::string path, dots;
      bool drawing = false;
      for (std::size_t i = 0; i < s.x.size(); ++i) {
        if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) {
          drawing = false;
          continue;
        }
        const double y = std::clamp(s.y[i], y_[0], y_.last());  // y_min and y_max may cut the data
        const std::string x_text = svg_number(px(s.x[i])), y_text = svg_number(py(y));
        path += (drawing ? "L" : "M") + x_text + " " + y_text;
        drawing = true;
        if (s.x.size() <= 40)
          dots += "<circle cx=\"" + x_text + "\" cy=\"" + y_text + "\" r=\"2.6\" fill=\"" + colour(k) + "\"/>\n";
      }
      if (!path.empty())
        out += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + colour(k) +
               "\" stroke-width=\"2\" stroke-linejoin=\"round\"/>\n" + dots;
    }
    return out;
  }

  /// A row between title and panel, where it can hide no data. Letters are taken as 7 wide at most.
  std::string legend() const {
    if (chart_.series.size() == 1 && chart_.series[0].name.empty()) return {};
    std::string out;
    double x = left_;
    const double y = top_ - 16;
    for (std::size_t k = 0; k < chart_.series.size(); ++k) {
      out += stroke(x, y, x + 22, y, "stroke=\"" + colour(k) + "\" stroke-width=\"3\"");
      out += text(x + 28, y + 4, "", chart_.series[k].name);
      x += 28 + 7 * static_cast<double>(chart_.series[k].name.size()) + 20;
    }
    return out;
  }

  const Chart& chart_;
  double left_, top_, right_, bottom_;
  double x_from_ = 0, x_to_ = 1;
  bool empty_ = false;
  Ticks x_, y_;
};

}  // namespace detail

/// The panels under each other as one SVG document of `width` pixels, each `height` pixels high. Throws Error when a series
/// has unequal numbers of x and y.
inline std::string svg(std::span<const Chart> panels, int width = 760, int height = 320) {
  const std::string w = std::to_string(width), h = std::to_string(height * static_cast<int>(panels.size()));
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + w + "\" height=\"" + h + "\" viewBox=\"0 0 " + w +
                    " " + h +
                    "\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"#222\">\n" +
                    "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  double top = 0;
  for (const Chart& chart : panels) {
    out += detail::Panel(chart, 0, top, width, height).svg();
    top += height;
  }
  return out + "</svg>\n";
}

/// Writes `svg(panels)` to a file. Throws Error when it cannot.
inline void write_svg(const std::filesystem::path& path, std::span<const Chart> panels, int width = 760, int height = 320) {
  const std::string text = svg(panels, width, height);
  write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace minivit::inline MINIVIT_ISA
