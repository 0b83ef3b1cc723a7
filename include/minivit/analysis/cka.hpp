// SPDX-License-Identifier: MIT
// Linear centred kernel alignment (Kornblith et al. 2019, arXiv 1905.00414): how alike two sets of features are, 0 to 1,
// whatever their widths; rotations and scale do not count. Computed from Gram matrices [n, n], so the width costs no memory.
// One batch, or the minibatch form of Nguyen et al. 2021 (arXiv 2010.15327). Linear kernel only.
#pragma once

#include <minivit/analysis/features.hpp>
#include <minivit/analysis/hsic.hpp>

#include <cmath>
#include <limits>
#include <span>

namespace minivit::inline MINIVIT_ISA {

/// How the criterion behind the alignment is estimated.
enum class Hsic {
  /// As Kornblith et al.: all images in one batch of at least 2. Too high unless there are far more images than features.
  biased,
  /// Sums over minibatches of at least 4 images estimate the value for endlessly many; can be a little below 0 or above 1.
  unbiased,
};

/// The alignments of all layers of one network (rows) with all layers of another (columns), added up over batches of images.
class CkaSums {
 public:
  /// For networks of so many layers. Nothing was added yet: values() are NaN.
  CkaSums(Index a_layers, Index b_layers, Hsic form = Hsic::unbiased)
      : form_(form),
        cross_(a_layers, b_layers),
        a_(static_cast<std::size_t>(a_layers)),
        b_(static_cast<std::size_t>(b_layers)) {}

  /// One batch: for each layer the features of the same images in the same order. Each layer's Gram matrix, n^2 doubles, is
  /// in memory during the call. Batches of different sizes weigh as many images as they have. The result does not depend on
  /// the number of threads. Throws Error for wrong numbers of layers or images, and for a second batch of the biased form.
  template <class T, class U>
  void add(std::span<const Examples<T>> a, std::span<const Examples<U>> b, const Threads& threads = Threads(1)) {
    check(a, a_.size());
    check(b, b_.size());
    if (!a.empty() && !b.empty() && a[0].count != b[0].count)
      fail_images(std::to_string(b[0].count), std::to_string(a[0].count));
    const std::vector<Matrix> ka = grams(a, threads), kb = grams(b, threads);
    const Index n = a.empty() ? 0 : a[0].count;
    threads.for_each(cross_.rows, [&](Index i) {
      const Matrix& k = ka[static_cast<std::size_t>(i)];
      a_[static_cast<std::size_t>(i)] += weighted(k, k);
      for (Index j = 0; j < cross_.columns; ++j) cross_(i, j) += weighted(k, kb[static_cast<std::size_t>(j)]);
    });
    for (std::size_t j = 0; j < b_.size(); ++j) b_[j] += weighted(kb[j], kb[j]);
    images_ += n;
  }

  /// Alignments [a_layers, b_layers]; NaN for a layer whose features do not vary (or no images).
  Matrix values() const {
    Matrix out(cross_.rows, cross_.columns);
    for (Index i = 0; i < out.rows; ++i)
      for (Index j = 0; j < out.columns; ++j) {
        const double kk = a_[static_cast<std::size_t>(i)], ll = b_[static_cast<std::size_t>(j)];
        out(i, j) = kk > 0 && ll > 0 ? cross_(i, j) / (std::sqrt(kk) * std::sqrt(ll))
                                     : std::numeric_limits<double>::quiet_NaN();
      }
    return out;
  }
  Index images() const { return images_; }  ///< added so far

 private:
  template <class T>
  void check(std::span<const Examples<T>> layers, std::size_t expected) const {
    if (layers.size() != expected)
      fail({.where = "CKA",
            .what = "number of layers",
            .expected = std::to_string(expected),
            .found = std::to_string(layers.size())});
    const Index least = form_ == Hsic::unbiased ? 4 : 2;
    for (const Examples<T>& x : layers) {
      if (x.count < least) fail_images("at least " + std::to_string(least), std::to_string(x.count));
      if (x.count != layers[0].count) fail_images(std::to_string(layers[0].count), std::to_string(x.count));
    }
    if (form_ == Hsic::biased && images_ > 0)
      fail({.where = "CKA",
            .what = "a second batch",
            .expected = "one batch with all images",
            .hint = "biased estimates do not add up; Hsic::unbiased does"});
  }
  [[noreturn]] static void fail_images(const std::string& expected, const std::string& found) {
    fail({.where = "CKA", .what = "images of a batch", .expected = expected, .found = found});
  }

  template <class T>
  static std::vector<Matrix> grams(std::span<const Examples<T>> layers, const Threads& threads) {
    std::vector<Matrix> out(layers.size());
    threads.for_each(static_cast<Index>(layers.size()),
                     [&](Index l) { out[static_cast<std::size_t>(l)] = centred_gram(layers[static_cast<std::size_t>(l)]); });
    return out;
  }
  double weighted(const Matrix& k, const Matrix& l) const {
    return (form_ == Hsic::unbiased ? hsic_unbiased(k, l) : hsic_biased(k, l)) * static_cast<double>(k.rows);
  }

  Hsic form_;
  Matrix cross_;               // [a_layers, b_layers] sum over batches of n HSIC(K, L)
  std::vector<double> a_, b_;  // of n HSIC(K, K), n HSIC(L, L)
  Index images_ = 0;
};

/// Alignment of features x [n, p1] and y [n, p2] of the same n examples. NaN when either does not vary. Throws Error for too
/// few or unequal numbers of examples.
template <class T, class U>
double cka(Examples<T> x, Examples<U> y, Hsic form = Hsic::biased) {
  CkaSums sums(1, 1, form);
  sums.add(std::span<const Examples<T>>(&x, 1), std::span<const Examples<U>>(&y, 1));
  return sums.values()(0, 0);
}

/// What stands for an image when layers are compared; an example is always an image.
enum class TokensAs {
  flattened,  ///< all tokens one after the other, N x D features: what stands where counts
  mean,       ///< their mean, D features: only what the image holds as a whole counts
};

/// How cka compares the layers of two models.
struct CkaOptions {
  TokensAs tokens = TokensAs::flattened;  ///< what an example's features are
  Hsic form = Hsic::unbiased;             ///< estimator; biased needs all images in one batch
};

/// Layer-by-layer alignment of two models on the same images: [layers of a, layers of b]. Images are cut into equal
/// minibatches that fit both readers; with Hsic::biased all of them must fit one. Throws Error when they do not, when there
/// are fewer than 4 images (biased: 2), or when a reader takes less than 8 at once, which could leave a minibatch of less
/// than 4.
template <class A, class V, class B, class W>
Matrix cka(Features<A, V>& a, Features<B, W>& b, typename Features<A, V>::Images images, CkaOptions options = {}) {
  static_assert(std::is_same_v<typename Features<A, V>::Images, typename Features<B, W>::Images>,
                "cka: both models must read the same images");
  const Index count = images.batch(), most = std::min(a.max_batch(), b.max_batch());
  const Index batches = (count + most - 1) / most;
  if (batches > 1 && (options.form == Hsic::biased || most < 8))
    fail({.where = "CKA",
          .what = "max_batch of the features",
          .expected = options.form == Hsic::biased ? std::to_string(count) : "at least 8",
          .found = std::to_string(most)});
  CkaSums sums(Features<A, V>::layers, Features<B, W>::layers, options.form);
  const auto means = [](const auto& layers) {
    std::vector<Matrix> out;
    for (const auto& y : layers) out.push_back(token_means(y));
    return out;
  };
  const auto as_examples = [](const std::vector<Matrix>& layers) {
    std::vector<Examples<double>> out;
    for (const Matrix& m : layers) out.push_back({m.values.data(), m.rows, m.columns});
    return out;
  };
  const auto add = [&]<class T, class U>(const std::vector<Examples<T>>& x, const std::vector<Examples<U>>& y) {
    sums.add(std::span<const Examples<T>>(x), std::span<const Examples<U>>(y), a.threads());
  };
  for (Index i = 0; i < std::max<Index>(batches, 1); ++i) {
    const Index first = batches > 0 ? count * i / batches : 0, last = batches > 0 ? count * (i + 1) / batches : 0;
    const auto part = images.slice(first, last - first);
    const auto ya = a(part);
    const auto yb = b(part);
    if (options.tokens == TokensAs::mean) {
      const auto ma = means(ya), mb = means(yb);
      add(as_examples(ma), as_examples(mb));
    } else {
      add(flattened(ya), flattened(yb));
    }
  }
  return sums.values();
}

}  // namespace minivit::inline MINIVIT_ISA
