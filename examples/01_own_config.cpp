// SPDX-License-Identifier: MIT
// A config is one value, a model is a type: copy a preset, change fields, and the compiler knows size, cost and memory.
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

#include <cstdio>

namespace mv = minivit;

// Ten classes, 32x32 images in 4x4 patches; two consecutive layers run on one set of matrices.
constexpr mv::ViTConfig mine = [] {
  auto c = mv::presets::deit_tiny;
  c.image = 32;
  c.patch = 4;
  c.classes = 10;
  c.sharing = {.repeat = 2, .mix_heads = true};
  return c;
}();

// The same without sharing, to compare with.
constexpr mv::ViTConfig unshared = [] {
  auto c = mine;
  c.sharing = {};
  return c;
}();

using Model = mv::ViT<mine>;
using Unshared = mv::ViT<unshared>;

// All of this is decided before the program runs.
static_assert(Model::parameters == 2'698'402);
static_assert(2 * Model::parameters <= 1.1 * Unshared::parameters);
static_assert(Model::macs >= Unshared::macs);  // sharing saves parameters, not multiplications
static_assert(Model::inference_bytes(1) < 1'000'000);
static_assert(Model::training_bytes(1) < 20'000'000);

template <class M>
void print(const char* name) {
  std::printf("%-10s %11td %12td %16td %15td\n", name, M::parameters, M::macs, M::inference_bytes(1), M::training_bytes(1));
}

int main() {
  std::printf("%-10s %11s %12s %16s %15s\n", "model", "parameters", "MACs", "inference bytes", "training bytes");
  print<Unshared>("unshared");
  print<Model>("shared");

  // Names and shapes of the parameters, as they stand in a file: the first group of two layers.
  std::printf("\nblocks.0 of the shared model, used by layers 0 and 1:\n");
  for (const mv::ParameterInfo& p : Model::parameter_table()) {
    if (!p.name.starts_with("blocks.0.")) continue;
    std::printf("  %-46s %8td\n", p.name.c_str(), p.size);
  }
}
