// SPDX-License-Identifier: MIT
// Compiled twice, with PART 0 and 1, for different processors, and linked into one program: both must give the same logits.
#include <minivit/minivit.hpp>

#include <cmath>
#include <cstdio>

namespace mv = minivit;

#if PART == 0
std::vector<float> logits_0();
#define LOGITS logits_0
#else
#define LOGITS logits_1
#endif
std::vector<float> logits_1();

namespace {
constexpr mv::ViTConfig small{
    .image = 16, .patch = 4, .dim = 24, .depth = 2, .heads = 3, .classes = 5, .sharing = {.repeat = 2, .mix_heads = true}};
}

std::vector<float> LOGITS() {
  mv::ViT<small> model;
  mv::initialise(model, 1);
  mv::Inference<mv::ViT<small>> infer(model, {.threads = 1});
  mv::Tensor<float, mv::Dyn, 3, 16, 16> image(1);
  for (mv::Index i = 0; i < image.size(); ++i) image.data()[i] = static_cast<float>(i % 17) / 8 - 1;
  const auto logits = infer(image);
  return {logits.begin(), logits.end()};
}

#if PART == 0
int main() {
  const auto a = logits_0(), b = logits_1();
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::printf("%g %g\n", static_cast<double>(a[i]), static_cast<double>(b[i]));
    if (!(std::abs(a[i] - b[i]) < 1e-5f)) return 1;  // float32 sums in another order, logits of order 1
  }
  return a.size() == 5 ? 0 : 1;
}
#endif
