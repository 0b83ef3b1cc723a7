// SPDX-License-Identifier: MIT
// The instruction sets and element types that every kernel test runs on, in one binary: all that this build can execute.
// Use: TEMPLATE_LIST_TEST_CASE("sentence", "[kernel]", KernelTypes) { using Arch = typename TestType::Arch; ... }
#pragma once

#include <minivit/simd/batch.hpp>

#include <tuple>

namespace kernel_test {

template <class A, class S>
struct On {
  using Arch = A;
  using Scalar = S;
};

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512CD__)
using KernelTypes = std::tuple<On<xsimd::avx512bw, float>, On<xsimd::avx512bw, double>, On<xsimd::fma3<xsimd::avx2>, float>,
                               On<xsimd::fma3<xsimd::avx2>, double>, On<xsimd::sse2, float>, On<xsimd::sse2, double>>;
using FloatKernelTypes = std::tuple<On<xsimd::avx512bw, float>, On<xsimd::fma3<xsimd::avx2>, float>, On<xsimd::sse2, float>>;
#elif defined(__AVX2__) && defined(__FMA__)
using KernelTypes = std::tuple<On<xsimd::fma3<xsimd::avx2>, float>, On<xsimd::fma3<xsimd::avx2>, double>,
                               On<xsimd::sse2, float>, On<xsimd::sse2, double>>;
using FloatKernelTypes = std::tuple<On<xsimd::fma3<xsimd::avx2>, float>, On<xsimd::sse2, float>>;
#else
using KernelTypes = std::tuple<On<minivit::simd::best, float>, On<minivit::simd::best, double>>;
using FloatKernelTypes = std::tuple<On<minivit::simd::best, float>>;
#endif

}  // namespace kernel_test
