// SPDX-License-Identifier: MIT
// Quotas of containers, from folders made up like those of Linux.
#include <minivit/core/cpu_quota.hpp>
#include <minivit/core/threads.hpp>

#include "../catch.hpp"

#include <sched.h>

#include <filesystem>

namespace cpu_quota_test {

namespace mv = minivit;
namespace fs = std::filesystem;

namespace {

struct Groups {
  fs::path root = fs::temp_directory_path() / ("minivit_cpu_quota_" + std::to_string(::getpid()));
  Groups() { fs::remove_all(root); }
  ~Groups() { fs::remove_all(root); }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  }
  int quota() const { return mv::cpu_quota(root.string(), (root / "self").string()); }
};

}  // namespace

TEST_CASE("cpu_quota: version 2, the least of all groups above counts, rounded up", "[core]") {
  const Groups groups;
  CHECK(groups.quota() == 0);  // nothing there
  groups.write("self", "0::/user/app\n");
  CHECK(groups.quota() == 0);
  groups.write("user/app/cpu.max", "max 100000\n");
  CHECK(groups.quota() == 0);
  groups.write("user/app/cpu.max", "400000 100000\n");
  CHECK(groups.quota() == 4);
  groups.write("user/cpu.max", "150000 100000\n");
  CHECK(groups.quota() == 2);
  groups.write("cpu.max", "1000 100000\n");  // inside a container this is its own group
  CHECK(groups.quota() == 1);
  groups.write("self", "0::/\n");
  CHECK(groups.quota() == 1);
}

TEST_CASE("cpu_quota: version 1", "[core]") {
  const Groups groups;
  groups.write("self", "5:memory:/a\n4:cpu,cpuacct:/a\n1:name=systemd:/\n");
  groups.write("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
  groups.write("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  groups.write("memory/a/cpu.max", "100000 100000\n");  // not looked at
  CHECK(groups.quota() == 0);
  groups.write("cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n");
  CHECK(groups.quota() == 3);
}

TEST_CASE("cpu_quota: what cannot be read is no limit", "[core]") {
  const Groups groups;
  for (const char* text : {"", "\n", "100000", "x y", "1 0", "0 100000", "-5 100000", "99999999999999999999999 1"}) {
    CAPTURE(text);
    groups.write("self", "0::/\nnonsense\n:\n");
    groups.write("cpu.max", text);
    CHECK(groups.quota() == 0);
  }
  groups.write("cpu.max", "9223372036854775807 1\n");
  CHECK(groups.quota() == 1 << 20);
}

TEST_CASE("Threads: an affinity mask of one processor means one thread", "[core]") {
  cpu_set_t before, one;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &before)) {
      CPU_SET(i, &one);
      break;
    }
  // oneTBB looks once: the answer of a fresh process counts, which is a copy of this test program with the mask
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  const bool forked = std::getenv("MINIVIT_TEST_ONE_PROCESSOR") != nullptr;
  if (forked) {
    CHECK(mv::Threads::available() == 1);
    CHECK(mv::Threads().count() == 1);
    CHECK(mv::Threads(4).count() == 4);
    CHECK(mv::Threads(4).running() == 1);
  } else {
    const std::string self = fs::read_symlink("/proc/self/exe").string();
    CHECK(std::system(("MINIVIT_TEST_ONE_PROCESSOR=1 '" + self +
                       "' 'Threads: an affinity mask of one processor means one thread' > /dev/null 2>&1")
                          .c_str()) == 0);
  }
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
}

}  // namespace cpu_quota_test
