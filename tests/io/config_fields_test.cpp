// SPDX-License-Identifier: MIT
// Which numbers a config from a file may have: every field of every family, from 1 to its limit.
#include "../catch.hpp"
#include "raw_file.hpp"

#include <minivit/io/config_json.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace config_fields_test {

using namespace minivit;
using namespace io_test;

namespace {

struct Limit {
  const char* field;
  int most;
};
const std::vector<Limit> vit_limits{{"image", 16384},  {"patch", 16384},       {"channels", 1024},
                                    {"dim", 65536},    {"depth", 4096},        {"heads", 4096},
                                    {"mlp_ratio", 64}, {"classes", 1'000'000}, {"sharing.repeat", 4096}};
const std::vector<Limit> swin_limits{{"image", 16384},  {"patch", 16384},      {"channels", 1024}, {"dim", 8192},
                                     {"depths", 256},   {"heads", 4096},       {"blocks", 256},    {"window", 128},
                                     {"mlp_ratio", 64}, {"classes", 1'000'000}};

/// The config as JSON, with `value` in place of the field's.
std::string with(const AnyConfig& config, std::string_view field, const std::string& value) {
  const std::string text = to_json(config), key = concat({"\"", field.substr(field.find('.') + 1), "\":"});
  const std::size_t from = text.find(key) + key.size();
  REQUIRE(text.find(key) != std::string::npos);
  const std::size_t to = text[from] == '[' ? text.find(']', from) + 1 : text.find_first_of(",}", from);
  return text.substr(0, from) + value + text.substr(to);
}

/// Every number of the family may be 1 to its limit, alone or at each place of its array, and nothing else.
void check_limits(AnyConfig plain, const std::vector<Limit>& limits) {
  std::size_t known = 0;
  for (const ConfigField& field : fields_of(plain)) {
    const std::string text = detail::field_text(field);
    const bool list = text.starts_with('[');
    if (!list && text.find_first_of("0123456789") != 0) continue;
    INFO(field.name);
    REQUIRE(known < limits.size());  // a new field needs its line above
    const auto& [name, most] = limits[known++];
    REQUIRE(field.name == name);
    std::vector<std::pair<std::string, std::string>> around{{"", ""}};
    if (list) around = {{"[", "]"}, {"[1,", "]"}, {"[", ",1,1,1]"}, {"[1,1,1,", "]"}};
    for (const auto& [before, behind] : around) {
      for (const int good : {1, 2, most - 1, most}) {
        const std::string json = with(plain, name, before + std::to_string(good) + behind);
        CHECK(to_json(config_from_json(json, "test")) == json);
      }
      for (const int bad : {most + 1, 0, -1, -most, 2'147'483'647}) {
        const std::string value = before + std::to_string(bad) + behind;
        CHECK(
            message_of([&] { config_from_json(with(plain, name, value), "test"); }) ==
            concat({"test: config field '", name, "' is wrong: expected ",
                    list ? "an array of 1 to 4 whole numbers" : "a whole number", " from 1 to ", most, ", found ", value}));
      }
    }
  }
  CHECK(known == limits.size());
}

}  // namespace

TEST_CASE("config: every number of a ViT is read from 1 to its limit", "[io]") { check_limits(ViTConfig{}, vit_limits); }

TEST_CASE("config: every number of a Swin is read from 1 to its limit", "[io]") { check_limits(SwinConfig{}, swin_limits); }

}  // namespace config_fields_test
