// SPDX-License-Identifier: MIT
// Pictures of `minivit analyse` that the library does not draw: bars with names, and a sheet of attention maps.
#pragma once

#include <minivit/analysis/attention_maps.hpp>
#include <minivit/analysis/gradient_norms.hpp>
#include <minivit/analysis/overlay.hpp>
#include <minivit/core/svg.hpp>
#include <minivit/data/image.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace cli {

namespace mv = minivit;

/// One horizontal bar for each row, its name on the left and its number at its end; the scale begins at zero.
inline std::string bars(const std::string& title, const std::vector<mv::PartNorm>& rows) {
  namespace draw = mv::detail;
  constexpr double letter = 7, step = 24, thick = 15, top = 58, width = 420;
  std::size_t longest = 0;
  double most = 0;
  for (const auto& row : rows) {
    longest = std::max(longest, row.name.size());
    if (std::isfinite(row.norm)) most = std::max(most, row.norm);
  }
  const double left = 24 + letter * static_cast<double>(longest) + 10,
               bottom = top + step * static_cast<double>(rows.size());
  const mv::Ticks ticks = mv::Ticks::around(0, most > 0 ? most : 1, 5);
  const auto at = [&](double value) { return left + width * value / ticks.last(); };
  std::string out = draw::svg_text(24, 30, "font-size=\"16\" font-weight=\"bold\"", title);
  for (int i = 0; i < ticks.count; ++i)
    out += draw::svg_line(at(ticks[i]), top, at(ticks[i]), bottom, i == 0 ? "stroke=\"#333\"" : "stroke=\"#e4e4e4\"") +
           draw::svg_text(at(ticks[i]), bottom + 19, "text-anchor=\"middle\"", ticks.label(i));
  double y = top;
  for (const auto& row : rows) {
    const double length = std::isfinite(row.norm) ? at(row.norm) - left : 0, middle = y + step / 2;
    out += "<rect x=\"" + draw::svg_number(left) + "\" y=\"" + draw::svg_number(middle - thick / 2) + "\" width=\"" +
           draw::svg_number(length) + "\" height=\"" + draw::svg_number(thick) + "\" fill=\"#0072b2\"/>\n";
    out += draw::svg_text(left - 10, middle + 4, "text-anchor=\"end\"", row.name) +
           draw::svg_text(left + length + 6, middle + 4, "", fmt::format("{:#.3g}", row.norm));
    y += step;
  }
  const double wide = std::max(left + width + 70, 48 + 9.5 * static_cast<double>(title.size()));
  return draw::svg_document(static_cast<int>(std::ceil(wide)), static_cast<int>(bottom) + 36, out);
}

/// One head's attention over the patches as mean_attention sees it: magnitudes, because with head mixing signs say nothing.
inline mv::Matrix head_attention(const mv::LayerMaps<float>& maps, mv::Index head) {
  const mv::LayerMaps<float> one{
      1, maps.tokens, maps.side, maps.extra_tokens, {maps.map(head), maps.map(head) + maps.tokens * maps.tokens}};
  return mv::patch_grid(mv::mean_attention(one), maps.side, maps.extra_tokens);
}

/// In a row: the picture, the rollout over it, and each head of the last layer over it. Each map has its own range of
/// colours.
inline mv::Image attention_sheet(const mv::Image& picture, const mv::AttentionMaps<float>& maps) {
  constexpr int gap = 8;
  std::vector<std::vector<std::uint8_t>> tiles{picture.rgb};
  const auto add = [&](const mv::Matrix& grid) {
    tiles.push_back(mv::overlay(picture.rgb, picture.width, picture.height, grid, {.alpha = 0.6}));
  };
  add(mv::rollout_grid(maps));
  for (mv::Index h = 0; h < maps.back().heads; ++h) add(head_attention(maps.back(), h));
  mv::Image sheet((picture.width + gap) * static_cast<int>(tiles.size()) + gap, picture.height + 2 * gap);
  std::fill(sheet.rgb.begin(), sheet.rgb.end(), std::uint8_t{255});
  int left = gap;
  for (const auto& tile : tiles) {
    for (int y = 0; y < picture.height; ++y)
      std::copy_n(tile.data() + mv::Index{y} * picture.width * 3, picture.width * 3, sheet.row(gap + y) + left * 3);
    left += picture.width + gap;
  }
  return sheet;
}

}  // namespace cli
