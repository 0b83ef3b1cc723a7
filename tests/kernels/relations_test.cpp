// SPDX-License-Identifier: MIT
// Relation kernels: values against the written-out formulas in double, gradients against central differences of these
// formulas.
#include "../catch.hpp"
#include "arches.hpp"
#include "guarded.hpp"

#include <minivit/kernels/reference/relations.hpp>
#include <minivit/kernels/relations.hpp>

namespace relations_test {

namespace kernels = minivit::kernels;
namespace reference = minivit::kernels::reference;
using minivit::Index;
using namespace kernel_test;

namespace {

/// Largest |gradient - numeric| over all elements, `value` being the function that was differentiated, in units of the
/// largest.
template <class T, class F>
double gradient_error(const Guarded<T>& gradient, std::vector<double> x, double weight, F&& value) {
  const auto actual = gradient.doubles();
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i], h = 1e-5;
    x[i] = at + h;
    const double above = value(x.data());
    x[i] = at - h;
    const double below = value(x.data());
    x[i] = at;
    const double numeric = weight * (above - below) / (2 * h);
    worst = std::max(worst, std::abs(actual[i] - numeric));
    largest = std::max(largest, std::abs(numeric));
  }
  return worst / largest;
}

template <class T>
constexpr bool narrow = std::is_same_v<T, float>;

}  // namespace

TEMPLATE_LIST_TEST_CASE("relation_cross_entropy: value and gradient equal the formula", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  using Shape = kernels::RelationShape;
  // one token; odd sizes; a full vector and a tail; single pairs, one direction of a pair, all nine; one part
  for (const Shape shape :
       {Shape{1, 3, 4, 6, 1}, Shape{7, 3, 6, 10, 2}, Shape{17, 3, 12, 4, 4}, Shape{9, 3, 5, 3, 1, 0b000'000'010},
        Shape{9, 3, 5, 3, 1, 0b001'000'000}, Shape{9, 3, 4, 4, 2, 0b100'010'001}, Shape{33, 1, 9, 20, 1, 1}}) {
    const Index student_row = shape.parts * shape.student_width, teacher_row = shape.parts * shape.teacher_width;
    Guarded<T> student(shape.tokens, student_row, student_row + 1), teacher(shape.tokens, teacher_row, teacher_row + 3);
    Guarded<T> gradient(shape.tokens, student_row, student_row + 1);
    student.fill_random(1), teacher.fill_random(2), gradient.fill(0);
    std::vector<T> scratch(static_cast<std::size_t>(kernels::relation_scratch<Arch, T>(shape)) + 16);
    const double weight = 0.5;
    const double value = kernels::relation_cross_entropy<Arch>(shape, student.data(), student.ld(), teacher.data(),
                                                               teacher.ld(), static_cast<T>(weight), gradient.data(),
                                                               scratch.data());
    const auto x = student.doubles(), t = teacher.doubles();
    const auto exact = [&](const double* s) {
      return reference::relation_cross_entropy(shape, s, shape.parts * shape.student_width, t.data(),
                                               shape.parts * shape.teacher_width);
    };
    INFO(shape.tokens << " tokens, widths " << shape.student_width << " and " << shape.teacher_width << ", pairs "
                      << shape.pairs);
    // a few roundings in each of tokens * pairs rows, all of one sign; differences with h = 1e-5
    // of values up to 1000 are good to 1e-13 * 1000 / 1e-5 over gradients of about 1
    CHECK(value == Approx(exact(x.data())).epsilon(narrow<T> ? 1e-5 : 1e-13).margin(narrow<T> ? 1e-5 : 1e-13));
    if (shape.tokens > 1) CHECK(gradient_error(gradient, x, weight, exact) < (narrow<T> ? 2e-5 : 1e-6));
    CHECK((student.intact() && teacher.intact() && gradient.intact()));
  }
}

TEMPLATE_LIST_TEST_CASE("relation_cross_entropy: scores of +-10,000 stay finite", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const kernels::RelationShape shape{5, 1, 4, 4, 1, 1};
  std::vector<T> x(20), gradient(20), scratch(static_cast<std::size_t>(kernels::relation_scratch<Arch, T>(shape)) + 16);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i % 3 == 0 ? -100 : 100);
  const double value = kernels::relation_cross_entropy<Arch, T>(shape, x.data(), 4, x.data(), 4, T(1), gradient.data(),
                                                                scratch.data());
  CHECK(std::isfinite(value));
  CHECK(value >= 0);
  for (const T g : gradient)
    CHECK(std::abs(static_cast<double>(g)) < 1e-2);  // a student that equals its teacher has nothing to learn
}

TEMPLATE_LIST_TEST_CASE("cosine_relation_error: value and gradient equal the formula", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for (const auto& [n, ws, wt] : {std::array<Index, 3>{1, 3, 2}, {5, 7, 12}, {17, 16, 5}, {33, 20, 20}}) {
    Guarded<T> student(n, ws, ws), teacher(n, wt, wt), gradient(n, ws, ws);
    student.fill_random(1), teacher.fill_random(2), gradient.fill(0);
    std::vector<T> scratch(static_cast<std::size_t>(kernels::cosine_scratch<Arch, T>(n, ws, wt)) + 16);
    const double weight = 2;
    const double value = kernels::cosine_relation_error<Arch>(n, student.data(), ws, teacher.data(), wt,
                                                              static_cast<T>(weight), gradient.data(), scratch.data());
    const auto x = student.doubles(), t = teacher.doubles();
    const auto exact = [&](const double* s) { return reference::cosine_relation_error(n, s, ws, t.data(), wt); };
    INFO(n << " tokens, widths " << ws << " and " << wt);
    CHECK(value == Approx(exact(x.data())).epsilon(narrow<T> ? 1e-5 : 1e-13).margin(narrow<T> ? 1e-10 : 1e-26));
    if (n > 1) CHECK(gradient_error(gradient, x, weight, exact) < (narrow<T> ? 5e-5 : 1e-6));
    CHECK((student.intact() && teacher.intact() && gradient.intact()));
  }
}

TEMPLATE_LIST_TEST_CASE("cosine_relation_error: a token of zeros has no direction and does no harm", "[kernel]",
                        KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  std::vector<T> student{0, 0, 1, 2}, teacher{1, 0, 0, 1}, gradient(4),
      scratch(static_cast<std::size_t>(kernels::cosine_scratch<Arch, T>(2, 2, 2)) + 16);
  const double value = kernels::cosine_relation_error<Arch>(2, student.data(), 2, teacher.data(), 2, T(1), gradient.data(),
                                                            scratch.data());
  CHECK(value == Approx(1));  // the cosine of the zero token with itself is 0 instead of 1
  for (const T g : gradient) CHECK(std::isfinite(static_cast<double>(g)));
}

}  // namespace relations_test
