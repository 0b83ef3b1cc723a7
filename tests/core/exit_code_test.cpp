// SPDX-License-Identifier: MIT
#include "../../examples/exit_code.hpp"

#include <new>
#include <stdexcept>
#include <system_error>

#include "../catch.hpp"

namespace exit_code_test {

using programs::exit_code_of;

namespace {
template <class E>
int code_when_thrown(const E& exception) {
  return exit_code_of("test", [&]() -> int { throw exception; });
}
}  // namespace

TEST_CASE("exit codes: a program's own code passes", "[core]") {
  CHECK(exit_code_of("test", [] { return 0; }) == 0);
  CHECK(exit_code_of("test", [] { return 130; }) == 130);
}

TEST_CASE("exit codes: 2 for what the command line and files are to blame for, 1 for all else", "[core]") {
  CHECK(code_when_thrown(minivit::Error({.where = "read x", .what = "damaged"})) == 2);
  const std::error_code denied = std::make_error_code(std::errc::permission_denied);
  CHECK(code_when_thrown(std::filesystem::filesystem_error("cannot create", "a\nb", denied)) == 2);
  CHECK(code_when_thrown(std::bad_alloc()) == 1);
  CHECK(code_when_thrown(std::system_error(denied, "output")) == 1);
  CHECK(code_when_thrown(std::logic_error("a mistake of the program")) == 1);
}

}  // namespace exit_code_test
