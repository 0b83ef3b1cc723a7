// SPDX-License-Identifier: MIT
// Does sharing weights pay in time? DeiT-B against itself with 2 and with 12 layers on one set of weights, bf16, one image,
// in turns: at 224 pixels (197 tokens), and at 64 and 32 pixels (17 and 5 tokens), where a product reads its weights for few
// rows. `plain` shares and nothing else, so only the place of the weights differs; `full` is Mini-DeiT with head mixing and
// relative position, which cost time of their own. Prints a Markdown table.
#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

#include "timing.hpp"

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mv = minivit;

namespace {

constexpr mv::ViTConfig with(int image, int repeat, bool full) {
  mv::ViTConfig c = full ? mv::presets::mini_deit_base_patch16_224 : mv::presets::deit_base_patch16_224;
  c.image = image;
  c.sharing = {.repeat = repeat, .mix_heads = full};
  return c;
}

struct Row {
  int image, tokens, repeat;
  const char* kind;
  double megabytes;  // packed weights
  std::function<void()> run;
  std::vector<double> times{};  // seconds
};

template <mv::ViTConfig C>
Row row(const char* kind) {
  using Model = mv::ViT<C>;
  using Engine = mv::Inference<Model, mv::bf16>;
  const auto engine = std::make_shared<Engine>(mv::initial_parameters<Model>(1),
                                               mv::InferenceOptions{.max_batch = 1, .threads = 1});
  const auto images = std::make_shared<mv::Tensor<float, mv::Dyn, C.channels, C.image, C.image>>(1);
  for (mv::Index i = 0; i < images->size(); ++i)
    images->data()[i] = static_cast<float>(mv::Random(1).uniform(static_cast<std::uint64_t>(i)) * 2 - 1);
  return {
      C.image, Model::tokens, C.sharing.repeat, kind, static_cast<double>(engine->weight_bytes()) * 1e-6, [engine, images] {
        (*engine)(*images);
      }};
}

}  // namespace

int main() {
  if (!is_optimised_build("sharing_bench")) return 1;
  constexpr int rounds = 21;
  std::vector<Row> rows;
  rows.push_back(row<with(224, 1, false)>("plain"));
  rows.push_back(row<with(224, 2, false)>("plain"));
  rows.push_back(row<with(224, 12, false)>("plain"));
  rows.push_back(row<with(224, 2, true)>("full"));
  rows.push_back(row<with(224, 12, true)>("full"));
  rows.push_back(row<with(64, 1, false)>("plain"));
  rows.push_back(row<with(64, 2, false)>("plain"));
  rows.push_back(row<with(64, 12, false)>("plain"));
  rows.push_back(row<with(32, 1, false)>("plain"));
  rows.push_back(row<with(32, 2, false)>("plain"));
  rows.push_back(row<with(32, 12, false)>("plain"));
  for (int r = 0; r < rounds; ++r)
    for (Row& at : rows) {
      at.run();  // its weights are where they are when the same model runs again and again
      at.times.push_back(seconds(at.run));
    }
  std::printf("bf16, one image, one thread, %s, median of %d in turns\n\n", mv::instruction_set(), rounds);
  std::printf(
      "| tokens | layers on one set | | packed weights, MB | ms | times as fast as unshared | GB/s of weights read "
      "|\n|---:|---:|---|---:|---:|---:|---:|\n");
  for (const Row& at : rows) {
    const Row& unshared = *std::ranges::find_if(rows, [&](const Row& other) { return other.image == at.image; });
    std::vector<double> ratio;
    for (std::size_t i = 0; i < at.times.size(); ++i) ratio.push_back(unshared.times[i] / at.times[i]);
    // every layer reads its weights, shared or not: as many bytes as the unshared model holds
    std::printf("| %d | %d | %s | %.1f | %.2f | %.2f | %.1f |\n", at.tokens, at.repeat, at.kind, at.megabytes,
                median(at.times) * 1e3, median(ratio), unshared.megabytes * 1e-3 / median(at.times));
  }
  return 0;
}
