// SPDX-License-Identifier: MIT
// Where a training step went wrong: the first value that is not finite on the way from images and weights through the
// layers. Runs after the fact, once; a step that goes well pays nothing for it.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/core/errors.hpp>
#include <minivit/core/parameters.hpp>
#include <minivit/models/layer_geometry.hpp>

#include <cmath>
#include <optional>
#include <string>

namespace minivit::inline MINIVIT_ISA::detail {

/// A value that is NaN or infinite, and where it stands.
struct BadValue {
  std::string place;
  std::string value;
};

/// The first in `n` values; `place(i)` words its position.
template <class T, class Place>
std::optional<BadValue> first_bad(const T* values, Index n, Place&& place) {
  for (Index i = 0; i < n; ++i)
    if (!std::isfinite(values[i])) return BadValue{place(i), std::to_string(values[i])};
  return std::nullopt;
}

/// The first in a batch of images, targets or logits, whose rows are called `name`.
template <class Batch>
std::optional<BadValue> first_bad_row(Batch rows, const std::string& name, Index first = 0) {
  const Index size = rows.batch() > 0 ? rows.size() / rows.batch() : 0;
  return first_bad(rows.data(), rows.size(), [&](Index i) {
    return name + " " + std::to_string(first + i / size) + " of the batch, element " + std::to_string(i % size);
  });
}

/// The first in a slab with the layout of `table`. Rounding to the type of the products is not looked at.
template <class T>
std::optional<BadValue> first_bad_parameter(const ParameterTable& table, const T* slab) {
  for (const ParameterInfo& p : table)
    if (auto bad = first_bad(slab + p.offset, p.size,
                             [&](Index i) { return "parameter '" + p.name + "', element " + std::to_string(i); }))
      return bad;
  return std::nullopt;
}

/// The first in the outputs of embedding, layers and heads, for images that are number `first`, ... of a batch.
template <class Model, class Net, class Depth, class T>
std::optional<BadValue> first_bad_layer(const Net& net, typename Net::Images images, const Depth& depth, Arena<T>& arena) {
  const Index batch = images.batch(), first = depth.first_image;
  const typename Net::Output out{arena.template take<Dyn, Net::K>(batch),
                                 arena.template take<Dyn, Net::K>(Model::distilled ? batch : 0)};
  const auto saved = net.forward(images, out, arena, depth);
  std::optional<BadValue> bad = first_bad_row(saved.embedded, "the embedding of patches, image", first);
  net.each_layer(saved, [&](int l, const auto& /*layer*/, const auto& kept) {
    if (!bad)
      bad = first_bad_row(
          kept.y, "output of layer " + std::to_string(l) + " (" + layer_weights(Model::config, l) + "), image", first);
  });
  if (!bad) bad = first_bad_row(out.logits, "output of head, image", first);
  if (!bad) bad = first_bad_row(out.distilled, "output of head_dist, image", first);
  return bad;
}

/// Names the gradient that went wrong first: backward comes from the end of the table.
template <class T>
[[noreturn]] void fail_bad_gradient(const std::string& where, const ParameterTable& table, const T* gradients) {
  for (auto p = table.rbegin(); p != table.rend(); ++p)
    if (const auto bad = first_bad(gradients + p->offset, p->size, [](Index i) { return std::to_string(i); }))
      fail({.where = where,
            .what = "the gradient of '" + p->name + "' is not finite at element " + bad->place,
            .found = bad->value,
            .hint = "nothing was changed; try a lower learning rate or gradient clipping"});
  fail({.where = where, .what = "the norm of the gradient is not finite", .hint = "nothing was changed"});
}

}  // namespace minivit::inline MINIVIT_ISA::detail
