// SPDX-License-Identifier: MIT
// Charts: round ticks, where points land, gaps, escaping, and pictures of nothing.
#include <minivit/train/plot.hpp>

#include "catch.hpp"

#include <cmath>
#include <random>

namespace plot_test {

using namespace minivit;

namespace {
std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}
std::string picture(const Chart& chart) { return svg(std::span(&chart, 1)); }
}  // namespace

TEST_CASE("plot: ticks are round, cover the data and are not many", "[train]") {
  std::mt19937 random(1);  // NOLINT: the same cases every time
  std::uniform_real_distribution<double> mantissa(-1, 1), exponent(-9, 9);
  for (int i = 0; i < 2000; ++i) {
    const double scale = std::pow(10, exponent(random));
    double low = mantissa(random) * scale, high = mantissa(random) * scale;
    if (low > high) std::swap(low, high);
    CAPTURE(low, high);
    const Ticks t = Ticks::around(low, high);
    const double slack = 1e-6 * t.step;
    REQUIRE(t[0] <= low + slack);
    REQUIRE(t.last() >= high - slack);
    REQUIRE(t[1] > low - slack);
    REQUIRE(t[t.count - 2] < high + slack);
    REQUIRE(t.count >= 2);
    REQUIRE(t.count <= 10);  // the data are below 7.5 steps wide and touch at most 9 of them
    const double digit = t.step / std::pow(10, std::floor(std::log10(t.step) + 1e-9));
    REQUIRE((std::fabs(digit - 1) < 1e-6 || std::fabs(digit - 2) < 1e-6 || std::fabs(digit - 5) < 1e-6));
  }
}

TEST_CASE("plot: tick labels", "[train]") {
  const auto labels = [](double low, double high) {
    const Ticks t = Ticks::around(low, high);
    std::string all;
    for (int i = 0; i < t.count; ++i) all += (i ? " " : "") + t.label(i);
    return all;
  };
  CHECK(labels(0, 1) == "0.0 0.2 0.4 0.6 0.8 1.0");
  CHECK(labels(0, 0.3) == "0.00 0.05 0.10 0.15 0.20 0.25 0.30");
  CHECK(labels(3, 98) == "0 20 40 60 80 100");
  CHECK(labels(-1, 1) == "-1.0 -0.5 0.0 0.5 1.0");
  CHECK(labels(0, 5e-5) == "0 1e-05 2e-05 3e-05 4e-05 5e-05");
  CHECK(labels(0, 3e6) == "0 5e+05 1e+06 1.5e+06 2e+06 2.5e+06 3e+06");
  CHECK(labels(4, 4) == "2 3 4 5 6");
  CHECK(labels(0, 0) == "-1.0 -0.5 0.0 0.5 1.0");
}

TEST_CASE("plot: points land where the axes say", "[train]") {
  // One panel of 760 x 320: x from 76 to 732, y from 266 (0) up to 58 (1).
  const std::string text = picture({"t", "x", "y", {{"a", {0, 5, 10}, {0, 0.5, 1}}}});
  CHECK(text.find("d=\"M76 266L404 162L732 58\"") != std::string::npos);
}

TEST_CASE("plot: a value that is not finite leaves a gap; limits cut the data", "[train]") {
  const std::string gap = picture({"t", "x", "y", {{"a", {0, 1, 2, 3, 4}, {0, 1, std::nan(""), 1, 0}}}});
  CHECK(count(gap, "M76 ") == 1);
  const auto d = gap.substr(gap.find(" d=\""), gap.find('"', gap.find(" d=\"") + 4) - gap.find(" d=\""));
  CHECK(count(d, "M") == 2);
  CHECK(gap.find("nan") == std::string::npos);
  const std::string cut = picture({"t", "x", "y", {{"a", {0, 1}, {-50, 500}}}, 0.0, 100.0});
  CHECK(cut.find("d=\"M76 266L732 58\"") != std::string::npos);
}

TEST_CASE("plot: epochs get whole ticks, titles are escaped, series get a legend", "[train]") {
  const std::string text = picture(
      {"a < b & \"c\"", "epoch", "y", {{"one", {1, 2, 3}, {1, 2, 3}}, {"two", {1, 2, 3}, {3, 2, 1}}}});
  CHECK(text.find(">2.5<") == text.rfind(">2.5<"));  // on the y axis only
  CHECK(text.find("a &lt; b &amp; &quot;c&quot;") != std::string::npos);
  CHECK(count(text, ">one<") == 1);
  CHECK(count(text, ">two<") == 1);
  CHECK(count(text, "<path") == 2);
  CHECK(count(text, "#0072b2") >= 2);  // line and legend
}

TEST_CASE("plot: a legend that does not fit into one row goes on in the next", "[train]") {
  Chart chart{"t", "x", "y", {}};
  for (int i = 0; i < 9; ++i) chart.series.push_back({"series_with_a_long_name_" + std::to_string(i), {0, 1}, {0, 1}});
  const std::string text = picture(chart);
  // names of 25 letters take 203 and 20 between them: three in a row of 656
  for (const char* place :
       {"<text x=\"104\" y=\"46\" >series_with_a_long_name_0<", "<text x=\"104\" y=\"64\" >series_with_a_long_name_3<",
        "<text x=\"550\" y=\"82\" >series_with_a_long_name_8<"})
    CHECK(text.find(place) != std::string::npos);
  CHECK(text.find("M76 266L732 94") != std::string::npos);  // the panel begins two rows lower
}

TEST_CASE("plot: names of any bytes give text that XML allows", "[train]") {
  // Latin-1 e, a cut sequence of three, a surrogate, a tab; UTF-8 stays
  const std::string text = picture(
      {"caf\xE9 \xE2\x82", "\xED\xA0\x80", "a\tb", {{"caf\xC3\xA9 \xE2\x82\xAC", {1, 2}, {1, 2}}}});
  CHECK(text.find(">caf\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD<") != std::string::npos);
  CHECK(text.find(">\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD<") != std::string::npos);
  CHECK(text.find(">a b<") != std::string::npos);
  CHECK(text.find("caf\xC3\xA9 \xE2\x82\xAC<") != std::string::npos);
}

TEST_CASE("plot: nothing, one point and all NaN are pictures, too", "[train]") {
  const double nan = std::nan("");
  for (const Chart& chart :
       {Chart{"none", "x", "y", {}}, Chart{"empty", "x", "y", {{"a", {}, {}}}}, Chart{"one", "x", "y", {{"a", {7}, {3e-5}}}},
        Chart{"nan", "x", "y", {{"a", {1, 2}, {nan, nan}}}}}) {
    CAPTURE(chart.title);
    const std::string text = picture(chart);
    CHECK(text.ends_with("</svg>\n"));
    CHECK(text.find("nan\"") == std::string::npos);
    CHECK(text.find("inf") == std::string::npos);
    CHECK((text.find("no finite values") != std::string::npos) == (chart.title != "one"));
  }
}

TEST_CASE("plot: wrong series and paths are refused", "[train]") {
  CHECK_THROWS_WITH(picture({"loss", "x", "y", {{"a", {1, 2}, {1}}}}),
                    "plot loss: series 'a' has not one y for each x: expected 2, found 1");
  CHECK_THROWS_AS(write_svg("/nonexistent/folder/a.svg", std::span<const Chart>()), Error);
}

}  // namespace plot_test
