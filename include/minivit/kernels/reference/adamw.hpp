// SPDX-License-Identifier: MIT
// Scalar definition of the AdamW update (kernels/adamw.hpp). Computes in double and rounds what it stores.
#pragma once

#include <minivit/kernels/adamw.hpp>
#include <minivit/kernels/reference/math.hpp>

namespace minivit::inline MINIVIT_ISA::kernels::reference {

/// One step for n elements; see kernels::adamw.
template <class T>
constexpr void adamw(T* p, T* m, T* v, const T* g, Index n, const AdamWStep& step, T gradient_scale) {
  for (Index i = 0; i < n; ++i) {
    const double d = static_cast<double>(gradient_scale) * static_cast<double>(g[i]);
    const double m1 = step.beta1 * static_cast<double>(m[i]) + (1 - step.beta1) * d;
    const double v1 = step.beta2 * static_cast<double>(v[i]) + (1 - step.beta2) * d * d;
    const double kept = static_cast<double>(p[i]) * (1 - step.lr * step.weight_decay);
    m[i] = static_cast<T>(m1);
    v[i] = static_cast<T>(v1);
    p[i] = static_cast<T>(kept - step.lr / step.bias_correction1 * m1 / (sqrt(v1) / sqrt(step.bias_correction2) + step.eps));
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels::reference
