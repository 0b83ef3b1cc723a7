// SPDX-License-Identifier: MIT
// SharedGroup: weight multiplexing (MiniViT section 3.1) as data. `Repeat` consecutive layers run on one `shared` set of
// matrices; what keeps them different stands in `own`. Gradients of shared weights simply add up.
#pragma once

#include <minivit/layers/block.hpp>

#include <array>

namespace minivit::inline MINIVIT_ISA {

/// `Repeat` layers on one set of weights; Repeat = 1 is an ordinary layer.
template <class S, BlockConfig B, int Repeat>
struct SharedGroup {
  BlockShared<S, B> shared;                ///< once, whatever Repeat is
  std::array<BlockOwn<S, B>, Repeat> own;  ///< one for each layer

  /// `at` is the group's name; in the DeiT family a shared block is called "block" below it.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    if constexpr (Repeat > 1 && !B.attention.windowed()) visit_parts(self, at / "block", f);
    else visit_parts(self, at, f);
  }

  /// Layer r of the group; `shifted`: its windows are. A shared block masks its unshifted layers, too, as published
  /// (reference section 2.4).
  constexpr Block<S, B> layer(int r, bool shifted = false) const {
    constexpr bool shifts = B.attention.windowed() && B.attention.shift > 0;
    return {shared, own[static_cast<std::size_t>(r)], shifts && shifted, shifts && (shifted || Repeat > 1)};
  }

 private:
  template <class Self, class F>
  static constexpr void visit_parts(Self& self, const Name& at, F&& f) {
    BlockShared<S, B>::visit(self.shared, at, f);
    for (int r = 0; r < Repeat; ++r) BlockOwn<S, B>::visit(self.own[static_cast<std::size_t>(r)], at, r, Repeat > 1, f);
  }
};

}  // namespace minivit::inline MINIVIT_ISA
