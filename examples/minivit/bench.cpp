// SPDX-License-Identifier: MIT
// minivit bench: time of a forward pass or of a training step, beside the machine's peak in the same run.
#include "commands.hpp"
#include "engine.hpp"
#include "registry.hpp"

#include <minivit/models/init.hpp>
#include <minivit/testing/peak.hpp>
#include <minivit/train/trainer.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <memory>

#include <sys/resource.h>

namespace cli {

namespace {

struct BenchOptions {
  std::string model, weights, mode = "infer";
  mv::Index batch = 1, repeats = 20;
  bool json = false, allow_debug = false;
  EngineOptions engine{};
};

constexpr bool optimised =
#if defined(__OPTIMIZE__) && defined(NDEBUG)
    true;
#else
    false;
#endif

/// Seconds of each of `repeats` calls, after three to warm up, sorted.
std::vector<double> times_of(const std::function<void()>& work, mv::Index repeats) {
  for (int i = 0; i < 3; ++i) work();
  std::vector<double> times;
  for (mv::Index i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

void bench(BenchOptions o) {
  if (!optimised && !o.allow_debug)
    mv::fail({.where = "bench", .what = "this is not an optimised build, its times mean nothing", .expected = "-O2 or more and -DNDEBUG",
              .hint = "cmake --preset release, or --allow-debug"});
  const mv::ViTConfig config = config_named(o.model);
  std::vector<double> times;
  mv::Index macs = 0;
  double factor = 2;  // FLOP per MAC
  if (o.mode == "infer") {
    std::vector<float> images(static_cast<std::size_t>(o.batch * config.channels * config.image * config.image));
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(mv::Random(1).uniform(i) * 2 - 1);
    o.engine.max_batch = o.batch;
    std::unique_ptr<Engine> engine;
    if (o.weights.empty()) {
      engine = make_engine(config, nullptr, o.engine);
    } else {
      const auto file = mv::SafeTensors::open(o.weights);
      engine = make_engine(config, &file, o.engine);
    }
    macs = engine->macs();
    times = times_of([&] { engine->logits(images.data(), o.batch); }, o.repeats);
  } else {
    if (o.engine.precision != "f32") mv::fail({.where = "bench --mode train", .what = "training runs in f32", .found = o.engine.precision});
    if (!o.weights.empty()) mv::fail({.where = "bench --mode train", .what = "weights are not read", .hint = "leave --weights out"});
    factor = 6;  // forward, gradient of the input, gradient of the weights
    bool done = false;
    with_config(config, o.model, [&]<mv::ViTConfig C>() {
      if constexpr (C.image == 32 || C == mv::presets::deit_tiny || C == mv::presets::mini_deit_tiny) {
        using Model = mv::ViT<C>;
        macs = Model::macs;
        Model model;
        mv::initialise(model, 1);
        mv::Trainer<Model> trainer(model, {.schedule = {.peak = 1e-4, .total_steps = 1000}, .threads = o.engine.threads});
        mv::Tensor<float, mv::Dyn, C.channels, C.image, C.image> images(o.batch);
        mv::Tensor<float, mv::Dyn, C.classes> targets(o.batch);
        for (mv::Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(mv::Random(1).uniform(static_cast<std::uint64_t>(i)) * 2 - 1);
        for (mv::Index b = 0; b < o.batch; ++b) targets.data()[b * C.classes + b % C.classes] = 1;
        times = times_of([&] { trainer.step(images, targets); }, o.repeats);
        done = true;
      }
    });
    if (!done) mv::fail({.where = "bench --mode train", .what = "not compiled for this model", .expected = "a 32x32 preset or a tiny one", .found = o.model});
  }

  const int threads = mv::Threads(o.engine.threads).count();
  const double median = times[times.size() / 2], peak = mv::testing::peak_gflops(threads);
  const double gflops = factor * static_cast<double>(macs * o.batch) / median * 1e-9;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double rss = static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts KiB
  if (o.json) {
    fmt::print("{}\n", nlohmann::json{{"model", o.model}, {"mode", o.mode}, {"precision", o.engine.precision}, {"batch", o.batch},
                                      {"threads", threads}, {"repeats", o.repeats}, {"median_ms", median * 1e3}, {"min_ms", times.front() * 1e3},
                                      {"images_per_s", static_cast<double>(o.batch) / median}, {"gflops", gflops}, {"peak_gflops", peak},
                                      {"share_of_peak", gflops / peak}, {"peak_rss_mib", rss}, {"instruction_set", mv::instruction_set()}, {"compiler", compiler}}.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{} ({}, {}), batch {}, {} threads, {}, {} runs\n", o.model, o.mode, o.engine.precision, o.batch, threads, mv::instruction_set(), o.repeats);
  fmt::print("  median {:>10.3f} ms   fastest {:.3f} ms   slowest {:.3f} ms\n", median * 1e3, times.front() * 1e3, times.back() * 1e3);
  fmt::print("  rate   {:>10.1f} images/s\n", static_cast<double>(o.batch) / median);
  fmt::print("  speed  {:>10.1f} GFLOP/s, {:.0f} % of the {:.1f} measured in this run\n", gflops, 100 * gflops / peak, peak);
  fmt::print("  memory {:>10.1f} MiB at the most\n", rss);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto* const sub = app.add_subcommand("bench", "Time a forward pass or a training step, beside the machine's peak in the same run.");
  const auto o = std::make_shared<BenchOptions>();
  sub->add_option("--model", o->model, "A preset; see 'minivit models'")->required();
  sub->add_option("--weights", o->weights, "Weights; random ones without it (as fast)");
  sub->add_option("--batch", o->batch, "Images per call or step")->check(CLI::Range(1, 65536))->capture_default_str();
  sub->add_option("--threads", o->engine.threads, "Threads; 0: all that the process may use")->check(CLI::Range(0, 4096));
  sub->add_option("--precision", o->engine.precision, "Arithmetic of the products")->check(CLI::IsMember({"f32", "bf16", "int8"}))->capture_default_str();
  sub->add_option("--mode", o->mode, "infer, or train for a whole training step")->check(CLI::IsMember({"infer", "train"}))->capture_default_str();
  sub->add_option("--repeats", o->repeats, "Timed runs")->check(CLI::Range(1, 100000))->capture_default_str();
  sub->add_flag("--json", o->json, "Print JSON");
  sub->add_flag("--allow-debug", o->allow_debug, "Run even though this build is not optimised");
  sub->footer("Examples:\n  minivit bench --model deit_small_patch16_224 --batch 8 --threads 1\n  minivit bench --model vit_tiny_patch4_32 --batch 128 --mode train --json");
  sub->callback([o] { bench(*o); });
}

}  // namespace cli
