// SPDX-License-Identifier: MIT
// Relation terms of weight distillation (MiniViT section 3.2): the student learns how tokens relate to each other in the
// teacher. Relations are matrices over tokens, so widths and numbers of heads may differ.
#pragma once

#include <minivit/train/losses/feature_term.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Attention relations: for each matched pair of layers and each chosen pair (i, j) of queries, keys and values,
///   R = X_i X_j^T / sqrt(c) per relation head (c columns each), value = mean over rows of -sum softmax(R_t) ln
///   softmax(R_s),
/// averaged over pairs of matrices, windows and pairs of layers. As published (reference 4.2): all nine ordered pairs,
/// projections before the scaling and without position, mask or head mixing. `Heads`: relation heads, must divide both
/// widths; 1 in the published recipe. `Pairs`: bit 3 i + j for (i, j); the diagonal alone, 0b100'010'001, is that of MiniLM
/// v2 (Wang et al. 2021).
template <LayerPairs Layers, int Heads = 1, unsigned Pairs = kernels::all_pairs>
struct AttentionRelations {
  double weight = 1;               ///< of the term in the loss
  const char* name = "attention";  ///< column of the log

  static constexpr Feature feature = Feature::attention;  ///< queries, keys and values
  static constexpr LayerPairs layers = Layers;            ///< pairs that are compared

  /// Refuses, by static_asserts in words, pairs of layers with different windows, and widths that Heads does not divide.
  template <auto Student, auto Teacher>
  static consteval void check() {
    if constexpr (detail::check_feature_pair<Layers, Student, Teacher>()) {
      static_assert(detail::every_pair<Student, Teacher>(
                        Layers, [](const auto& s, const auto& t) { return s.window == t.window && s.shift == t.shift; }),
                    "AttentionRelations: both layers of a pair must attend in the same windows; pair shifted with shifted "
                    "layers, and models of different "
                    "families only where a stage is one window");
      static_assert(
          Heads >= 1 &&
              detail::every_pair<Student, Teacher>(
                  Layers, [](const auto& s, const auto& t) { return s.width % Heads == 0 && t.width % Heads == 0; }),
          "AttentionRelations: the number of relation heads must divide the width of the student and of the teacher");
    }
    static_assert(Pairs != 0 && Pairs <= kernels::all_pairs, "AttentionRelations: choose at least one of the nine pairs");
  }
  static constexpr Index parameters(Index, Index) { return 0; }  ///< no fitting layer
  /// Elements of working memory for `tokens` tokens of widths ws (student) and wt (teacher).
  template <class Arch, class T>
  static constexpr Index scratch(Index tokens, Index ws, Index wt) {
    return kernels::relation_scratch<Arch, T>(shape(tokens, ws, wt));
  }
  /// Adds weight * share times the gradient to v.dstudent; returns share times the value.
  template <class Arch, class T>
  double add(const FeatureView<T>& v, double share) const {
    const kernels::RelationShape s = shape(v.tokens, v.student_width, v.teacher_width);
    share /= static_cast<double>(s.count() * Heads * v.tokens);
    return share * kernels::relation_cross_entropy<Arch>(s, v.student, v.student_stride, v.teacher, v.teacher_stride,
                                                         static_cast<T>(weight * share), v.dstudent, v.scratch);
  }

 private:
  static constexpr kernels::RelationShape shape(Index tokens, Index ws, Index wt) {
    return {.tokens = tokens, .parts = 3, .student_width = ws, .teacher_width = wt, .groups = Heads, .pairs = Pairs};
  }
};

/// How hidden-state relations are compared.
enum class HiddenForm {
  cosine,  ///< published code: 49 * mean over pairs of tokens of (cosine_s - cosine_t)^2; the 49 is a constant of that code
  softmax  ///< paper: mean over rows of -sum softmax(R_t) ln softmax(R_s), R = H H^T / sqrt(width)
};

/// Hidden-state relations: how the outputs H [tokens, width] of matched layers relate, averaged over pairs of layers.
template <LayerPairs Layers, HiddenForm Form = HiddenForm::cosine>
struct HiddenRelations {
  double weight = 0.1;          ///< of the published recipe
  const char* name = "hidden";  ///< column of the log

  static constexpr Feature feature = Feature::hidden;  ///< outputs of layers
  static constexpr LayerPairs layers = Layers;         ///< pairs that are compared

  /// Refuses, by static_asserts in words, layers that do not exist and maps of different sizes.
  template <auto Student, auto Teacher>
  static consteval void check() {
    (void)detail::check_feature_pair<Layers, Student, Teacher>();
  }
  static constexpr Index parameters(Index, Index) { return 0; }  ///< no fitting layer
  /// Elements of working memory for `tokens` tokens of widths ws (student) and wt (teacher).
  template <class Arch, class T>
  static constexpr Index scratch(Index tokens, Index ws, Index wt) {
    if constexpr (Form == HiddenForm::cosine) return kernels::cosine_scratch<Arch, T>(tokens, ws, wt);
    else return kernels::relation_scratch<Arch, T>(shape(tokens, ws, wt));
  }
  /// Adds weight * share times the gradient to v.dstudent; returns share times the value.
  template <class Arch, class T>
  double add(const FeatureView<T>& v, double share) const {
    if constexpr (Form == HiddenForm::cosine) {
      share *= 49 / static_cast<double>(v.tokens * v.tokens);
      return share * kernels::cosine_relation_error<Arch>(v.tokens, v.student, v.student_width, v.teacher, v.teacher_width,
                                                          static_cast<T>(weight * share), v.dstudent, v.scratch);
    } else {
      share /= static_cast<double>(v.tokens);
      return share * kernels::relation_cross_entropy<Arch>(shape(v.tokens, v.student_width, v.teacher_width), v.student,
                                                           v.student_stride, v.teacher, v.teacher_stride,
                                                           static_cast<T>(weight * share), v.dstudent, v.scratch);
    }
  }

 private:
  static constexpr kernels::RelationShape shape(Index tokens, Index ws, Index wt) {
    return {.tokens = tokens, .parts = 1, .student_width = ws, .teacher_width = wt, .groups = 1, .pairs = 1};
  }
};

/// Hidden states themselves: mean of (F(H_s) - H_t)^2 over tokens and columns, averaged over pairs of layers (reference 4.2,
/// the form without relations). F is a linear fitting layer [teacher width, student width] with a bias, trained along and
/// thrown away; all pairs of a term whose student layers lie in one stage share it, as in the reference. Without `Fit` the
/// widths must be equal and F is left out.
template <LayerPairs Layers, bool Fit = true>
struct HiddenStates {
  double weight = 1;                ///< of the term in the loss
  const char* name = "hidden_mse";  ///< column of the log

  static constexpr Feature feature = Feature::hidden;  ///< outputs of layers
  static constexpr LayerPairs layers = Layers;         ///< pairs that are compared

  /// Refuses, by static_asserts in words, different widths without a fitting layer, and pairs that cannot share one.
  template <auto Student, auto Teacher>
  static consteval void check() {
    if constexpr (detail::check_feature_pair<Layers, Student, Teacher>()) {
      static_assert(Fit || detail::every_pair<Student, Teacher>(
                               Layers, [](const auto& s, const auto& t) { return s.width == t.width; }),
                    "HiddenStates: student and teacher differ in width, so a fitting layer is needed");
      static_assert(one_teacher_width<Student, Teacher>(),
                    "HiddenStates: pairs whose student layers lie in one stage share a fitting layer, so their teacher "
                    "layers must be equally wide");
    }
  }
  /// Whether teacher layers, whose student layers lie in one stage, are equally wide: they have one fitting layer.
  template <auto Student, auto Teacher>
  static constexpr bool one_teacher_width() {
    return detail::every_pair<Student, Teacher>(Layers, [](const auto& s, const auto& t) {
      return detail::every_pair<Student, Teacher>(
          Layers, [&](const auto& s2, const auto& t2) { return s.stage != s2.stage || t.width == t2.width; });
    });
  }
  /// Weight and bias of F, or none.
  static constexpr Index parameters(Index ws, Index wt) { return Fit ? wt * ws + wt : 0; }
  /// Elements of working memory for `tokens` tokens of widths ws (student) and wt (teacher).
  template <class Arch, class T>
  static constexpr Index scratch(Index tokens, Index ws, Index wt) {
    return aligned_count<T>(tokens * wt) + kernels::unpacked_scratch<Arch, T>(std::max({tokens, ws, wt}));
  }
  /// Adds weight * share times the gradient to v.dstudent and v.dfit; returns share times the value.
  template <class Arch, class T>
  double add(const FeatureView<T>& v, double share) const {
    using enum kernels::Order;
    const Index n = v.tokens, ws = v.student_width, wt = v.teacher_width;
    T* const d = v.scratch;  // [n, wt] F(H_s) - H_t, then its gradient
    T* const panel = d + aligned_count<T>(n * wt);
    if constexpr (Fit)
      kernels::gemm_unpacked<Arch>(d, wt, v.student, v.student_stride, plain, v.fit, ws, transposed, n, wt, ws, panel,
                                   {.bias = v.fit + wt * ws});
    share /= static_cast<double>(n * wt);
    const T factor = static_cast<T>(2 * weight * share);
    double sum = 0;
    for (Index r = 0; r < n; ++r)
      for (Index c = 0; c < wt; ++c) {
        T& at = d[r * wt + c];
        const T fitted = Fit ? at : v.student[r * v.student_stride + c];
        const T error = fitted - v.teacher[r * v.teacher_stride + c];
        sum += static_cast<double>(error) * static_cast<double>(error);
        at = factor * error;
      }
    if constexpr (Fit) {
      kernels::gemm_unpacked<Arch>(v.dstudent, v.student_stride, d, wt, plain, v.fit, ws, plain, n, ws, wt, panel,
                                   {.residual = v.dstudent, .ldr = v.student_stride});
      kernels::gemm_unpacked<Arch>(v.dfit, ws, d, wt, transposed, v.student, v.student_stride, plain, wt, ws, n, panel,
                                   {.residual = v.dfit, .ldr = ws});
      kernels::column_sum<Arch>(v.dfit + wt * ws, d, wt, n, wt);
    } else {
      for (Index r = 0; r < n; ++r) kernels::add<Arch>(v.dstudent + r * v.student_stride, d + r * wt, wt);
    }
    return share * sum;
  }
};

}  // namespace minivit::inline MINIVIT_ISA
