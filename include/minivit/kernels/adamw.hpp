// SPDX-License-Identifier: MIT
// The update of AdamW (Loshchilov and Hutter, ICLR 2019; arXiv:1711.05101) on flat arrays, in the order of operations of
// PyTorch. Which parameters decay and what the rate is, the optimiser decides; definition: kernels/reference/adamw.hpp.
#pragma once

#include <minivit/simd/sweep.hpp>

#include <cmath>

namespace minivit::inline MINIVIT_ISA::kernels {

/// The numbers of one step t = 1, 2, ...
struct AdamWStep {
  double lr;                ///< learning rate
  double beta1;             ///< decay of the first moment
  double beta2;             ///< decay of the second moment
  double eps;               ///< added to the square root of the second moment
  double weight_decay;      ///< 0 for parameters that must not decay
  double bias_correction1;  ///< 1 - beta1^t
  double bias_correction2;  ///< 1 - beta2^t
};

/// With g' = gradient_scale * g, for n elements:
///   p *= 1 - lr * weight_decay;  m = beta1 * m + (1 - beta1) * g';  v = beta2 * v + (1 - beta2) * g'^2
///   p -= lr / bias_correction1 * m / (sqrt(v) / sqrt(bias_correction2) + eps)
/// p: parameters, m and v: moments (zero before step 1), g: gradients (not changed). The arrays do not overlap.
template <class Arch = simd::best, class T>
inline void adamw(T* p, T* m, T* v, const T* g, Index n, const AdamWStep& step, T gradient_scale) {
  using B = simd::Batch<T, Arch>;
  const B keep(static_cast<T>(1 - step.lr * step.weight_decay)), grad(gradient_scale);
  const B beta1(static_cast<T>(step.beta1)), rest1(static_cast<T>(1 - step.beta1));
  const B beta2(static_cast<T>(step.beta2)), rest2(static_cast<T>(1 - step.beta2));
  const B root(static_cast<T>(std::sqrt(step.bias_correction2))), eps(static_cast<T>(step.eps));
  const B rate(static_cast<T>(-step.lr / step.bias_correction1));
  simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) {
    const B d = io.load(g + i) * grad;
    const B m1 = simd::fma(rest1, d, io.load(m + i) * beta1);
    const B v1 = simd::fma(rest2 * d, d, io.load(v + i) * beta2);
    io.store(m + i, m1);
    io.store(v + i, v1);
    io.store(p + i, simd::fma(rate, m1 / (simd::sqrt(v1) / root + eps), io.load(p + i) * keep));
  });
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
