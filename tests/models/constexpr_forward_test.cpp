// SPDX-License-Identifier: MIT
// The compiler runs a Mini-DeiT. Two layers on one block, head mixing and relative position: the forward pass is evaluated
// in a constant expression through the scalar reference kernels, and the vector kernels must give the same logits.
#include "generated.hpp"

#include <minivit/models/inference.hpp>
#include <minivit/models/vit.hpp>

#include <array>

#include "../catch.hpp"

namespace constexpr_forward_test {

namespace mv = minivit;

namespace {

constexpr mv::ViTConfig toy = [] {
  mv::ViTConfig c;
  c.image = 4;
  c.patch = 2;
  c.channels = 1;
  c.dim = 4;
  c.depth = 2;
  c.heads = 2;
  c.mlp_ratio = 2;
  c.classes = 3;
  c.pool = mv::Pool::mean;
  c.sharing = {.repeat = 2, .mix_heads = true};
  c.position = {.keys = true};
  return c;
}();
using Model = mv::ViT<toy>;
using Net = Model::Net;

constexpr mv::Index slab_size = [] {
  mv::Index size = 0;
  Net net;
  Net::visit(net, mv::Name{}, [&](const mv::Name&, const auto& p) { size += mv::aligned_count<float>(p.size()); });
  return size;
}();

/// Weight i of a parameter: multiples of 1/64 between -1 and 1, plus 1 for the weights of norms.
constexpr float weight(const mv::Name& name, mv::Index i) {
  const auto bits = mv::Random(mv::hash_name(name.view())).bits(static_cast<std::uint64_t>(i));
  const float value = static_cast<float>(static_cast<int>(bits % 129) - 64) / 64;
  return name.view().starts_with("norm.weight") || name.view().find("norm1.instances.0.weight") != std::string_view::npos
             ? 1 + value / 4
             : value;
}
constexpr float pixel(mv::Index i) { return static_cast<float>((i * 7) % 11 - 5) / 4; }

constexpr std::array<float, 3> compiled_logits = [] {
  std::array<float, slab_size> slab{};
  Net net;
  float* at = slab.data();
  Net::visit(net, mv::Name{}, [&](const mv::Name& name, auto& p) {
    p = std::remove_reference_t<decltype(p)>(at);
    for (mv::Index i = 0; i < p.size(); ++i) at[i] = weight(name, i);
    at += mv::aligned_count<float>(p.size());
  });
  std::array<float, 16> image{};
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = pixel(static_cast<mv::Index>(i));
  std::array<float, Model::inference_bytes(1) / 4> memory{};
  mv::Arena<float> arena(memory.data(), static_cast<mv::Index>(memory.size()), mv::Memory::rewind);
  std::array<float, 3> logits{};
  net.forward(Net::Images(image.data(), 1), {Model::Logits(logits.data(), 1), {}}, arena);
  return logits;
}();

/// float32, some hundred operations at values around 1
constexpr bool near(float a, double b) { return static_cast<double>(a) - b < 1e-5 && b - static_cast<double>(a) < 1e-5; }

// expected values: a double precision program that was written from the specification and shares no code with the library
static_assert(near(compiled_logits[0], -0.7558888739714681));
static_assert(near(compiled_logits[1], 0.16706817034786492));
static_assert(near(compiled_logits[2], 0.6156389669143936));

}  // namespace

TEST_CASE("ViT: the compiler's own forward pass agrees with the run-time kernels", "[model]") {
  Model model;
  model.visit([](const mv::Name& name, auto& p) {
    for (mv::Index i = 0; i < p.size(); ++i) p.data()[i] = weight(name, i);
  });
  mv::Tensor<float, mv::Dyn, 1, 4, 4> image(1);
  for (mv::Index i = 0; i < 16; ++i) image.data()[i] = pixel(i);
  mv::Inference<Model> infer(model);
  const auto logits = infer(image);
  for (mv::Index k = 0; k < 3; ++k) {
    INFO("class " << k << ": compiler " << compiled_logits[static_cast<std::size_t>(k)] << ", kernels " << logits(0, k));
    CHECK(near(logits(0, k), static_cast<double>(compiled_logits[static_cast<std::size_t>(k)])));
  }
}

}  // namespace constexpr_forward_test
