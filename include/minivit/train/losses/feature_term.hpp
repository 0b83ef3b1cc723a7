// SPDX-License-Identifier: MIT
// What a distillation term on features is: it compares queries, keys and values, or hidden states, of matched layers, image
// by image, and adds to the student's gradient. A term is a plain value with a weight; its layers are template arguments.
#pragma once

#include <minivit/kernels/relations.hpp>
#include <minivit/models/layer_geometry.hpp>
#include <minivit/train/losses/layer_pairs.hpp>

namespace minivit::inline MINIVIT_ISA {

/// What a term looks at. attention: the raw projections (q | k | v), before scaling, heads side by side. hidden: the output
/// of a layer. Class and distillation tokens are left out, so models with and without them can be compared.
enum class Feature {
  attention,  ///< queries, keys and values of a layer
  hidden      ///< its output
};

/// One image, or one window of it, of one matched pair of layers. Rows are tokens, in raster order; inside a window in that
/// of the window.
template <class T>
struct FeatureView {
  Index tokens = 0;            ///< patches of the image or window
  const T* student = nullptr;  ///< [tokens, parts * student_width], row stride `student_stride`
  Index student_stride = 0;    ///< elements from token to token
  Index student_width = 0;     ///< of one part: queries, keys or values, or the hidden state
  const T* teacher = nullptr;  ///< [tokens, parts * teacher_width], row stride `teacher_stride`
  Index teacher_stride = 0;    ///< elements from token to token
  Index teacher_width = 0;     ///< of one part
  T* dstudent = nullptr;       ///< like student; the gradient is added
  const T* fit = nullptr;  ///< fitting layer of the term: weight [teacher_width, student_width], then bias [teacher_width]
  T* dfit = nullptr;       ///< like fit; the gradient is added
  T* scratch = nullptr;    ///< working memory: scratch() elements
};

/// A term has: `feature`, `layers`, `name` (its column in the log), `weight`; parameters(ws, wt), how many a fitting layer
/// has; scratch<Arch, T>(tokens, ws, wt), elements of working memory; add<Arch>(view, share), which adds weight * share
/// times the gradient of the term's value for this image or window and returns share times that value; and check<Student,
/// Teacher>(), static_asserts in words about two configs.
template <class X>
concept FeatureTerm = requires(const X& term) {
  { X::feature } -> std::convertible_to<Feature>;
  { X::layers } -> std::convertible_to<LayerPairs>;
  { term.name } -> std::convertible_to<const char*>;
  { term.weight } -> std::convertible_to<double>;
};

namespace detail {

/// Whether good(student's layer, teacher's layer) holds for the geometry of every pair.
template <auto Student, auto Teacher, class F>
constexpr bool every_pair(const LayerPairs& layers, F&& good) {
  for (const LayerPair& pair : layers)
    if (!good(layer_geometry(Student, pair.student), layer_geometry(Teacher, pair.teacher))) return false;
  return true;
}

/// What every term asks of two configs. True when nothing is wrong, so that what else a term asks may rely on it.
template <LayerPairs Layers, auto Student, auto Teacher>
consteval bool check_feature_pair() {
  static_assert(Layers.count > 0, "distillation: a term needs at least one pair of layers");
  constexpr bool fit = Layers.fit(layer_count(Student), layer_count(Teacher));
  static_assert(
      fit, "distillation: a pair names a layer that the student or the teacher does not have; layers are counted from 0");
  if constexpr (fit) {
    constexpr bool same_map = every_pair<Student, Teacher>(Layers,
                                                           [](const auto& s, const auto& t) { return s.side == t.side; });
    static_assert(same_map,
                  "distillation: features are compared token by token, so both layers of a pair need the same number of "
                  "patches per side");
    return same_map;
  }
  return fit;
}

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
