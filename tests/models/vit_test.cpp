// SPDX-License-Identifier: MIT
// What a model type promises: sizes and costs as constants, names, memory planned by the compiler, no allocation, results
// that do not depend on threads, a forward pass that the compiler itself can run.
#include "fixture_models.hpp"

#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/vit.hpp>

#include <nlohmann/json.hpp>

#include <atomic>
#include <fstream>
#include <map>

#include "../catch.hpp"
#include "../replaced_new.hpp"

namespace mv = minivit;
namespace presets = mv::presets;

namespace vit_test {
std::atomic<long> allocations{0};
}  // namespace vit_test

void* replaced::allocate(std::size_t size, std::size_t align) {
  ++vit_test::allocations;
  return from_library(size, align);
}
void replaced::give_back(void* p) noexcept { std::free(p); }

namespace vit_test {

// exact counts of the reference, by instantiating it
template <mv::ViTConfig C>
constexpr bool is(mv::Index parameters, mv::Index macs) {
  return mv::ViT<C>::parameters == parameters && mv::ViT<C>::macs == macs;
}
static_assert(is<presets::deit_tiny_patch16_224>(5'717'416, 1'253'683'200));
static_assert(is<presets::deit_small_patch16_224>(22'050'664, 4'598'882'304));
static_assert(is<presets::deit_base_patch16_224>(86'567'656, 17'563'828'224));
static_assert(is<presets::deit_base_patch16_384>(86'859'496, 55'484'350'464));
static_assert(is<presets::deit_tiny_distilled_patch16_224>(5'910'800, 1'261'003'776));
static_assert(is<presets::mini_deit_tiny_patch16_224>(3'090'304, 1'276'989'312));
static_assert(is<presets::mini_deit_small_patch16_224>(11'450'824, 4'651'473'408));
static_assert(is<presets::mini_deit_base_patch16_224>(44'098'408, 17'692'925'952));
static_assert(is<presets::mini_deit_base_patch16_384>(44'390'248, 56'784'893'952));
static_assert(is<presets::mini_deit_base_repeat12_patch16_224>(8'674'408, 17'692'925'952));
static_assert(mv::ViT<fixtures::deit_a>::parameters == 119'194);
static_assert(mv::ViT<fixtures::deit_distilled_a>::parameters == 119'780);
static_assert(mv::ViT<fixtures::mini_deit_a>::parameters == 66'146);
static_assert(mv::ViT<fixtures::deit_odd>::parameters == 43'930);
static_assert(mv::ViT<fixtures::mini_deit_odd>::parameters == 47'142);
static_assert(mv::ViT<fixtures::mini_deit_share_only>::parameters == 67'546);
static_assert(mv::ViT<fixtures::student>::parameters == 19'290);

constexpr mv::ViTConfig repeated(mv::ViTConfig c, int repeat) {
  c.sharing.repeat = repeat;
  return c;
}
constexpr mv::Index tiny_with(int repeat) {
  switch (repeat) {
    case 3: return mv::ViT<repeated(presets::mini_deit_tiny, 3)>::parameters;
    case 4: return mv::ViT<repeated(presets::mini_deit_tiny, 4)>::parameters;
    case 6: return mv::ViT<repeated(presets::mini_deit_tiny, 6)>::parameters;
    default: return mv::ViT<repeated(presets::mini_deit_tiny, 12)>::parameters;
  }
}
static_assert(tiny_with(3) == 2'202'112 && tiny_with(4) == 1'758'016 && tiny_with(6) == 1'313'920 &&
              tiny_with(12) == 869'824);
// every student for 32x32 images has at most 55 % of its teacher's parameters
static_assert(100 * mv::ViT<presets::mini_vit_nano_patch4_32>::parameters <=
              55 * mv::ViT<presets::vit_nano_patch4_32>::parameters);
static_assert(100 * mv::ViT<presets::mini_vit_micro_patch4_32>::parameters <=
              55 * mv::ViT<presets::vit_micro_patch4_32>::parameters);
static_assert(100 * mv::ViT<presets::mini_vit_tiny_patch4_32>::parameters <=
              55 * mv::ViT<presets::vit_tiny_patch4_32>::parameters);

TEST_CASE("ViT: names and shapes equal the reference's state dict", "[model]") {
  const auto check = [](const mv::ParameterTable& table, const std::string& file) {
    std::ifstream in(fixtures::path(file));
    std::map<std::string, std::vector<mv::Index>> expected;
    const auto json = nlohmann::json::parse(in);
    for (const auto& row : json.at("parameters")) expected[row[0].get<std::string>()] = row[1].get<std::vector<mv::Index>>();
    std::map<std::string, std::vector<mv::Index>> found;
    for (const auto& p : table) found[p.name] = p.shape;
    CHECK(found == expected);
  };
  check(mv::ViT<presets::mini_deit_tiny_patch16_224>::parameter_table(), "mini_deit_tiny_patch16_224.json");
  check(mv::ViT<presets::deit_tiny_patch16_224>::parameter_table(), "deit_tiny_patch16_224.json");
}

namespace {

template <mv::ViTConfig C>
mv::Tensor<float, mv::Dyn, C.channels, C.image, C.image> some_images(mv::Index batch) {
  mv::Tensor<float, mv::Dyn, C.channels, C.image, C.image> images(batch);
  generated::input(images.data(), images.size());
  return images;
}

template <class Engine, class Images>
std::vector<float> logits_of(Engine& infer, const Images& images) {
  const auto logits = infer(images);
  return {logits.begin(), logits.end()};
}

}  // namespace

TEST_CASE("Inference: forward does not allocate after construction", "[model]") {
  using Model = mv::ViT<fixtures::mini_deit_a>;
  Model model;
  generated::weights(model);
  const auto images = some_images<fixtures::mini_deit_a>(8);
  mv::Inference<Model> one(model, {.max_batch = 8, .threads = 1});
  const long before = allocations;
  one(images);
  CHECK(allocations == before);
  mv::Inference<Model> two(model, {.max_batch = 8, .threads = 2});
  two(images);  // oneTBB starts its threads
  const long warm = allocations;
  for (int i = 0; i < 10; ++i) two(images);
  CHECK(allocations == warm);
  mv::Inference<Model, mv::bf16> half(model, {.max_batch = 8, .threads = 1});
  mv::Inference<Model, mv::int8> quarter(model, {.max_batch = 8, .threads = 1});
  const long narrow = allocations;
  half(images);
  quarter(images);
  CHECK(allocations == narrow);
}

TEST_CASE("Inference: the arena's peak is the number the compiler found", "[model]") {
  const auto check = []<mv::ViTConfig C, class W = float>(W, mv::ViT<C> model) {
    using Engine = mv::Inference<mv::ViT<C>, W>;
    constexpr mv::Index planned = Engine::arena_size();  // a constant
    Engine infer(model, {.max_batch = Engine::images_per_task, .threads = 1});
    infer(some_images<C>(Engine::images_per_task));
    CHECK(infer.peak() == planned);
  };
  check(float{}, mv::ViT<fixtures::mini_deit_a>{});
  check(mv::bf16{}, mv::ViT<fixtures::mini_deit_a>{});
  check(mv::int8{}, mv::ViT<fixtures::mini_deit_a>{});
  check(float{}, mv::ViT<fixtures::deit_distilled_a>{});
  check(mv::bf16{}, mv::ViT<fixtures::deit_distilled_a>{});
  check(mv::int8{}, mv::ViT<fixtures::deit_distilled_a>{});
  check(float{}, mv::ViT<fixtures::mini_deit_odd>{});
  check(mv::bf16{}, mv::ViT<fixtures::mini_deit_odd>{});
  check(mv::int8{}, mv::ViT<fixtures::mini_deit_odd>{});
}

TEST_CASE("ViT: inference_bytes and training_bytes are what a real pass takes", "[model]") {
  using Model = mv::ViT<fixtures::mini_deit_a>;
  constexpr mv::Index inference = Model::inference_bytes(3), training = Model::training_bytes(3);
  Model model, gradients;
  generated::weights(model);
  const auto images = some_images<fixtures::mini_deit_a>(3);
  const auto net = std::as_const(model).net();
  {
    mv::Buffer<float> memory(inference / 4);
    mv::Arena<float> arena(memory.data(), memory.size(), mv::Memory::rewind);
    const Model::ConstNet::Output out{arena.take<mv::Dyn, 10>(3), {}};
    net.forward(images, out, arena);
    CHECK(arena.peak() * 4 == inference);
  }
  mv::Buffer<float> memory(training / 4);
  mv::Arena<float> arena(memory.data(), memory.size(), mv::Memory::keep);
  const Model::ConstNet::Output out{arena.take<mv::Dyn, 10>(3), {}}, dout{arena.take<mv::Dyn, 10>(3), {}};
  const auto saved = net.forward(images, out, arena);
  net.backward(saved, dout, gradients.net(), arena);
  CHECK(arena.peak() * 4 == training);
  CHECK(Model::training_bytes(6) > Model::training_bytes(3));
}

TEST_CASE("Inference: results are bit-identical for 1, 2 and 4 threads and for every cut of the batch", "[model]") {
  using Model = mv::ViT<fixtures::mini_deit_odd>;
  Model model;
  generated::weights(model);
  const auto images = some_images<fixtures::mini_deit_odd>(11);
  const auto check = [&]<class W>(W) {
    const auto run = [&](int threads) {
      mv::Inference<Model, W> infer(model, {.max_batch = 11, .threads = threads});
      return logits_of(infer, images);
    };
    const auto one = run(1);
    CHECK(one == run(2));
    CHECK(one == run(4));
    mv::Inference<Model, W> single(model, {.max_batch = 1, .threads = 1});
    for (mv::Index b = 0; b < 11; ++b) {
      const auto alone = single(images.view().slice(b, 1));
      CHECK(std::equal(alone.begin(), alone.end(), one.begin() + b * 10));
    }
  };
  check(float{});
  check(mv::bf16{});
  check(mv::int8{});
}

TEST_CASE("Inference: threads inside the layers change no bit, for one image and for those left over", "[model]") {
  constexpr auto config = mv::presets::mini_vit_nano_patch4_32;  // large enough to be split
  using Model = mv::ViT<config>;
  Model model;
  mv::initialise(model, 1);
  const auto images = some_images<config>(7);
  const auto check = [&]<class W>(W) {
    mv::Inference<Model, W> alone(model, {.max_batch = 7, .threads = 1});
    const auto expected = logits_of(alone, images);
    for (const int threads : {2, 3, 4, 16}) {
      mv::Inference<Model, W> team(model, {.max_batch = 7, .threads = threads});
      CHECK(logits_of(team, images) == expected);
      const auto one = team(images.view().slice(6, 1));
      CHECK(std::equal(one.begin(), one.end(), expected.begin() + 60));
      const long before = allocations;
      team(images.view().slice(6, 1));
      CHECK(allocations == before);
    }
  };
  check(float{});
  check(mv::bf16{});
  check(mv::int8{});
}

namespace {

/// Largest difference of logits in W from those in float32, relative to the largest logit.
template <mv::ViTConfig C, class W, class Arch = mv::simd::best>
double relative_difference() {
  using Model = mv::ViT<C>;
  Model model;
  generated::weights(model);
  const auto images = some_images<C>(4);
  mv::Inference<Model> exact(model, {.max_batch = 4});
  mv::Inference<Model, W, Arch> narrow(model, {.max_batch = 4});
  const auto a = logits_of(exact, images), b = logits_of(narrow, images);
  double worst = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a[i] - b[i])));
    size = std::max(size, std::abs(static_cast<double>(a[i])));
  }
  CHECK(worst > 0);
  CHECK(narrow.weight_bytes() < exact.weight_bytes());
  return worst / size;
}

/// Every instruction set of this build, forced.
template <mv::ViTConfig C, class W, class F>
void on_every_path(F&& check) {
  check(relative_difference<C, W>());
#if defined(__AVX2__) && defined(__FMA__)
  check(relative_difference<C, W, xsimd::fma3<xsimd::avx2>>());
#endif
#if defined(__SSE2__)
  check(relative_difference<C, W, xsimd::sse2>());
#endif
}

}  // namespace

TEST_CASE("Inference: bf16 changes logits by no more than its rounding allows, on every path", "[model]") {
  // weights, inputs of products, q, k, v and probabilities are off by up to 2^-9 of themselves; errors of 48 to 192 random
  // terms in each of 18 products average out: 2 %. The odd widths of mini_deit_odd leave words half filled.
  const auto check = [](double difference) { CHECK(difference < 0.02); };
  on_every_path<fixtures::mini_deit_a, mv::bf16>(check);
  on_every_path<fixtures::mini_deit_odd, mv::bf16>(check);
  on_every_path<fixtures::deit_distilled_a, mv::bf16>(check);
}

TEST_CASE("Inference: int8 changes logits by no more than its steps allow, on every path", "[model]") {
  // a weight is off by up to 1/254 of the largest of its channel and an input by up to 1/255 of its row's range: about four
  // times bf16
  const auto check = [](double difference) { CHECK(difference < 0.08); };
  on_every_path<fixtures::mini_deit_a, mv::int8>(check);
  on_every_path<fixtures::mini_deit_odd, mv::int8>(check);
  on_every_path<fixtures::deit_distilled_a, mv::int8>(check);
}

TEST_CASE("Inference: every instruction set of this build gives the same logits", "[model]") {
  using Model = mv::ViT<fixtures::mini_deit_odd>;
  Model model;
  generated::weights(model);
  const auto images = some_images<fixtures::mini_deit_odd>(2);
  mv::Inference<Model> best(model, {.max_batch = 2});
  const auto expected = logits_of(best, images);
  [[maybe_unused]] const auto check = [&]<class Arch>(Arch) {
    mv::Inference<Model, float, Arch> infer(model, {.max_batch = 2});
    const auto other = logits_of(infer, images);
    // other vector widths add in another order: 1e-5 relative to logits of about 1
    for (std::size_t i = 0; i < other.size(); ++i) CHECK(std::abs(other[i] - expected[i]) < 1e-5f);
  };
#if defined(__AVX2__) && defined(__FMA__)
  check(xsimd::fma3<xsimd::avx2>{});
#endif
#if defined(__SSE2__)
  check(xsimd::sse2{});
#endif
}

TEST_CASE("Inference: a batch that is too large is refused", "[model]") {
  using Model = mv::ViT<fixtures::mini_deit_a>;
  Model model;
  mv::Inference<Model> infer(model, {.max_batch = 2});
  CHECK_THROWS_WITH(infer(some_images<fixtures::mini_deit_a>(3)),
                    "Inference: the batch is too large: expected at most 2, found 3 (construct it with a larger max_batch)");
  CHECK_THROWS_WITH((mv::Inference<Model>(model, {.max_batch = 0})), Catch::Contains("expected at least 1, found 0"));
}

TEST_CASE("ViT: a copy is deep, a move keeps the parameters", "[model]") {
  using Model = mv::ViT<fixtures::mini_deit_a>;
  Model a;
  generated::weights(a);
  Model b = a;
  b.data()[0] += 1;
  CHECK(a.data()[0] != b.data()[0]);
  const float second = a.data()[1];
  const Model c = std::move(a);
  CHECK(c.data()[1] == second);
}

}  // namespace vit_test
