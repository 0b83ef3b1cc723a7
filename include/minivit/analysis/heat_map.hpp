// SPDX-License-Identifier: MIT
// A matrix as a picture: SVG text with one coloured cell per number, labels, numbers in the cells when wanted, and a scale
// beside it. For confusion matrices and alignments of layers. Cells that are not finite are grey.
#pragma once

#include <minivit/analysis/colour_map.hpp>
#include <minivit/analysis/matrix.hpp>
#include <minivit/core/file.hpp>
#include <minivit/core/svg.hpp>

#include <limits>
#include <optional>

namespace minivit::inline MINIVIT_ISA {

/// What to draw. Row labels stand on the left, column labels below; empty ones are the numbers 0, 1, ...
struct HeatMap {
  std::string title{};                       ///< above the cells; empty: none
  std::string row_title{};                   ///< beside the row labels
  std::string column_title{};                ///< below the column labels
  Matrix values{};                           ///< one cell for each number
  std::vector<std::string> row_labels{};     ///< one for each row, or empty
  std::vector<std::string> column_labels{};  ///< one for each column, or empty
  std::string scale_title{};                 ///< beside the scale: what the numbers are
  std::optional<double> low{};               ///< number at the lower end of the colours; otherwise from the values
  std::optional<double> high{};  ///< and at the upper; a diverging map takes the same distance to both sides of 0
  ColourMap colours = ColourMap::sequential;  ///< sequential, or diverging around 0
  int decimals = -1;                          ///< of the numbers in the cells, 0 to 9; -1: no numbers
  bool first_row_at_bottom = false;           ///< as in figures of layer against layer
};

namespace detail {

/// Draws one heat map.
class HeatMapPicture {
 public:
  explicit HeatMapPicture(const HeatMap& map) : map_(map) {
    check_labels("row labels", map.row_labels, map.values.rows);
    check_labels("column labels", map.column_labels, map.values.columns);
    const Index longer = std::max<Index>({map.values.rows, map.values.columns, 1});
    cell_ = std::clamp(560.0 / static_cast<double>(longer), 3.0, 48.0);
    if (map.decimals >= 0) cell_ = std::max(cell_, 16 + letter * static_cast<double>(widest_number()));
    find_range();
    const double row_room = letter * static_cast<double>(longest(map.row_labels, map.values.rows));
    left_ = 24 + (map.row_title.empty() ? 0 : 22) + row_room + 8;
    right_ = left_ + cell_ * static_cast<double>(map.values.columns);
    bottom_ = top_ + cell_ * static_cast<double>(map.values.rows);
    const double column_room = letter * static_cast<double>(longest(map.column_labels, map.values.columns));
    turned_ = column_room > cell_ * static_cast<double>(stride()) - 4;
    below_ = (turned_ ? column_room + 10 : 22) + (map.column_title.empty() ? 0 : 22);
  }

  std::string svg() const {
    const double scale_height = std::max(bottom_ - top_, 120.0);
    const double title_width = left_ + 9.5 * static_cast<double>(letters(map_.title)) + 20;
    const double scale_width = right_ + 26 + std::max(84.0, letter * static_cast<double>(letters(map_.scale_title)) + 16);
    const int width = static_cast<int>(std::ceil(std::max(scale_width, title_width)));
    const int height = static_cast<int>(std::ceil(std::max(bottom_ + below_, top_ + scale_height) + 16));
    return svg_document(width, height, cells() + labels() + scale(scale_height));
  }

 private:
  static constexpr double letter = 7;  // width of a letter at most, as in train/plot.hpp

  static Index letters(std::string_view text) {  // code points
    return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; });
  }
  static std::string label(const std::vector<std::string>& given, Index i) {
    return given.empty() ? std::to_string(i) : given[static_cast<std::size_t>(i)];
  }
  static Index longest(const std::vector<std::string>& given, Index count) {
    Index most = given.empty() ? static_cast<Index>(std::to_string(std::max<Index>(count - 1, 0)).size()) : 0;
    for (const std::string& text : given) most = std::max(most, letters(text));
    return most;
  }
  void check_labels(const char* what, const std::vector<std::string>& given, Index count) const {
    if (!given.empty() && static_cast<Index>(given.size()) != count)
      fail({.where = "heat map " + map_.title,
            .what = what,
            .expected = std::to_string(count) + " or none",
            .found = std::to_string(given.size())});
  }
  std::string number(double v) const {
    if (!std::isfinite(v)) return "-";
    char text[400];  // the largest double has 309 digits
    std::string out(
        text, std::to_chars(text, text + sizeof text, v, std::chars_format::fixed, std::clamp(map_.decimals, 0, 9)).ptr);
    return out.find_first_not_of("-0.") == out.npos && out[0] == '-' ? out.substr(1) : out;  // no "-0.00"
  }
  Index widest_number() const {
    Index most = 0;
    for (const double v : map_.values.values) most = std::max(most, static_cast<Index>(number(v).size()));
    return most;
  }

  void find_range() {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const double v : map_.values.values)
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    if (!(low <= high)) low = 0, high = 1;
    if (map_.colours == ColourMap::diverging) {
      high = std::max(std::abs(low), std::abs(high));
      low = -high;
    }
    low_ = map_.low.value_or(low);
    high_ = map_.high.value_or(high);
    if (!(high_ > low_)) high_ = low_ + std::max(1.0, std::abs(low_));  // a constant has the colour of the lower end
  }
  Rgb colour_of(double v) const {
    return colour(map_.colours, std::isfinite(v) ? (v - low_) / (high_ - low_) : std::nan(""));
  }

  double row_top(Index i) const {
    return map_.first_row_at_bottom ? bottom_ - cell_ * static_cast<double>(i + 1) : top_ + cell_ * static_cast<double>(i);
  }
  double column_left(Index j) const { return left_ + cell_ * static_cast<double>(j); }
  /// Every so many rows and columns have a label, so that labels are 14 apart at least.
  Index stride() const { return static_cast<Index>(std::ceil(14 / cell_)); }

  static std::string rectangle(double x, double y, double width, double height, std::string_view attributes) {
    return "<rect x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" width=\"" + svg_number(width) + "\" height=\"" +
           svg_number(height) + "\" " + std::string(attributes) + "/>\n";
  }

  std::string cells() const {
    std::string fills = "<g shape-rendering=\"crispEdges\">\n", numbers;  // without it lines shine through between cells
    for (Index i = 0; i < map_.values.rows; ++i)
      for (Index j = 0; j < map_.values.columns; ++j) {
        const double v = map_.values(i, j);
        const Rgb c = colour_of(v);
        fills += rectangle(column_left(j), row_top(i), cell_, cell_, "fill=\"" + c.hex() + "\"");
        if (map_.decimals >= 0)
          numbers += svg_text(column_left(j) + cell_ / 2, row_top(i) + cell_ / 2 + 4,
                              is_dark(c) ? "text-anchor=\"middle\" fill=\"#fff\"" : "text-anchor=\"middle\"", number(v));
      }
    return fills + "</g>\n" + numbers +
           rectangle(left_, top_, right_ - left_, bottom_ - top_, "fill=\"none\" stroke=\"#333\"");
  }

  std::string labels() const {
    std::string out = svg_text(24, 30, "font-size=\"16\" font-weight=\"bold\"", map_.title);
    for (Index i = 0; i < map_.values.rows; i += stride())
      out += svg_text(left_ - 8, row_top(i) + cell_ / 2 + 4, "text-anchor=\"end\"", label(map_.row_labels, i));
    for (Index j = 0; j < map_.values.columns; j += stride()) {
      const double x = column_left(j) + cell_ / 2;
      if (turned_) out += svg_turned_text(x + 4, bottom_ + 8, -90, "text-anchor=\"end\"", label(map_.column_labels, j));
      else out += svg_text(x, bottom_ + 18, "text-anchor=\"middle\"", label(map_.column_labels, j));
    }
    if (!map_.row_title.empty())
      out += svg_turned_text(28, (top_ + bottom_) / 2, -90, "text-anchor=\"middle\"", map_.row_title);
    if (!map_.column_title.empty())
      out += svg_text((left_ + right_) / 2, bottom_ + below_ - 4, "text-anchor=\"middle\"", map_.column_title);
    return out;
  }

  std::string scale(double height) const {
    constexpr int steps = 64;
    const double x = right_ + 26, step = height / steps;
    std::string out = "<g shape-rendering=\"crispEdges\">\n";
    for (int i = 0; i < steps; ++i)
      out += rectangle(x, top_ + step * (steps - 1 - i), 16, step,
                       "fill=\"" + colour(map_.colours, (i + 0.5) / steps).hex() + "\"");
    out += "</g>\n" + rectangle(x, top_, 16, height, "fill=\"none\" stroke=\"#333\"");
    const Ticks ticks = Ticks::around(low_, high_, 5);
    for (int i = 0; i < ticks.count; ++i) {
      const double share = (ticks[i] - low_) / (high_ - low_);
      if (share < -1e-9 || share > 1 + 1e-9) continue;
      const double y = top_ + height * (1 - share);
      out += svg_line(x + 16, y, x + 21, y, "stroke=\"#333\"") + svg_text(x + 25, y + 4, "", ticks.label(i));
    }
    return out + svg_text(x, top_ - 8, "", map_.scale_title);
  }

  const HeatMap& map_;
  double cell_ = 0, low_ = 0, high_ = 1;
  double left_ = 0, top_ = 62, right_ = 0, bottom_ = 0, below_ = 0;
  bool turned_ = false;
};

}  // namespace detail

/// The heat map as one SVG document, as large as its cells need. Throws Error when there is not one label for each row or
/// column.
inline std::string svg(const HeatMap& map) { return detail::HeatMapPicture(map).svg(); }

/// Writes `svg(map)` to a file. Throws Error when it cannot.
inline void write_svg(const std::filesystem::path& path, const HeatMap& map) {
  const std::string text = svg(map);
  write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace minivit::inline MINIVIT_ISA
