// SPDX-License-Identifier: MIT
// Memory that runs out: every single allocation fails once while weights are loaded and saved, a model is made ready,
// classifies and trains. Each time there is an exception and no leak, and what was there before is as it was. And many
// callers on one model.
#include "small_run.hpp"

#include <minivit/models/inference.hpp>

#include <atomic>
#include <thread>

#include "../catch.hpp"
#include "../fixtures.hpp"
#include "../replaced_new.hpp"

namespace {
std::atomic<long> live{0};            // allocations not yet given back
std::atomic<long> until_failure{-1};  // allocations that still succeed; negative: all do

bool fails() { return until_failure.load() >= 0 && until_failure.fetch_sub(1) == 0; }
}  // namespace

void* replaced::allocate(std::size_t size, std::size_t align) {
  void* const p = fails() ? nullptr : from_library(size, align);
  if (p != nullptr) ++live;
  return p;
}
void replaced::give_back(void* p) noexcept {
  if (p != nullptr) --live;
  std::free(p);
}

namespace out_of_memory_test {

using namespace small_run;

namespace {

/// Calls attempt() with its first allocation failing, then its second, and so on until it meets no failure; after each of
/// the others check(). Returns how many failed.
template <class Attempt, class Check>
long each_allocation(Attempt&& attempt, Check&& check) {
  attempt();  // what the standard library allocates once and keeps
  check();
  for (long k = 0;; ++k) {
    CAPTURE(k);
    const long before = live;
    bool thrown = false;
    until_failure = k;
    try {
      attempt();
    } catch (const std::bad_alloc&) {
      thrown = true;
    } catch (const mv::Error&) {
      thrown = true;
    }
    const bool failed = until_failure < 0;
    until_failure = -1;
    REQUIRE(live == before);
    if (!failed) return k;
    REQUIRE(thrown);
    check();
  }
}

Model made_up() {
  Model model;
  mv::initialise(model, 7);
  return model;
}

/// Every kind of metadata.
mv::CheckpointInfo everything() {
  mv::CheckpointInfo info{.preprocessing = {.crop_mode = mv::CropMode::border},
                          .model = "a name that is longer than a short text"};
  for (int i = 0; i < config.classes; ++i) info.class_names.push_back("class \"" + std::to_string(i) + "\"");
  info.extra["note"] = "line\n";
  return info;
}

}  // namespace

TEST_CASE("out of memory: while weights of each container are loaded", "[run]") {
  const Folder folder;
  mv::save(made_up(), folder / "model.safetensors", everything());
  CHECK(each_allocation([&] { mv::read_info(mv::SafeTensors::open(folder / "model.safetensors")); }, [] {}) > 100);
  CHECK(each_allocation([&] { mv::load<Model>(folder / "model.safetensors"); }, [] {}) > 100);
  for (const char* const container : {"zip", "legacy"}) {
    const std::string path = fixtures::path(std::string("torch_kinds_") + container + ".pth");
    CHECK(each_allocation([&] { mv::open_weights(path); }, [] {}) > 100);
  }
}

TEST_CASE("out of memory: while weights are saved the old file stays, and nothing beside it", "[run]") {
  const Folder folder;
  const std::string path = folder / "model.safetensors";
  const Model model = made_up();
  mv::save(model, path, everything());
  const std::string expected = get(path), old = "what was there before";
  put(path, old);
  const long failed = each_allocation(
      [&] { mv::save(model, path, everything()); },
      [&] {
        const std::string now = get(path);
        REQUIRE((now == old || now == expected));  // a failure after the rename comes too late
        REQUIRE(folder.count() == 1);
        put(path, old);
      });
  CHECK(failed > 100);
  CHECK(get(path) == expected);
}

TEST_CASE("out of memory: while a training checkpoint is saved and loaded", "[run]") {
  const Folder folder;
  const std::string path = folder / "run.training";
  Model model = made_up();
  auto trainer = plain(model, 1);
  const auto save = [&](const std::string& to) { mv::save_training(to, trainer, "settings", everything(), "1 2 loss\n"); };
  save(path);
  const std::string expected = get(path);
  CHECK(each_allocation([&] { save(path); },
                        [&] {
                          REQUIRE(get(path) == expected);
                          REQUIRE(folder.count() == 1);
                        }) > 100);
  CHECK(each_allocation([&] { mv::load_training(path, trainer, "settings"); }, [] {}) > 100);
  save(folder / "again.training");
  CHECK(get(folder / "again.training") == expected);
}

TEST_CASE("out of memory: while a log becomes a table", "[run]") {
  const std::string lines = R"({"step": 1, "loss": 0.5, "note": "a, b"})"
                            "\n"
                            R"({"step": 2, "loss": null, "a rather long column": true})";
  CHECK(each_allocation([&] { mv::csv_from_json_lines(lines, "log"); }, [] {}) > 20);
}

TEMPLATE_TEST_CASE("out of memory: while a model is made ready and classifies", "[run]", float, mv::bf16, mv::int8) {
  const Model model = made_up();
  mv::Tensor<float, mv::Dyn, 3, 32, 32> images(3);
  std::fill_n(images.data(), images.size(), 0.5f);
  const long failed = each_allocation(
      [&] {
        mv::Inference<Model, TestType> infer(model, {.max_batch = 2, .threads = 1});
        infer(images.view().slice(0, 2));
      },
      [] {});
  CHECK(failed >= 2);  // weights and arena
}

TEST_CASE("out of memory: while a trainer is made and takes a step the model stays as it was", "[run]") {
  Model model = made_up();
  const Model before = model;
  mv::Tensor<float, mv::Dyn, 3, 32, 32> images(4);
  mv::Tensor<float, mv::Dyn, 10> targets(4);
  for (mv::Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i % 31) / 16 - 1;
  for (mv::Index i = 0; i < 4; ++i) targets.data()[i * 11] = 1;
  const auto same = [&](const Model& a, const Model& b) {
    return std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
  };
  const auto step = [&] {
    auto trainer = plain(model, 1);
    trainer.step(images, targets);
  };
  step();
  const Model expected = model;
  REQUIRE_FALSE(same(before, expected));
  const auto restore = [&] { std::copy_n(before.data(), before.size(), model.data()); };
  const long failed = each_allocation(
      [&] {
        restore();
        step();
        REQUIRE(same(model, expected));
      },
      [&] {
        REQUIRE((same(model, before) || same(model, expected)));  // all of a step or nothing
        restore();
      });
  CHECK(failed >= 3);  // gradients, moments, arena
}

TEST_CASE("a const model serves many threads at the same time, each with an Inference of its own", "[run]") {
  const Model model = made_up();
  constexpr mv::Index count = 16, rounds = 50;
  mv::Tensor<float, mv::Dyn, 3, 32, 32> images(count);
  for (mv::Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i * 7919 % 257) / 128 - 1;
  std::vector<float> expected;
  {
    mv::Inference<Model> infer(model, {.max_batch = count, .threads = 1});
    const auto logits = infer(images);
    expected.assign(logits.begin(), logits.end());
  }
  std::atomic<long> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t)
    callers.emplace_back([&, t] {
      const mv::Index most = 1 << t % 4;
      mv::Inference<Model> infer(model, {.max_batch = most, .threads = 1 + t % 2});
      for (mv::Index r = 0; r < rounds; ++r)
        for (mv::Index first = 0; first < count; first += most) {
          const auto logits = infer(images.view().slice(first, most));
          if (std::memcmp(logits.data(), expected.data() + first * 10,
                          static_cast<std::size_t>(logits.size()) * sizeof(float)) != 0)
            ++wrong;
        }
    });
  for (auto& caller : callers) caller.join();
  CHECK(wrong == 0);
}

}  // namespace out_of_memory_test
