// SPDX-License-Identifier: MIT
// What fuzzing kept, in tests/fuzz/corpus, once more through the targets: also under the sanitizers, where this test runs,
// too.
#include "../fuzz/data_targets.hpp"

#include "../catch.hpp"
#include "../fuzz/replay.hpp"

namespace fuzz_replay_test {

TEST_CASE("fuzz: every kept input of 'image' is read or refused in one line", "[data]") {
  CHECK(fuzz::replay("image", fuzz::image) > 0);
}
TEST_CASE("fuzz: every kept input of 'lists' is read or refused in one line", "[data]") {
  CHECK(fuzz::replay("lists", fuzz::lists) > 0);
}

}  // namespace fuzz_replay_test
