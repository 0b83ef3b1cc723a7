// SPDX-License-Identifier: MIT
// evaluate: accuracy, loss and confusion matrix of a model on a data set.
#pragma once

#include <minivit/data/loader.hpp>
#include <minivit/models/inference.hpp>
#include <minivit/train/losses.hpp>
#include <minivit/train/metrics.hpp>
#include <minivit/train/progress.hpp>

#include <chrono>

namespace minivit::inline MINIVIT_ISA {

/// What evaluate found.
struct Evaluation {
  Index images = 0;              ///< in the data set
  double accuracy = 0;           ///< share whose best class is the label
  double top5 = 0;               ///< share whose label is among the five best
  double loss = 0;               ///< mean cross-entropy
  double seconds = 0;            ///< wall clock, batches included
  Index non_finite = 0;          ///< images whose logits were not all finite; they count as wrong
  ConfusionMatrix confusion{0};  ///< label by prediction
};

/// Runs `infer` (an Inference with max_batch of at least `batch`) over all images. Throws Error when the data does not fit.
template <class Engine, auto C>
Evaluation evaluate_with(Engine& infer, const Dataset& data, const Preprocessing& preprocessing, Index batch,
                         Progress::Options show) {
  Loader<C.image, C.classes> loader(data, {.batch = batch, .augment = {.preprocessing = preprocessing}, .prefetch = 0});
  Progress progress(data.size(), std::move(show));
  Evaluation result;
  result.confusion = ConfusionMatrix(C.classes);
  Accuracy accuracy(5);
  RunningMean loss;
  const auto start = std::chrono::steady_clock::now();
  for (Index k = 0; k < loader.batches(); ++k) {
    const auto& next = loader.next();
    const auto logits = infer(next.images);
    for (Index i = 0; i < next.size(); ++i) {
      const int label = next.labels[static_cast<std::size_t>(i)];
      const float* const row = logits[i].data();
      accuracy.add(row, Index{C.classes}, Index{label});
      result.confusion.add(label, argmax(row, Index{C.classes}));
      loss.add(-detail::LogSoftmax<float>(row, C.classes)[label]);
    }
    progress.update(accuracy.images(), "evaluate", loss.mean());
  }
  result.images = accuracy.images();
  result.accuracy = accuracy.top1();
  result.top5 = accuracy.topk();
  result.non_finite = accuracy.non_finite();
  result.loss = loss.mean();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

/// The same, packing `model` first. W: storage of the matrices (float or bf16).
template <class W = float, class Model>
Evaluation evaluate(const Model& model, const Dataset& data, const Preprocessing& preprocessing, int threads = 0,
                    Progress::Options show = Progress::silent()) {
  constexpr Index batch = 64;
  Inference<Model, W> infer(model, {.max_batch = batch, .threads = threads});
  return evaluate_with<Inference<Model, W>, Model::config>(infer, data, preprocessing, batch, std::move(show));
}

}  // namespace minivit::inline MINIVIT_ISA
