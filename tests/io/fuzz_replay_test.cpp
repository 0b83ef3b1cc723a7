// SPDX-License-Identifier: MIT
// What fuzzing kept, in tests/fuzz/corpus, once more through the targets: also under the sanitizers, where this test runs,
// too.
#include "../fuzz/io_targets.hpp"

#include "../catch.hpp"
#include "../fuzz/replay.hpp"

namespace fuzz_replay_test {

TEST_CASE("fuzz: every kept input of 'weights' is read or refused in one line", "[io]") {
  CHECK(fuzz::replay("weights", fuzz::weights) > 0);
}
TEST_CASE("fuzz: every kept input of 'model' is read or refused in one line", "[io]") {
  CHECK(fuzz::replay("model", fuzz::model) > 0);
}
TEST_CASE("fuzz: every kept input of 'pickle' is read or refused in one line", "[io]") {
  CHECK(fuzz::replay("pickle", fuzz::pickle) > 0);
}
TEST_CASE("fuzz: every kept input of 'settings' is read or refused in one line", "[io]") {
  CHECK(fuzz::replay("settings", fuzz::settings) > 0);
}

}  // namespace fuzz_replay_test
