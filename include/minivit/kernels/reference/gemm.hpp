// SPDX-License-Identifier: MIT
// Scalar matrix product: the definition that kernels/gemm.hpp is tested against, and what the compiler runs.
#pragma once

#include <minivit/kernels/matrix.hpp>
#include <minivit/kernels/reference/pointwise.hpp>

namespace minivit::inline MINIVIT_ISA::kernels::reference {

/// C [m, n] = epilogue(A [m, k] B [k, n]); same meaning as kernels::gemm_unpacked.
template <class T>
constexpr void gemm(T* c, Index ldc, const T* a, Index lda, Order a_order, const T* b, Index ldb, Order b_order, Index m,
                    Index n, Index k, const Epilogue<T>& e = {}) {
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) {
      T sum = e.bias ? e.bias[j] : T{0};
      if (e.residual) sum += e.residual[i * e.ldr + j];
      for (Index p = 0; p < k; ++p)
        sum += (a_order == Order::plain ? a[i * lda + p] : a[p * lda + i]) *
               (b_order == Order::plain ? b[p * ldb + j] : b[j * ldb + p]);
      c[i * ldc + j] = sum;
    }
  if (e.gelu)
    for (Index i = 0; i < m; ++i) gelu(c + i * ldc, c + i * ldc, n);
}

}  // namespace minivit::inline MINIVIT_ISA::kernels::reference
