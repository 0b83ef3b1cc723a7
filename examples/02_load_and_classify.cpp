// SPDX-License-Identifier: MIT
// From a file of weights and pictures to classes: `02_load_and_classify WEIGHTS IMAGE...`, with weights of the 32x32 model
// below, such as examples/models/mini_vit_nano_patch4_32_cifar10.safetensors or what `minivit train` writes.
#include <minivit/classify.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>

namespace mv = minivit;
using Model = mv::ViT<mv::presets::mini_vit_nano_patch4_32>;

// The probabilities of a row of logits.
template <class Logits>
std::array<double, Model::config.classes> softmax(const Logits& logits) {
  std::array<double, Model::config.classes> p{};
  double sum = 0;
  for (int c = 0; c < Model::config.classes; ++c)
    sum += p[static_cast<std::size_t>(c)] = std::exp(static_cast<double>(logits[c]));
  for (double& x : p) x /= sum;
  return p;
}

int main(int argc, char** argv) try {
  if (argc < 3) return std::fprintf(stderr, "usage: %s WEIGHTS IMAGE...\n", argv[0]), 2;

  const auto file = mv::SafeTensors::open(argv[1]);     // checked before anything is used
  const mv::CheckpointInfo info = mv::read_info(file);  // what an image must look like, what the classes are called
  const Model model = mv::load<Model>(file);            // every tensor by name and shape, config included
  mv::Inference<Model> infer{model};                    // packs the weights; the only allocation

  mv::Tensor<float, mv::Dyn, 3, 32, 32> image(1);
  for (int i = 2; i < argc; ++i) {
    mv::prepare_image(mv::read_image(argv[i]), info.preprocessing, image.view()[0]);
    auto p = softmax(infer(image.view())[0]);  // of View<const float, 10>
    std::printf("%s\n", argv[i]);
    for (int place = 0; place < 3; ++place) {
      const auto best = std::max_element(p.begin(), p.end());
      const auto k = static_cast<std::size_t>(best - p.begin());
      std::printf("  %5.1f %%  %s\n", 100 * *best,
                  (k < info.class_names.size() ? mv::printable(info.class_names[k]) : std::to_string(k)).c_str());
      *best = -1;
    }
  }
} catch (const mv::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
