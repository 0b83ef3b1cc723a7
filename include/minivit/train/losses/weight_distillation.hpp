// SPDX-License-Identifier: MIT
// WeightDistillation: a prediction loss and any number of feature terms as one value (MiniViT section 3.2):
//   total = prediction + sum of weight * term
#pragma once

#include <minivit/train/losses/distillation.hpp>
#include <minivit/train/losses/feature_term.hpp>

#include <string>
#include <tuple>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// `WeightDistillation loss{DeiTDistillation{.alpha = 0.5}, AttentionRelations<pairs>{}, HiddenRelations<pairs>{.weight =
/// 0.1}};` The prediction part is any loss of this folder. The values of the terms, unweighted, are LossValues::terms in
/// this order.
template <class Prediction, FeatureTerm... Terms>
struct WeightDistillation {
  static_assert(sizeof...(Terms) <= LossValues::most_terms,
                "WeightDistillation: too many feature terms; raise LossValues::most_terms");
  Prediction prediction{};       ///< loss on logits
  std::tuple<Terms...> terms{};  ///< on features; the Trainer calls them

  constexpr WeightDistillation() = default;  ///< all parts with their defaults
  /// The parts in the order of the log.
  constexpr WeightDistillation(Prediction p, Terms... t) : prediction(p), terms(t...) {}

  /// Always, with a term.
  constexpr bool needs_teacher() const { return sizeof...(Terms) > 0 || prediction.needs_teacher(); }

  /// The prediction part alone: the terms need layers, which the Trainer shows them.
  template <class T, int K>
  LossValues operator()(const LossInputs<T, K>& in, View<T, Dyn, K> dlogits, View<T, Dyn, K> ddistilled = {}) const {
    return prediction(in, dlogits, ddistilled);
  }
};

namespace detail {

/// The feature terms of a loss; most have none.
template <class Loss>
constexpr auto feature_terms(const Loss& loss) {
  if constexpr (requires { loss.terms; }) return loss.terms;
  else return std::tuple<>{};
}

/// Names of the terms, in order: columns of the log.
template <class Loss>
std::vector<std::string> term_names(const Loss& loss) {
  std::vector<std::string> names;
  std::apply([&](const auto&... term) { (names.emplace_back(term.name), ...); }, feature_terms(loss));
  return names;
}

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
