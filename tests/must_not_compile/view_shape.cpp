// SPDX-License-Identifier: MIT
// A view of the wrong shape is refused where it is passed.
// EXPECT(GNU): could not convert
// EXPECT(GNU): View<float, 3, 4>(data)
// EXPECT(Clang): no known conversion from 'View<[...], 3, 4>' to 'View<[...], 4, 3>'
#include <minivit/core/view.hpp>

namespace mv = minivit;

void takes_four_by_three(mv::View<float, 4, 3>) {}

void call(float* data) {
#ifdef BAD
  takes_four_by_three(mv::View<float, 3, 4>(data));
#else
  takes_four_by_three(mv::View<float, 4, 3>(data));
#endif
}
