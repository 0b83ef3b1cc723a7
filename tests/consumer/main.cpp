// SPDX-License-Identifier: MIT
// Smallest use of minivit from another project.
#if __has_include(<minivit/minivit.hpp>)
#include <minivit/minivit.hpp>
#endif
#include <minivit/core/isa.hpp>
#include <minivit/core/threads.hpp>
#include <minivit/core/view.hpp>
#include <minivit/simd/batch.hpp>

#include <cstdio>

namespace mv = minivit;

int main() {
  float numbers[12] = {};
  const mv::View<float, 4, 3> view(numbers);
  mv::Threads(2).for_each(view.size(), [&](mv::Index i) { numbers[i] = static_cast<float>(i); });
  std::printf("minivit %d.%d.%d on %s with %td lanes: %g\n", MINIVIT_VERSION_MAJOR, MINIVIT_VERSION_MINOR,
              MINIVIT_VERSION_PATCH, mv::instruction_set(), mv::simd::lanes<float>, static_cast<double>(view(3, 2)));
  return view(3, 2) == 11.0f ? 0 : 1;
}
