// SPDX-License-Identifier: MIT
// Which parameters may be adapted on the way from a file to a model (LoadOptions): heads of another number of classes, and
// tables of positions of another size. Decides by names and shapes; weights_source.hpp computes.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/io/state_dict.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace minivit::inline MINIVIT_ISA::detail {

/// "head." or "head_dist." in front of a parameter of a classifier, else empty.
inline std::string_view head_of(std::string_view name) {
  for (const std::string_view head : {"head.", "head_dist."})
    if (name.starts_with(head)) return head;
  return {};
}

/// Whether a whole head can be replaced: something of it does not fit, and all that is there differs in the number of
/// classes only.
inline bool head_differs_in_classes(std::string_view head, const ParameterTable& table, const StateDict& file,
                                    std::string_view prefix = {}) {
  bool differs = false;
  for (const ParameterInfo& p : table) {
    if (head.empty() || head_of(p.name) != head) continue;
    const TensorInfo* const tensor = file.find(std::string(prefix) + p.name);
    differs = differs || tensor == nullptr || tensor->shape != p.shape;
    if (tensor == nullptr) continue;
    if (tensor->shape.size() != p.shape.size() || !std::equal(p.shape.begin() + 1, p.shape.end(), tensor->shape.begin() + 1))
      return false;
  }
  return differs;
}

/// A square map of positions at two sizes, with rows in front that are copied (class and distillation token).
struct PositionChange {
  Index extra = 0;  ///< rows in front
  int from_side = 0, to_side = 0;
  Index dim = 0;  ///< numbers per position
};

/// The side of a square of `positions`, or nothing.
inline std::optional<int> square_side(Index positions) {
  constexpr int most = 16384;
  int low = 1, high = most;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (Index{middle} * middle < positions) low = middle + 1;
    else high = middle;
  }
  return Index{low} * low == positions ? std::optional(low) : std::nullopt;
}

/// How `tensor` becomes `p` by resampling, or nothing when it cannot. Position embeddings are [1, extra + side^2, D], bias
/// tables of windows [side^2, H].
inline std::optional<PositionChange> position_change(const ParameterInfo& p, const TensorInfo& tensor,
                                                     const ParameterTable& table, const StateDict& file,
                                                     std::string_view prefix = {}) {
  PositionChange change;
  std::size_t axis = 0;  // of the positions
  if (p.name.ends_with("pos_embed")) {
    if (p.shape.size() != 3 || tensor.shape.size() != 3 || tensor.shape[0] != p.shape[0]) return std::nullopt;
    for (const std::string_view token : {"cls_token", "dist_token"}) {
      const bool ours = std::ranges::any_of(table, [&](const ParameterInfo& q) { return q.name == token; });
      if (ours != (file.find(std::string(prefix) + std::string(token)) != nullptr)) return std::nullopt;
      change.extra += ours ? 1 : 0;
    }
    axis = 1;
  } else if (!p.name.ends_with("relative_position_bias_table") || p.shape.size() != 2 || tensor.shape.size() != 2) {
    return std::nullopt;
  }
  change.dim = p.shape[axis + 1];
  const auto from = square_side(tensor.shape[axis] - change.extra), to = square_side(p.shape[axis] - change.extra);
  if (!from || !to || tensor.shape[axis + 1] != change.dim) return std::nullopt;
  if (axis == 0 && *from % 2 == 0) return std::nullopt;  // 2 window - 1
  change.from_side = *from;
  change.to_side = *to;
  return change;
}

/// Tensors of a published Swin that belong to one geometry.
inline bool follows_from_geometry(std::string_view name) {
  return name.ends_with(".attn_mask") || name.ends_with(".relative_position_index");
}

}  // namespace minivit::inline MINIVIT_ISA::detail
