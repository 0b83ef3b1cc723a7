// SPDX-License-Identifier: MIT
// Line charts as SVG text: training curves without a plotting library. Several panels under each other, several series in
// each, round ticks, a legend, dark text on white. Points that are not finite leave a gap. No bars, no log axes.
#pragma once

#include <minivit/core/file.hpp>
#include <minivit/core/svg.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// One line of a chart. `x` and `y` have the same length.
struct Series {
  std::string name;       ///< in the legend
  std::vector<double> x;  ///< (n), in the order in which points are joined
  std::vector<double> y;  ///< (n)
};

/// One panel.
struct Chart {
  std::string title;              ///< above the panel
  std::string x_title;            ///< below the axis
  std::string y_title;            ///< beside the axis
  std::vector<Series> series;     ///< drawn in this order, each in a colour of its own
  std::optional<double> y_min{};  ///< otherwise from the data
  std::optional<double> y_max{};  ///< otherwise from the data
};

namespace detail {

/// Draws one panel into a box.
class Panel {
 public:
  Panel(const Chart& chart, double left, double top, double width, double height)
      : chart_(chart), left_(left + 76), title_(top + 24), right_(left + width - 28), bottom_(top + height - 54) {
    top_ = place_legend() + 16;
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

  std::string svg() const { return frame() + lines() + legend_; }

 private:
  static std::string colour(std::size_t i) {  // eight colours that stay apart for colour-blind readers (Okabe and Ito)
    constexpr std::array<const char*, 8> colours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#666666", "#b8a600"};
    return colours[i % colours.size()];
  }
  double px(double x) const { return left_ + (x - x_from_) / (x_to_ - x_from_) * (right_ - left_); }
  double py(double y) const { return bottom_ - (y - y_[0]) / (y_.last() - y_[0]) * (bottom_ - top_); }

  std::string frame() const {
    std::string out;
    for (int i = 0; i < y_.count; ++i) {
      out += svg_line(left_, py(y_[i]), right_, py(y_[i]), i == 0 ? "stroke=\"#333\"" : "stroke=\"#e4e4e4\"");
      out += svg_text(left_ - 8, py(y_[i]) + 4, "text-anchor=\"end\"", y_.label(i));
    }
    for (int i = 0; i < x_.count; ++i) {
      if (x_[i] < x_from_ - 1e-9 * x_.step || x_[i] > x_to_ + 1e-9 * x_.step) continue;
      out += svg_line(px(x_[i]), bottom_, px(x_[i]), bottom_ + 5, "stroke=\"#333\"");
      out += svg_text(px(x_[i]), bottom_ + 19, "text-anchor=\"middle\"", x_.label(i));
    }
    out += svg_text(left_, title_, "font-size=\"16\" font-weight=\"bold\"", chart_.title);
    out += svg_text((left_ + right_) / 2, bottom_ + 42, "text-anchor=\"middle\"", chart_.x_title);
    if (empty_)
      out += svg_text((left_ + right_) / 2, (top_ + bottom_) / 2, "text-anchor=\"middle\" fill=\"#777\"",
                      "no finite values");
    out += svg_turned_text(left_ - 58, (top_ + bottom_) / 2, -90, "text-anchor=\"middle\"", chart_.y_title);
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

  /// Rows between title and panel, where they can hide no data. Letters are taken as 7 wide at most. Returns the last row's
  /// y.
  double place_legend() {
    double x = left_, y = title_ + 18;
    if (chart_.series.size() == 1 && chart_.series[0].name.empty()) return y;
    for (std::size_t k = 0; k < chart_.series.size(); ++k) {
      const double length = 28 + 7 * static_cast<double>(chart_.series[k].name.size());
      if (x > left_ && x + length > right_) x = left_, y += 18;
      legend_ += svg_line(x, y, x + 22, y, "stroke=\"" + colour(k) + "\" stroke-width=\"3\"");
      legend_ += svg_text(x + 28, y + 4, "", chart_.series[k].name);
      x += length + 20;
    }
    return y;
  }

  const Chart& chart_;
  double left_, title_, right_, bottom_, top_;
  std::string legend_;
  double x_from_ = 0, x_to_ = 1;
  bool empty_ = false;
  Ticks x_, y_;
};

}  // namespace detail

/// The panels under each other as one SVG document of `width` pixels, each `height` pixels high. Throws Error when a series
/// has unequal numbers of x and y.
inline std::string svg(std::span<const Chart> panels, int width = 760, int height = 320) {
  std::string body;
  double top = 0;
  for (const Chart& chart : panels) {
    body += detail::Panel(chart, 0, top, width, height).svg();
    top += height;
  }
  return detail::svg_document(width, height * static_cast<int>(panels.size()), body);
}

/// Writes `svg(panels)` to a file. Throws Error when it cannot.
inline void write_svg(const std::filesystem::path& path, std::span<const Chart> panels, int width = 760, int height = 320) {
  const std::string text = svg(panels, width, height);
  write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace minivit::inline MINIVIT_ISA
