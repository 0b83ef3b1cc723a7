// SPDX-License-Identifier: MIT
// From a file of weights and a picture to a class. `02_load_and_classify WEIGHTS IMAGE...` reads weights of the 32x32 model
// below; without arguments it writes an untrained model and a picture first, so the answer is a guess.
#include <minivit/classify.hpp>
#include <minivit/data/synthetic.hpp>
#include <minivit/models/init.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

namespace mv = minivit;
using Model = mv::ViT<mv::presets::mini_vit_nano_patch4_32>;

// Files to work with when none are given.
std::vector<std::string> make_files(const std::filesystem::path& folder) {
  const mv::Dataset drawn = mv::synthetic_dataset(10, mv::Split::test);
  Model untrained;
  mv::initialise(untrained, 1);
  const std::string weights = folder / "minivit_example.safetensors", picture = folder / "minivit_example.png";
  // What an image must look like and what the classes are called travels with the weights.
  mv::save(untrained, weights, {.preprocessing = {.crop_pct = 1}, .class_names = drawn.class_names, .model = "mini_vit_nano_patch4_32"});
  mv::write_png(picture, drawn.picture(3));
  std::printf("untrained weights in %s\na picture of a %s in %s\n\n", weights.c_str(), drawn.class_name(3).c_str(), picture.c_str());
  return {weights, picture};
}

int main(int argc, char** argv) try {
  std::vector<std::string> files(argv + 1, argv + argc);
  if (files.empty()) files = make_files(std::filesystem::temp_directory_path());

  const auto file = mv::SafeTensors::open(files[0]);  // checked before anything is used
  const mv::CheckpointInfo info = mv::read_info(file);
  const Model model = mv::load<Model>(file);          // every tensor by name and shape, config included
  mv::Inference<Model> infer{model};                  // packs the weights; the only allocation

  mv::Tensor<float, mv::Dyn, 3, 32, 32> image(1);
  for (std::size_t f = 1; f < files.size(); ++f) {
    mv::prepare_image(mv::read_image(files[f]), info.preprocessing, image.view()[0]);
    const auto logits = infer(image.view())[0];       // View<const float, 10>

    double p[10], sum = 0;
    for (int c = 0; c < 10; ++c) sum += p[c] = std::exp(static_cast<double>(logits[c]));
    int order[10];
    std::iota(order, order + 10, 0);
    std::sort(order, order + 10, [&](int a, int b) { return p[a] > p[b]; });
    std::printf("%s\n", files[f].c_str());
    for (const int c : {order[0], order[1], order[2]}) {
      const auto k = static_cast<std::size_t>(c);
      std::printf("  %5.1f %%  %s\n", 100 * p[c] / sum, k < info.class_names.size() ? info.class_names[k].c_str() : std::to_string(c).c_str());
    }
  }
} catch (const mv::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
