// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/core/errors.hpp>

#include <cstdint>
#include <limits>

namespace errors_test {

namespace mv = minivit;

TEST_CASE("concat: texts and whole numbers of every type", "[core]") {
  const std::string text = "text";
  CHECK(mv::concat({}).empty());
  CHECK(mv::concat({"a ", text, std::string_view(text).substr(1, 2), ""}) == "a textex");
  CHECK(mv::concat({std::string_view(), std::string(), "|"}) == "|");
  CHECK(mv::concat({0, " ", -1, " ", std::size_t{7}, " ", std::uint8_t{200}}) == "0 -1 7 200");
  CHECK(mv::concat({std::numeric_limits<std::int64_t>::min(), " ", std::numeric_limits<std::uint64_t>::max()}) ==
        "-9223372036854775808 18446744073709551615");
  CHECK(mv::concat({std::numeric_limits<std::int64_t>::max(), " ", std::numeric_limits<std::int8_t>::min()}) ==
        "9223372036854775807 -128");
}

TEST_CASE("Error: one line of what, where, expected, found and a hint, each only where there is one", "[core]") {
  const auto says = [](const mv::Problem& p) { return std::string(mv::Error(p).what()); };
  CHECK(says({.where = "a.png", .what = "is damaged"}) == "a.png: is damaged");
  CHECK(says({.where = "a", .what = "b", .expected = "c"}) == "a: b: expected c");
  CHECK(says({.where = "a", .what = "b", .found = "d"}) == "a: b: found d");
  CHECK(says({.where = "a", .what = "b", .expected = "c", .found = "d", .hint = "e"}) == "a: b: expected c, found d (e)");
  CHECK(says({.where = "line\nbreak", .what = std::string(1000, 'x')}).find('\n') == std::string::npos);
  CHECK(says({.where = std::string(1000, 'w'),
              .what = std::string(1000, 'x'),
              .expected = std::string(1000, 'e'),
              .found = std::string(1000, 'f'),
              .hint = std::string(1000, 'h')})
            .size() < 1000);
}

}  // namespace errors_test
