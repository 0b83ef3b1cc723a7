// SPDX-License-Identifier: MIT
// Which column of the table a pair of tokens reads, against tables of the reference.
#include "../catch.hpp"
#include "../fixtures.hpp"

#include <minivit/kernels/relative_position.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <string>
#include <type_traits>

namespace relative_position_test {

namespace mv = minivit;

TEST_CASE("relative position: buckets equal the reference's tables", "[model]") {
  std::ifstream in(fixtures::path("rpe_buckets.json"));
  const auto json = nlohmann::json::parse(in);
  const auto& piecewise = json["piecewise_product_ratio1.9"];
  for (std::size_t i = 0; i < piecewise["delta"].size(); ++i)
    CHECK(mv::kernels::PiecewiseIndex{}(piecewise["delta"][i].get<int>()) == piecewise["index"][i].get<int>());
  const auto check = [&]<int Side>(std::integral_constant<int, Side>, const std::string& name, mv::Index extra) {
    const auto& table = json["tables"][name];
    CHECK(table["num_buckets"].template get<int>() == mv::kernels::relative_columns(static_cast<int>(extra)));
    const mv::kernels::RelativeOffsets<Side> offsets;
    const mv::Index n = Side * Side + extra;
    for (mv::Index i = 0; i < static_cast<mv::Index>(table["ids"].size()); ++i)
      if (mv::kernels::relative_bucket(offsets.center(), i / n, i % n, Side, extra) !=
          table["ids"][static_cast<std::size_t>(i)].template get<int>()) {
        FAIL_CHECK(name << " differs at " << i);
        return;
      }
  };
  check(std::integral_constant<int, 4>{}, "product_4x4_skip0", 0);
  check(std::integral_constant<int, 4>{}, "product_4x4_skip1", 1);
  check(std::integral_constant<int, 7>{}, "product_7x7_skip0", 0);
  check(std::integral_constant<int, 7>{}, "product_7x7_skip1", 1);
  check(std::integral_constant<int, 14>{}, "product_14x14_skip0_first_row", 0);
}

}  // namespace relative_position_test
