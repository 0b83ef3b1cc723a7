// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/data/order.hpp>

namespace order_test {

namespace mv = minivit;

TEST_CASE("repeated: each number stands several times in a row, up to the asked length", "[data]") {
  const std::vector<mv::Index> order{4, 0, 3, 1, 2};
  CHECK(mv::repeated(order, 3, 5) == std::vector<mv::Index>{4, 4, 4, 0, 0});
  CHECK(mv::repeated(order, 2, 10) == std::vector<mv::Index>{4, 4, 0, 0, 3, 3, 1, 1, 2, 2});
  CHECK(mv::repeated(order, 1, 5) == order);
  CHECK(mv::repeated(order, 7, 0).empty());
}

TEST_CASE("epoch_images: all images, or with repeats whole groups of 256 as in the reference", "[data]") {
  CHECK(mv::epoch_images(50000, 1) == 50000);
  CHECK(mv::epoch_images(50000, 3) == 49920);  // 195 * 256
  CHECK(mv::epoch_images(1281167, 3) == 1281024);
  CHECK(mv::epoch_images(256, 3) == 256);
  CHECK(mv::epoch_images(255, 3) == 255);  // the reference would be left with nothing
}

}  // namespace order_test
