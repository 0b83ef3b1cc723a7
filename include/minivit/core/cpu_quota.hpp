// SPDX-License-Identifier: MIT
// How much processor time a container grants: the quota of the control group that the process is in, version 2 (cpu.max) or
// 1 (cpu.cfs_quota_us). oneTBB honours affinity masks and not quotas; threads beyond the quota only wait for each other.
#pragma once

#include <minivit/core/errors.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

namespace detail {

/// The number that `text` begins with; 0 when there is none above 0, as in "max 100000" or "-1".
inline long long leading_number(std::string_view text) {
  long long value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::max(0LL, value);
}
[[gnu::cold]] inline std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

/// Processors' worth of `quota` microseconds in each `period`, rounded up; 0 without a limit.
inline int processors(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::min<long long>(quota / period + (quota % period != 0 ? 1 : 0), 1 << 20));
}
/// Of the group in `folder` alone.
[[gnu::cold]] inline int group_quota(const std::string& folder, bool version_1) {
  if (version_1)
    return processors(leading_number(first_line(concat({folder, "/cpu.cfs_quota_us"}))),
                      leading_number(first_line(concat({folder, "/cpu.cfs_period_us"}))));
  const std::string line = first_line(concat({folder, "/cpu.max"}));
  const std::size_t space = line.find(' ');
  return space == line.npos ? 0 : processors(leading_number(line), leading_number(std::string_view(line).substr(space + 1)));
}

}  // namespace detail

/// Processors' worth of time, rounded up, that the process may use by the quotas of its control group and of all above it; 0
/// when there is no limit, or none that can be read. `root` is where control groups are mounted, `self` the list of those
/// the process is in.
[[gnu::cold]] inline int cpu_quota(const std::string& root = "/sys/fs/cgroup",
                                   const std::string& self = "/proc/self/cgroup") {
  int least = 0;
  std::ifstream in(self);
  for (std::string line; std::getline(in, line);) {  // "0::/user/app", or of version 1 "4:cpu,cpuacct:/user/app"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), all = concat({",", controllers, ","});
    const bool version_1 = !controllers.empty();
    if (version_1 && all.find(",cpu,") == all.npos) continue;
    const std::string mount = version_1 ? concat({root, "/", controllers}) : root;
    for (std::string group = line.substr(second + 1);; group.resize(group.rfind('/'))) {
      const int quota = detail::group_quota(concat({mount, group}), version_1);
      if (quota > 0 && (least == 0 || quota < least)) least = quota;
      if (group.find('/') == group.npos) break;
    }
  }
  return least;
}

}  // namespace minivit::inline MINIVIT_ISA
