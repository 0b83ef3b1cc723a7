// SPDX-License-Identifier: MIT
// Images of another size are refused where they are passed to a model.
// EXPECT(GNU): no match for call to
// EXPECT(Clang): no matching function for call to object of type
#include <minivit/models/inference.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

using Model = mv::ViT<mv::presets::vit_nano_patch4_32>;

void call(mv::Inference<Model>& infer, const float* pixels) {
#ifdef BAD
  infer(mv::View<const float, mv::Dyn, 3, 28, 28>(pixels, 1));
#else
  infer(mv::View<const float, mv::Dyn, 3, 32, 32>(pixels, 1));
#endif
}
