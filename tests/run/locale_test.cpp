// SPDX-License-Identifier: MIT
// A program with a locale of its own, decimal commas and grouped digits, writes the same files byte for byte and reads them.
#include "small_run.hpp"

#include <minivit/run/csv_log.hpp>
#include <minivit/train/plot.hpp>

#include <clocale>
#include <locale>

#include "../catch.hpp"

using namespace small_run;

namespace {

struct Commas : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

/// Everything that a run and what is drawn of it leave in `folder`.
std::vector<std::string> written(const Folder& folder) {
  const Files files{folder / "run.training", folder / "run.jsonl"};
  Run run(plain, files, 1);
  const std::string weights = folder / "model.safetensors", csv = folder / "run.csv", svg = folder / "run.svg";
  mv::save(run.student, weights, {.preprocessing = {.mean = {0.4914f, 0.4822f, 0.4465f}, .crop_pct = 0.875f}, .model = "small"});
  put(folder / "numbers.jsonl", "{\"step\": 1234567, \"loss\": 0.0625}\n");
  mv::write_csv(folder / "numbers.jsonl", csv);
  const mv::Chart chart{.title = "loss", .x_title = "step", .y_title = "", .series = {{"a", {0.5, 1234.5, 2000000}, {0.125, 2.75, 1e-7}}}};
  mv::write_svg(svg, std::span(&chart, 1));
  const Model again = mv::load<Model>(weights);
  CHECK(std::memcmp(again.data(), run.student.data(), sizeof(float)) == 0);
  return {get(weights), without_speed(get(files.log)), get(csv), get(svg)};
}

}  // namespace

TEST_CASE("locale: decimal commas and grouped digits of the program do not reach any file", "[run]") {
  const Folder first, second;
  const auto expected = written(first);
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
  const char* const c_before = std::setlocale(LC_ALL, nullptr);
  const std::string c_name = c_before != nullptr ? c_before : "C";
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"})  // where one is installed, C's own functions use commas, too
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  const auto found = written(second);
  std::setlocale(LC_ALL, c_name.c_str());
  std::locale::global(before);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK((found[i] == expected[i]));  // in brackets: Catch2 would print the files
    CHECK_FALSE(found[i].empty());
  }
}
