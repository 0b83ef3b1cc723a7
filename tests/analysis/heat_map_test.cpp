// SPDX-License-Identifier: MIT
// Heat maps: well-formed, cells where they belong and coloured by value, labels, numbers, and pictures of nothing.
#include <minivit/analysis/heat_map.hpp>

#include "../catch.hpp"

namespace heat_map_test {

namespace mv = minivit;
using mv::HeatMap;
using mv::Index;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

mv::Matrix matrix(Index rows, Index columns, std::vector<double> values) {
  mv::Matrix m(rows, columns);
  m.values = std::move(values);
  return m;
}

/// Tags open and close in order, attributes are quoted, and text holds no bare < or &.
bool well_formed(const std::string& text) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '&') {
      const auto end = text.find(';', at);
      const std::string entity = text.substr(at, end - at);
      if (entity != "&amp" && entity != "&lt" && entity != "&gt" && entity != "&quot") return false;
    }
    if (text[at] != '<') {
      if (open.empty() && text[at] != '\n') return false;  // text outside of the document
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    for (bool quoted = false; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '"') quoted = !quoted;
      if (text[end] == '<') return false;
    }
    if (end >= text.size()) return false;
    const std::string tag = text.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(tag[0] == '/' ? 1 : 0, tag.find_first_of(" /", 1) - (tag[0] == '/' ? 1 : 0));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    at = end + 1;
  }
  return open.empty();
}

std::string cell(double x, double y, double size, mv::Rgb c) {
  const auto n = [](double v) { return mv::detail::svg_number(v); };
  return "<rect x=\"" + n(x) + "\" y=\"" + n(y) + "\" width=\"" + n(size) + "\" height=\"" + n(size) + "\" fill=\"" +
         c.hex() + "\"/>";
}

}  // namespace

TEST_CASE("heat map: the test's own eye for broken XML", "[analysis]") {
  CHECK(well_formed("<svg a=\"1\"><g><rect x=\"<\"/></g></svg>\n") == false);
  CHECK(well_formed("<svg a=\"1\"><g><rect x=\"2\"/></g></svg>\n"));
  CHECK_FALSE(well_formed("<svg><g></svg></g>"));
  CHECK_FALSE(well_formed("<svg>a & b</svg>"));
  CHECK_FALSE(well_formed("<svg>"));
}

TEST_CASE("heat map: each number is a cell in its place and colour", "[analysis]") {
  HeatMap map{.title = "t", .values = matrix(2, 3, {0, 1, 2, 3, 4, NAN})};
  const auto shade = [](double t) { return mv::colour(mv::ColourMap::sequential, t); };
  const std::string text = svg(map);
  CHECK(well_formed(text));
  // left: 24 and one digit of 7 and 8; top: 62; cells of 48
  CHECK(count(text, cell(39, 62, 48, shade(0))) == 1);
  CHECK(count(text, cell(39 + 96, 62, 48, shade(0.5))) == 1);
  CHECK(count(text, cell(39 + 48, 110, 48, shade(1))) == 1);
  CHECK(count(text, cell(39 + 96, 110, 48, {190, 190, 190})) == 1);
  CHECK(count(text, "width=\"48\" height=\"48\"") == 6);
  map.first_row_at_bottom = true;
  CHECK(count(svg(map), cell(39, 110, 48, shade(0))) == 1);
  map.low = 0;
  map.high = 8;
  CHECK(count(svg(map), cell(39 + 48, 62, 48, shade(0.5))) == 1);
}

TEST_CASE("heat map: a diverging map has its middle at zero", "[analysis]") {
  const HeatMap map{.values = matrix(1, 3, {-1, 0, 4}), .colours = mv::ColourMap::diverging};
  const std::string text = svg(map);
  CHECK(count(text, mv::colour(mv::ColourMap::diverging, 0.5).hex()) == 1);
  CHECK(count(text, mv::colour(mv::ColourMap::diverging, 0.375).hex()) >= 1);
  CHECK(count(text, ">-4<") == 1);
  CHECK(count(text, ">4<") == 1);
}

TEST_CASE("heat map: numbers in the cells, dark on light and light on dark", "[analysis]") {
  HeatMap map{.values = matrix(2, 2, {0.004, 1, -0.0001, 0.256}), .decimals = 2};
  std::string text = svg(map);
  CHECK(count(text, ">0.00</text>") == 2);  // not -0.00
  CHECK(count(text, ">1.00</text>") == 1);
  CHECK(count(text, ">0.26</text>") == 1);
  CHECK(count(text, "fill=\"#fff\">1.00<") == 1);
  CHECK(count(text, "fill=\"#fff\">0.00<") == 0);
  map.values = matrix(1, 2, {123456789, 5});
  map.decimals = 0;
  text = svg(map);
  CHECK(count(text, ">123456789<") == 1);
  CHECK(count(text, "width=\"79\" height=\"79\"") == 2);  // wide enough for nine digits
  map.decimals = -1;
  CHECK(count(svg(map), ">123456789<") == 0);
}

TEST_CASE("heat map: labels and titles are escaped; long ones are turned, close ones thinned out", "[analysis]") {
  HeatMap map{.title = "a < b & \"c\"",
              .row_title = "is",
              .column_title = "called",
              .values = matrix(2, 2, {1, 2, 3, 4}),
              .row_labels = {"cat & dog", "x"},
              .column_labels = {"automobile", "<i>"},
              .scale_title = "images"};
  std::string text = svg(map);
  CHECK(well_formed(text));
  CHECK(count(text, ">a &lt; b &amp; &quot;c&quot;<") == 1);
  CHECK(count(text, ">cat &amp; dog<") == 1);
  CHECK(count(text, ">&lt;i&gt;<") == 1);
  CHECK(count(text, "rotate(-90)") == 3);  // two labels and the row title
  map.column_labels = {"a", "b"};
  CHECK(count(svg(map), "rotate(-90)") == 1);
  const HeatMap fine{.values = mv::Matrix(100, 100)};
  text = svg(fine);  // cells of 5.6: every third label
  CHECK(well_formed(text));
  CHECK(count(text, ">3</text>") == 2);
  CHECK(count(text, ">4</text>") == 0);
}

TEST_CASE("heat map: nothing, one number and all NaN are pictures, too", "[analysis]") {
  for (const mv::Matrix& values :
       {mv::Matrix(), matrix(1, 1, {7}), matrix(1, 2, {NAN, INFINITY}), matrix(1, 2, {1e300, -1e300})})
    for (const int decimals : {-1, 1})
      for (const auto colours : {mv::ColourMap::sequential, mv::ColourMap::diverging}) {
        const std::string text = svg(HeatMap{.title = "x", .values = values, .colours = colours, .decimals = decimals});
        CHECK(well_formed(text));
        CHECK(text.ends_with("</svg>\n"));
        CHECK(text.find("nan") == std::string::npos);
        CHECK(text.find("inf") == std::string::npos);
      }
}

TEST_CASE("heat map: wrong labels and paths are refused", "[analysis]") {
  CHECK_THROWS_WITH(svg(HeatMap{.title = "cka", .values = mv::Matrix(2, 2), .row_labels = {"a"}}),
                    "heat map cka: row labels: expected 2 or none, found 1");
  CHECK_THROWS_AS(svg(HeatMap{.values = mv::Matrix(2, 2), .column_labels = {"a", "b", "c"}}), mv::Error);
  CHECK_THROWS_AS(write_svg("/nonexistent/folder/a.svg", HeatMap{}), mv::Error);
}

}  // namespace heat_map_test
