// SPDX-License-Identifier: MIT
// Profile: every moment counts for one row, rows of a name are one, nothing happens without a recording.
#include <minivit/core/profile.hpp>

#include <string>
#include <thread>
#include <vector>

#include "../catch.hpp"

namespace profile_test {

namespace mv = minivit;

namespace {

void wait(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

const mv::Profile::Row* find(const mv::Profile& profile, const std::string& name) {
  for (const auto& row : profile)
    if (name == row.name) return &row;
  return nullptr;
}

/// A scope may stand in code that the compiler runs.
constexpr int constant() {
  const mv::Profile::Scope scope("never seen");
  return 3;
}
static_assert(constant() == 3);

}  // namespace

TEST_CASE("Profile: time goes to the innermost scope, and the rows add up to the whole", "[core]") {
  mv::Profile profile;
  const auto start = std::chrono::steady_clock::now();
  {
    const mv::Profile::Recording recording(profile);
    wait(2);
    for (int i = 0; i < 3; ++i) {
      const mv::Profile::Scope outer("outer");
      wait(1);
      const std::string same = "inner";  // another pointer each time, the same name
      const mv::Profile::Scope inner(i == 0 ? "inner" : same.c_str());
      wait(4);
    }
  }
  const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  REQUIRE(find(profile, "other"));
  REQUIRE(find(profile, "outer"));
  REQUIRE(find(profile, "inner"));
  CHECK(profile.end() - profile.begin() == 3);
  CHECK(find(profile, "outer")->calls == 3);
  CHECK(find(profile, "inner")->calls == 3);
  double sum = 0;
  for (const auto& row : profile) sum += row.seconds;
  CHECK(sum <= whole);
  // sleeps take at least what they are told
  CHECK(find(profile, "other")->seconds >= 0.002);
  CHECK(find(profile, "outer")->seconds >= 0.003);
  CHECK(find(profile, "inner")->seconds >= 0.012);
}

TEST_CASE(
    "Profile: without a recording, and on other threads, a scope leaves no trace; more names than rows go to the first",
    "[core]") {
  { const mv::Profile::Scope scope("before"); }
  mv::Profile profile;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("name " + std::to_string(i));
  {
    const mv::Profile::Recording recording(profile);
    std::thread([] { const mv::Profile::Scope scope("elsewhere"); }).join();
    for (const auto& name : names) const mv::Profile::Scope scope(name.c_str());
  }
  { const mv::Profile::Scope scope("after"); }
  for (const char* const name : {"before", "elsewhere", "after"}) CHECK_FALSE(find(profile, name));
  CHECK(profile.end() - profile.begin() == 48);
  mv::Index calls = 0;
  for (const auto& row : profile) calls += row.calls;
  CHECK(calls == 100);
}

}  // namespace profile_test
