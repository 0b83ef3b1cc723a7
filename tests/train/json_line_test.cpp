// SPDX-License-Identifier: MIT
// JSON lines, read back by a JSON library.
#include <minivit/train/json_line.hpp>

#include "catch.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <vector>

namespace json_line_test {

using namespace minivit;

TEST_CASE("json line: members in order, one line", "[train]") {
  CHECK(JsonLine().str() == "{}");
  const std::vector<double> recall{0.5, 1, std::numeric_limits<double>::infinity()};
  JsonLine inner;
  inner.add("top1", 0.25);
  const std::string text = JsonLine()
                               .add("epoch", 3)
                               .add("loss", 0.1)
                               .add("resumed", true)
                               .add("model", "mini")
                               .add("recall", recall)
                               .add("test", inner)
                               .add(inner)
                               .str();
  CHECK(text == R"({"epoch": 3, "loss": 0.1, "resumed": true, "model": "mini", )"
                R"("recall": [0.5, 1, null], "test": {"top1": 0.25}, "top1": 0.25})");
}

TEST_CASE("json line: numbers survive, non-finite ones become null", "[train]") {
  for (const double v : {0.1, 1e-6, 1.0 / 3, 5e-324, -0.0, 1.7976931348623157e308, 123456789.0}) {
    CAPTURE(v);
    CHECK(nlohmann::json::parse(json_number(v)).get<double>() == v);
  }
  CHECK(json_number(0.1f) == "0.1");  // the shortest text of the float, not of its double
  CHECK(json_number(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(json_number(std::numeric_limits<double>::quiet_NaN()) == "null");
  CHECK(json_number(-std::numeric_limits<double>::infinity()) == "null");
}

TEST_CASE("json line: every byte and every text is valid JSON afterwards", "[train]") {
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    const std::string text = std::string("a") + static_cast<char>(byte) + "b";
    const std::string back = nlohmann::json::parse(json_string(text)).get<std::string>();
    CHECK(back == (byte < 0x80 ? text : std::string("a\uFFFDb")));
    CHECK(json_string(text).find_first_of(std::string("\n\r\0", 3)) == std::string::npos);
  }
  for (const char* good : {"ä", "€", "\xF0\x9F\x8C\xB1", "\"\\/", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF",
                           "\xE0\xA0\x80", "\xF0\x90\x80\x80"}) {
    CAPTURE(good);
    CHECK(nlohmann::json::parse(json_string(good)).get<std::string>() == good);
  }
}

TEST_CASE("json line: bytes that are not UTF-8 are replaced one by one", "[train]") {
  const std::string r = "\\ufffd";
  CHECK(json_string("\xC0\xAF") == '"' + r + r + '"');                  // overlong
  CHECK(json_string("\xE0\x80\xAF") == '"' + r + r + r + '"');          // overlong
  CHECK(json_string("\xED\xA0\x80") == '"' + r + r + r + '"');          // surrogate
  CHECK(json_string("\xF4\x90\x80\x80") == '"' + r + r + r + r + '"');  // beyond U+10FFFF
  CHECK(json_string("\xE2\x82") == '"' + r + r + '"');                  // cut short
}

}  // namespace json_line_test
