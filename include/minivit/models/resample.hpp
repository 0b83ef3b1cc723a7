// SPDX-License-Identifier: MIT
// Another resolution: the same weights for larger or smaller images, and for other windows. Position embeddings and the bias
// tables of windows are resampled as resample_positions.hpp says; everything else, iRPE tables included, does not depend on
// the number of patches.
#pragma once

#include <minivit/models/resample_positions.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// A `To` with the weights of `model`, whose table has the same names: resample(row, y, row of the model, x) fills y where a
/// name has this ending, all others are copied.
template <class To, class From, class F>
To resampled(const From& model, std::string_view ending, F&& resample) {
  To out;
  const ParameterTable& from = From::parameter_table();
  const ParameterTable& to = To::parameter_table();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const auto* const x = model.data() + from[i].offset;
    auto* const y = out.data() + to[i].offset;
    if (to[i].name.ends_with(ending)) resample(to[i], y, from[i], x);
    else std::copy_n(x, to[i].size, y);
  }
  return out;
}
}  // namespace detail

/// `model` for images of another size: `at_resolution<config>(model)`. The configs may differ in `image` only. Positions of
/// class and distillation tokens are copied.
template <ViTConfig To, ViTConfig From, class T>
ViT<To, T> at_resolution(const ViT<From, T>& model) {
  static_assert(
      [] {
        ViTConfig same = To;
        same.image = From.image;
        return same == From;
      }(),
      "at_resolution: the two configs may differ in image only");
  return detail::resampled<ViT<To, T>>(model, "pos_embed", [](const ParameterInfo&, T* y, const ParameterInfo&, const T* x) {
    constexpr Index extra = Index{To.extra_tokens()} * To.dim;
    std::copy_n(x, extra, y);
    resample_positions(y + extra, To.grid(), x + extra, From.grid(), Index{To.dim});
  });
}

/// The same for a Swin, whose configs may differ in `image` and `window`: from window 7 at 224 to window 12 at 384. Bias
/// tables
/// [(2 w - 1)^2, H] are resampled as maps of 2 w - 1 by 2 w - 1 offsets.
template <SwinConfig To, SwinConfig From, class T>
Swin<To, T> at_resolution(const Swin<From, T>& model) {
  static_assert(
      [] {
        SwinConfig same = To;
        same.image = From.image;
        same.window = From.window;
        return same == From;
      }(),
      "at_resolution: the two configs may differ in image and window only");
  return detail::resampled<Swin<To, T>>(model, "relative_position_bias_table",
                                        [](const ParameterInfo& to, T* y, const ParameterInfo& from, const T* x) {
                                          const auto side = [](const ParameterInfo& p) {
                                            return static_cast<int>(std::lround(std::sqrt(static_cast<double>(p.shape[0]))));
                                          };
                                          resample_positions(y, side(to), x, side(from), to.shape[1]);
                                        });
}

}  // namespace minivit::inline MINIVIT_ISA
