// SPDX-License-Identifier: MIT
// gradient_check: holds a layer's hand-written backward against central differences in double, for the input and for every
// parameter, and checks that backward adds to gradients. Works on any layer with `visit`; write one line per layer.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/core/parameters.hpp>
#include <minivit/core/random.hpp>
#include <minivit/ops/storage.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA::testing {

/// The element where analytic and numeric gradient differ most.
struct GradientReport {
  double worst = 0;                           ///< |analytic - numeric| / max(1, |numeric|)
  std::string where = "nothing was checked";  ///< name of the target: a parameter's, or "input"
  Index index = 0;                            ///< element of that target
  double analytic = 0, numeric = 0;           ///< derivative there, by backward and by central difference
  Index checked = 0;                          ///< elements compared

  /// "norm1.weight[3]: analytic 0.5, numeric 0.4, error 0.1"
  std::string text() const {
    return where + "[" + std::to_string(index) + "]: analytic " + std::to_string(analytic) + ", numeric " +
           std::to_string(numeric) + ", error " + std::to_string(worst);
  }
};

/// Numbers to vary and the gradient that backward gave for them.
struct GradientTarget {
  std::string name;                  ///< for the report
  double* values = nullptr;          ///< `size` numbers, varied one at a time and put back
  const double* gradient = nullptr;  ///< what backward gave for each
  Index size = 0;                    ///< number of elements
};

/// How finely and where gradients are compared.
struct GradientOptions {
  double step = 1e-5;            ///< of the central difference: error about step^2 + 1e-16 / step
  Index samples = 64;            ///< elements per target, evenly spread; 0: all
  std::uint64_t seed = 1;        ///< of parameters, input and the direction of the output
  Index memory = 1 << 22;        ///< elements of the arena
  double parameter_scale = 0.5;  ///< parameters are uniform in [-scale, scale]
};

/// Compares with central differences of `value()`, a function of the numbers the targets point at.
template <class F>
GradientReport compare_gradients(const std::vector<GradientTarget>& targets, F&& value,
                                 const GradientOptions& options = {}) {
  GradientReport report;
  for (const GradientTarget& target : targets) {
    const Index count = options.samples > 0 ? std::min(options.samples, target.size) : target.size;
    for (Index s = 0; s < count; ++s) {
      const Index i = s * target.size / count;
      const double old = target.values[i];
      target.values[i] = old + options.step;
      const double up = value();
      target.values[i] = old - options.step;
      const double down = value();
      target.values[i] = old;
      const double numeric = (up - down) / (2 * options.step);
      const double error = std::abs(target.gradient[i] - numeric) / std::max(1.0, std::abs(numeric));
      ++report.checked;
      if (error > report.worst || !std::isfinite(error) || report.checked == 1)
        report = {std::isfinite(error) ? error : INFINITY, target.name, i, target.gradient[i], numeric, report.checked};
      if (!std::isfinite(error)) return report;
    }
  }
  return report;
}

/// A layer over dense double storage together with its memory. `Layer<S>` is a layer template over a storage policy.
template <template <class> class Layer>
class OwnedLayer {
 public:
  using type = Layer<Dense<double>>;  ///< the layer in double
  /// Parameters are zero; every one has a place of its own, aligned to 64 bytes.
  OwnedLayer() {
    Index size = 0;
    type::visit(layer, Name{}, [&](const Name&, const auto& p) { size += aligned_count<double>(p.size()); });
    slab_ = Buffer<double>(size);
    double* at = slab_.data();
    type::visit(layer, Name{}, [&](const Name& name, auto& p) {
      p = std::remove_reference_t<decltype(p)>(at);
      parts.push_back({name.str(), at, nullptr, p.size()});
      at += aligned_count<double>(p.size());
    });
  }
  OwnedLayer(const OwnedLayer&) = delete;             ///< the layer points into this object
  OwnedLayer& operator=(const OwnedLayer&) = delete;  ///< nor is it assigned

  /// Parameters uniform in [offset - scale, offset + scale], from the counters 0, 1, ... of `random`.
  void fill(const Random& random, double scale, double offset = 0) {
    for (Index i = 0; i < slab_.size(); ++i)
      slab_.data()[i] = offset + scale * (2 * random.uniform(static_cast<std::uint64_t>(i)) - 1);
  }
  type layer;                         ///< views into memory that this object owns
  std::vector<GradientTarget> parts;  ///< name and place of every parameter

 private:
  Buffer<double> slab_;
};

/// Checks `Layer` on random numbers. `inputs` and `outputs` are element counts.
///   forward(layer, const double* x, double* y, Arena<double>&) returns what backward needs
///   backward(layer, saved, const double* x, const double* dy, double* dx, gradients, Arena<double>&) overwrites dx and
///   adds to `gradients`, a layer of the same type
/// dx may be left alone by layers whose input carries no gradient: pass `check_input` = false.
template <template <class> class Layer, class Forward, class Backward>
GradientReport gradient_check(Index inputs, Index outputs, Forward&& forward, Backward&& backward, bool check_input = true,
                              const GradientOptions& options = {}) {
  const Random random(options.seed);
  OwnedLayer<Layer> weights, gradients;
  weights.fill(random.fork("weights"), options.parameter_scale);
  constexpr double already = 0.25;  // backward must add to what is there
  gradients.fill(random, 0, already);
  Buffer<double> x(inputs), dx(inputs), y(outputs), direction(outputs), memory(options.memory);
  for (Index i = 0; i < inputs; ++i) x.data()[i] = random.fork("x").normal(static_cast<std::uint64_t>(i));
  for (Index i = 0; i < outputs; ++i) direction.data()[i] = random.fork("direction").normal(static_cast<std::uint64_t>(i));

  Arena<double> arena(memory.data(), memory.size(), Memory::keep);
  const auto saved = forward(std::as_const(weights.layer), static_cast<const double*>(x.data()), y.data(), arena);
  backward(std::as_const(weights.layer), saved, static_cast<const double*>(x.data()),
           static_cast<const double*>(direction.data()), dx.data(), gradients.layer, arena);

  std::vector<GradientTarget> targets;
  if (check_input) targets.push_back({"input", x.data(), dx.data(), inputs});
  for (std::size_t i = 0; i < weights.parts.size(); ++i) {
    double* const g = gradients.parts[i].values;
    for (Index k = 0; k < gradients.parts[i].size; ++k) g[k] -= already;
    targets.push_back({weights.parts[i].name, weights.parts[i].values, g, weights.parts[i].size});
  }
  return compare_gradients(
      targets,
      [&] {
        arena.reset();
        forward(std::as_const(weights.layer), static_cast<const double*>(x.data()), y.data(), arena);
        double sum = 0;
        for (Index i = 0; i < outputs; ++i) sum += y.data()[i] * direction.data()[i];
        return sum;
      },
      options);
}

}  // namespace minivit::inline MINIVIT_ISA::testing
