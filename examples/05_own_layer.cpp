// SPDX-License-Identifier: MIT
// A layer of one's own: y = x + scale * x, one learned scale per channel (LayerScale without the branch, arXiv 2103.17239).
// Parameters, visit, forward and backward, and a check that the gradients are right.
#include <minivit/core/parameters.hpp>
#include <minivit/testing/gradient_check.hpp>

#include <cstdio>

namespace mv = minivit;

/// Rows of width Width. S is the storage policy: the same code serves weights, gradients and optimiser moments.
template <class S, int Width>
struct ChannelScale {
  using T = typename S::Scalar;

  typename S::template Vector<Width> scale;  // [Width]

  // The name is the key in a file; counting, initialising, saving and optimising all go through visit.
  template <class Self, class F>
  static constexpr void visit(Self& self, const mv::Name& at, F&& f) {
    f(at / "scale", self.scale);
  }

  struct Saved {
    mv::View<const T, mv::Dyn, Width> x;  // [rows, Width], what backward needs
  };

  Saved forward(mv::View<const T, mv::Dyn, Width> x, mv::View<T, mv::Dyn, Width> y) const {
    for (mv::Index i = 0; i < x.batch(); ++i)
      for (int c = 0; c < Width; ++c) y(i, c) = x(i, c) * (1 + scale[c]);
    return {x};
  }

  // dx is overwritten, gradients are added: so two uses of one layer simply sum up.
  template <class G>
  void backward(const Saved& saved, mv::View<const T, mv::Dyn, Width> dy, mv::View<T, mv::Dyn, Width> dx,
                const G& gradients) const {
    for (mv::Index i = 0; i < dy.batch(); ++i)
      for (int c = 0; c < Width; ++c) {
        dx(i, c) = dy(i, c) * (1 + scale[c]);
        gradients.scale[c] += dy(i, c) * saved.x(i, c);
      }
  }
};

constexpr int D = 7;

/// gradient_check wants a template over the storage alone.
template <class S>
using Layer = ChannelScale<S, D>;

int main() {
  constexpr mv::Index rows = 5;
  using In = mv::View<const double, mv::Dyn, D>;
  using Out = mv::View<double, mv::Dyn, D>;

  const auto forward = [](const auto& layer, const double* x, double* y, mv::Arena<double>&) {
    return layer.forward(In(x, rows), Out(y, rows));
  };
  const auto backward = [](const auto& layer, const auto& saved, const double*, const double* dy, double* dx,
                           const auto& gradients,
                           mv::Arena<double>&) { layer.backward(saved, In(dy, rows), Out(dx, rows), gradients); };
  // The same with a mistake that is easily made: the derivative of the scale without the upstream gradient.
  const auto wrong = [](const auto& layer, const auto& saved, const double*, const double* dy, double* dx,
                        const auto& gradients, mv::Arena<double>&) {
    for (mv::Index i = 0; i < rows; ++i)
      for (int c = 0; c < D; ++c) {
        dx[i * D + c] = dy[i * D + c] * (1 + layer.scale[c]);
        gradients.scale[c] += saved.x(i, c);
      }
  };

  const auto right = mv::testing::gradient_check<Layer>(rows * D, rows * D, forward, backward);
  const auto bad = mv::testing::gradient_check<Layer>(rows * D, rows * D, forward, wrong);
  std::printf("backward as written: %td numbers compared, largest error %.1e\n", right.checked, right.worst);
  std::printf("with a mistake:      %s\n", bad.text().c_str());
  return right.worst < 1e-8 && bad.worst > 1e-3 ? 0 : 1;
}
