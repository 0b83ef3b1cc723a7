// SPDX-License-Identifier: MIT
#include <minivit/run/csv_log.hpp>

#include "../catch.hpp"

namespace csv_log_test {

using namespace minivit;

TEST_CASE("csv: columns in order of appearance, missing values empty, fields quoted when they must be", "[train]") {
  CHECK(csv_from_json_lines("{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2, \"loss\": null, \"note\": \"a, \\\"b\\\"\"}\n",
                            "log") == "step,loss,note\r\n1,0.5,\r\n2,,\"a, \"\"b\"\"\"\r\n");
  CHECK(csv_from_json_lines("{\"b\": 1}\n{\"a\": 2}", "log") == "b,a\r\n1,\r\n,2\r\n");  // the last line may lack its end
  CHECK(csv_from_json_lines("", "log") == "\r\n");
}

TEST_CASE("csv: a line that is no flat object is named", "[train]") {
  CHECK_THROWS_WITH(csv_from_json_lines("{\"a\": 1}\n[1]\n", "run.jsonl"), Catch::Contains("run.jsonl, line 2"));
  CHECK_THROWS_WITH(csv_from_json_lines("{\"a\": {\"b\": 1}}\n", "run.jsonl"), Catch::Contains("'a'"));
  CHECK_THROWS_WITH(csv_from_json_lines("{\"a\": 1\n", "run.jsonl"), Catch::Contains("run.jsonl, line 1"));
}

}  // namespace csv_log_test
