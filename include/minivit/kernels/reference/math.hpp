// SPDX-License-Identifier: MIT
// exp, log, sqrt and erf that the compiler can evaluate, for the scalar reference kernels and for models that are run
// in a static_assert. At run time they are the functions of `<cmath>`. The polynomials are Taylor series (exp, log) and
// Chebyshev fits made for this file (erf); each is one expression, because compilers count statements, not operations.
#pragma once

#include <minivit/core/isa.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace minivit::inline MINIVIT_ISA::kernels::reference {

namespace detail {

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
// ln 2 in two parts: k * ln2_high is exact for every exponent k of a double.
inline constexpr double ln2_high = 0x1.62e42fee00000p-1;
inline constexpr double ln2_low = 0x1.a39ef35793c76p-33;

/// 2 to the power k. Precondition: -1022 <= k <= 1023.
constexpr double power_of_two(int k) { return std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52); }

// Nested sums read best as plain lines.
// clang-format off

/// exp(x) = 2^k exp(r) with |r| <= ln2 / 2, where 14 terms of the Taylor series leave 4e-18.
constexpr double exp_constant(double x) {
  if (!(x <= 709.782712893384)) return x > 0 ? infinity : x;  // x itself when it is not a number
  if (x < -745.14) return 0.0;
  const int k = static_cast<int>(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
  const double r = (x - k * ln2_high) - k * ln2_low;
  const double e =
      1 + r * (1 + r * (1.0 / 2 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120 + r * (1.0 / 720 + r * (1.0 / 5040 +
      r * (1.0 / 40320 + r * (1.0 / 362880 + r * (1.0 / 3628800 + r * (1.0 / 39916800 + r * (1.0 / 479001600 +
      r * (1.0 / 6227020800.0)))))))))))));
  return e * power_of_two(k / 2) * power_of_two(k - k / 2);  // two factors: 2^1024 and 2^-1075 are no normal doubles
}

/// log(x) = e ln2 + 2 artanh(s) with s = (m - 1) / (m + 1), |s| <= 0.172, where 11 odd terms leave 4e-19.
constexpr double log_constant(double x) {
  if (!(x > 0)) return x == 0 ? -infinity : not_a_number;
  if (x == infinity) return x;
  const int lift = x < 0x1p-1022 ? 54 : 0;  // makes subnormal numbers normal
  const auto bits = std::bit_cast<std::uint64_t>(x * power_of_two(lift));
  const double m1 = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u);  // in [1, 2)
  const bool upper = m1 > 1.4142135623730951;
  const double m = upper ? m1 * 0.5 : m1;
  const int e = static_cast<int>(bits >> 52) - 1023 - lift + (upper ? 1 : 0);
  const double s = (m - 1) / (m + 1), z = s * s;
  const double tail =
      z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z * (1.0 / 15 +
      z * (1.0 / 17 + z * (1.0 / 19 + z * (1.0 / 21))))))))));
  return e * ln2_high + (e * ln2_low + 2 * s * tail + 2 * s);
}

/// Newton's method from a guess made of half the exponent: 3.5 % off, then 6e-4, 2e-7, 2e-14, exact.
constexpr double sqrt_constant(double x) {
  if (!(x > 0)) return x == 0 ? x : not_a_number;
  if (x == infinity) return x;
  const bool tiny = x < 0x1p-1000;
  const double a = tiny ? x * 0x1p200 : x;
  const double y0 = std::bit_cast<double>((std::bit_cast<std::uint64_t>(a) >> 1) + 0x1FF7A3BEA91D9B1Bu);
  const double y1 = 0.5 * (y0 + a / y0);
  const double y2 = 0.5 * (y1 + a / y1);
  const double y3 = 0.5 * (y2 + a / y2);
  const double y4 = 0.5 * (y3 + a / y3);
  return tiny ? y4 * 0x1p-100 : y4;
}

/// |x| <= 1: x times a polynomial in x^2 (fit: 8e-18). Up to 6: 1 - exp(-x^2) times a polynomial in (x - 3) / (x + 3)
/// (fit: 1.1e-16 of a number below 0.43). Beyond 6 the result is 1 in double precision.
constexpr double erf_constant(double x) {
  const double a = x < 0 ? -x : x;
  if (!(a <= 6)) return a > 6 ? (x < 0 ? -1.0 : 1.0) : x;  // x itself when it is not a number
  if (a <= 1) {
    const double z = x * x;
    return x * (1.1283791670955126 + z * (-0.37612638903183543 + z * (0.11283791670945006 + z * (-0.02686617064323777 +
           z * (0.0052239776071164225 + z * (-0.0008548325975389692 + z * (0.00012055294904839707 +
           z * (-1.492473690741966e-05 + z * (1.6447424703317362e-06 + z * (-1.6208483801871705e-07 +
           z * (1.3720064546777686e-08 + z * -7.795898827002142e-10)))))))))));
  }
  const double s = (12 * (a - 3) / (a + 3) + 1) / 5;  // in [-1, 1]
  const double q =
      0.20798329133342885 + s * (-0.15436117429436919 + s * (0.04969844540339464 + s * (-0.012713147695692198 +
      s * (0.002479314697078186 + s * (-0.0003316029605764125 + s * (1.9563583246137112e-05 + s * (2.4255574719050315e-06 +
      s * (-5.541274478467714e-07 + s * (-4.526700764248741e-09 + s * (1.1339538061744706e-08 +
      s * (-2.6381508985080735e-10 + s * (-2.571511429603255e-10 + s * (6.047405945991704e-12 +
      s * 6.0857915906870915e-12)))))))))))));
  const double e = 1 - exp_constant(-a * a) * q;
  return x < 0 ? -e : e;
}

// clang-format on

}  // namespace detail

/// e to the power x. By the compiler within 4e-16 relative; at run time std::exp.
constexpr double exp(double x) { return std::is_constant_evaluated() ? detail::exp_constant(x) : std::exp(x); }
/// Natural logarithm; -infinity for 0, not a number below. By the compiler within 5e-16 relative.
constexpr double log(double x) { return std::is_constant_evaluated() ? detail::log_constant(x) : std::log(x); }
/// Square root; not a number below 0. By the compiler within 1 ulp.
constexpr double sqrt(double x) { return std::is_constant_evaluated() ? detail::sqrt_constant(x) : std::sqrt(x); }
/// Error function 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x. By the compiler within 4e-16 relative.
constexpr double erf(double x) { return std::is_constant_evaluated() ? detail::erf_constant(x) : std::erf(x); }

}  // namespace minivit::inline MINIVIT_ISA::kernels::reference
