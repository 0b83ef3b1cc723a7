// SPDX-License-Identifier: MIT
// Tiles of words turned in registers: every word lands in its place, rows that are not there are zero and not read, nothing
// else is written.
#include "../catch.hpp"
#include "../kernels/arches.hpp"
#include "../kernels/guarded.hpp"

#include <minivit/simd/transpose.hpp>

namespace transpose_test {

namespace simd = minivit::simd;
using namespace kernel_test;

TEMPLATE_LIST_TEST_CASE("transpose: word (c, r) is word (r, c), and zero where there is no row", "[kernel]",
                        FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  constexpr Index side = simd::transpose_side<Arch>;
  if constexpr (side == 0) SUCCEED("no shuffles here");
  else
    for (Index rows = 0; rows <= side; ++rows)
      for (const Index more : {0, 3}) {
        Guarded<float> from(std::max<Index>(rows, 1), side, side + more), to(side, side, side + 2 * more);
        from.fill_random(1), to.fill_random(2);
        constexpr auto bytes = static_cast<Index>(sizeof(float));
        simd::transpose<Arch>(to.data(), to.ld() * bytes, from.data(), from.ld() * bytes, rows);
        INFO(rows << " rows, " << more << " more apart");
        bool right = true;
        for (Index c = 0; c < side; ++c)
          for (Index r = 0; r < side; ++r) right = right && to(c, r) == (r < rows ? from(r, c) : 0.f);
        CHECK(right);
        CHECK((from.intact() && to.intact()));
      }
}

}  // namespace transpose_test
