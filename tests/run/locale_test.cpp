// SPDX-License-Identifier: MIT
// A program with a locale, a time zone, a file mask and a folder of its own writes the same files byte for byte and reads
// them.
#include "small_run.hpp"

#include <minivit/run/csv_log.hpp>
#include <minivit/train/plot.hpp>

#include <clocale>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <locale>

#include <sys/stat.h>

#include "../catch.hpp"

namespace locale_test {

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
  mv::save(run.student, weights,
           {.preprocessing = {.mean = {0.4914f, 0.4822f, 0.4465f}, .crop_pct = 0.875f}, .model = "small"});
  put(folder / "numbers.jsonl", "{\"step\": 1234567, \"loss\": 0.0625}\n");
  mv::write_csv(folder / "numbers.jsonl", csv);
  const mv::Chart chart{
      .title = "loss", .x_title = "step", .y_title = "", .series = {{"a", {0.5, 1234.5, 2000000}, {0.125, 2.75, 1e-7}}}};
  mv::write_svg(svg, std::span(&chart, 1));
  const Model again = mv::load<Model>(weights);
  CHECK(std::memcmp(again.data(), run.student.data(), sizeof(float)) == 0);
  return {get(weights), without_speed(get(files.log)), get(csv), get(svg)};
}

void check_same(const std::vector<std::string>& found, const std::vector<std::string>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK((found[i] == expected[i]));  // in brackets: Catch2 would print the files
    CHECK_FALSE(found[i].empty());
  }
}

}  // namespace

TEST_CASE("locale: decimal commas and grouped digits of the program do not reach any file", "[run]") {
  const Folder first, second;
  const auto expected = written(first);
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
  const char* const c_before = std::setlocale(LC_ALL, nullptr);
  const std::string c_name = c_before != nullptr ? c_before : "C";
  for (const char* name :
       {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"})  // where one is installed, C's own functions use commas, too
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  const auto found = written(second);
  std::setlocale(LC_ALL, c_name.c_str());
  std::locale::global(before);
  check_same(found, expected);
}

TEST_CASE("locale: time zone, file mask and working folder change no byte; the mask decides who may read", "[run]") {
  const Folder first, second;
  const auto expected = written(first);
  const char* const zone = std::getenv("TZ");
  const std::string zone_before = zone != nullptr ? zone : "";
  const auto folder_before = std::filesystem::current_path();
  ::setenv("TZ", "Pacific/Chatham", 1);  // 12 h 45 min from Greenwich
  ::tzset();
  const mode_t mask_before = ::umask(077);
  std::filesystem::current_path(second.path());
  const auto found = written(second);
  const auto readers = std::filesystem::status("model.safetensors").permissions();
  std::filesystem::current_path(folder_before);
  ::umask(mask_before);
  if (zone != nullptr) ::setenv("TZ", zone_before.c_str(), 1);
  else ::unsetenv("TZ");
  ::tzset();
  check_same(found, expected);
  CHECK(readers == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

}  // namespace locale_test
