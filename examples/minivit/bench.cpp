// SPDX-License-Identifier: MIT
// minivit bench: time of a forward pass or of a training step, beside the machine's peak in the same run.
#include "commands.hpp"
#include "engine.hpp"
#include "registry.hpp"
#include "train_parts.hpp"

#include <minivit/core/profile.hpp>
#include <minivit/core/random.hpp>
#include <minivit/core/threads.hpp>
#include <minivit/kernels/dot/amx.hpp>
#include <minivit/testing/peak.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <memory>

#include <sys/resource.h>

namespace cli {

namespace {

struct BenchOptions {
  std::string model, weights, mode = "infer";
  mv::Index batch = 1, repeats = 20;
  bool json = false, allow_debug = false, recompute = false, profile = false, no_amx = false, calibrate = false;
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

/// Where the time of `runs` calls of `work` goes, on this thread.
struct Phases {
  mv::Profile profile;
  double seconds = 0;  // all runs, measured around them
  mv::Index runs = 0;

  void record(const std::function<void()>& work, mv::Index count) {
    runs = count;
    const auto start = std::chrono::steady_clock::now();
    const mv::Profile::Recording recording(profile);
    for (mv::Index i = 0; i < count; ++i) work();
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  /// Longest first.
  std::vector<mv::Profile::Row> rows() const {
    std::vector<mv::Profile::Row> sorted(profile.begin(), profile.end());
    std::ranges::sort(sorted, std::ranges::greater{}, &mv::Profile::Row::seconds);
    return sorted;
  }
  void print() const {
    fmt::print("\n  {:<24} {:>10} {:>7} {:>8}\n", "phase", "ms", "share", "calls");
    double sum = 0;
    const auto per_run = static_cast<double>(runs);
    for (const auto& r : rows()) {
      fmt::print("  {:<24} {:>10.3f} {:>5.1f} % {:>8}\n", r.name, r.seconds / per_run * 1e3, 100 * r.seconds / seconds,
                 r.calls / runs);
      sum += r.seconds;
    }
    fmt::print("  {:<24} {:>10.3f} {:>5.1f} %\n", "sum", sum / per_run * 1e3, 100 * sum / seconds);
    fmt::print("  {:<24} {:>10.3f}\n", "measured around it", seconds / per_run * 1e3);
  }
  nlohmann::json json() const {
    auto out = nlohmann::json::array();
    const auto per_run = static_cast<double>(runs);
    for (const auto& r : rows())
      out.push_back({{"phase", r.name}, {"ms", r.seconds / per_run * 1e3}, {"calls", r.calls / runs}});
    return {{"total_ms", seconds / per_run * 1e3}, {"phases", out}};
  }
};

void bench(BenchOptions o) {
  if (!optimised && !o.allow_debug)
    mv::fail({.where = "bench",
              .what = "this is not an optimised build, its times mean nothing",
              .expected = "-O2 or more and -DNDEBUG",
              .hint = "cmake --preset release, or --allow-debug"});
  const mv::AnyConfig config = config_named(o.model);
  if (o.no_amx) mv::kernels::amx::allowed() = false;
  if (o.profile) o.engine.threads = 1;  // phases are those of one thread
  std::vector<double> times;
  Phases phases;
  double image_mib = 0;  // training: working memory for each image at a time
  const auto measure = [&](const std::function<void()>& work) {
    times = times_of(work, o.repeats);
    if (o.profile) phases.record(work, o.repeats);
  };
  mv::Index macs = 0;
  double factor = 2;  // FLOP per MAC
  if (o.mode == "infer") {
    const auto [image, channels, classes] = mv::input_output(config);
    std::vector<float> images(static_cast<std::size_t>(o.batch * channels * image * image));
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(mv::Random(1).uniform(i) * 2 - 1);
    o.engine.max_batch = o.batch;
    std::unique_ptr<Engine> engine;
    if (o.weights.empty()) {
      engine = make_engine(config, nullptr, o.engine);
    } else {
      const auto file = mv::open_weights(o.weights);
      engine = make_engine(config, &file, o.engine);
    }
    macs = engine->macs();
    if (o.calibrate) engine->calibrate(images.data(), 1);
    measure([&] { engine->logits(images.data(), o.batch); });
  } else {
    if (o.engine.precision == "int8")
      mv::fail({.where = "bench --mode train", .what = "--precision", .expected = "f32 or bf16", .found = "int8"});
    if (!o.weights.empty())
      mv::fail({.where = "bench --mode train", .what = "weights are not read", .hint = "leave --weights out"});
    factor = 6;  // forward, gradient of the input, gradient of the weights
    const StepOptions options{
        .precision = o.engine.precision, .batch = o.batch, .threads = o.engine.threads, .recompute = o.recompute};
    auto step = vit_step(config, options);
    if (!step) step = swin_step(config, options);
    if (!step) {
      require_built(config, "bench --mode train");
      mv::fail({.where = "bench --mode train",
                .what = "not compiled for this model",
                .expected = "a preset for 32x32 images, or deit_tiny or mini_deit_tiny",
                .found = o.model});
    }
    macs = step->macs();
    image_mib = static_cast<double>(step->bytes_per_image()) / 1048576;
    measure([&] { step->run(); });
  }

  const int threads = mv::Threads(o.engine.threads).count();
  const bool amx = o.engine.precision == "int8" ? mv::kernels::amx::available<mv::int8>()
                                                : o.engine.precision == "bf16" && mv::kernels::amx::available<mv::bf16>();
  const std::string instructions = mv::instruction_set() + std::string(amx ? " + amx" : "");
  double peak = 0;
  if (o.engine.precision == "bf16") peak = mv::testing::peak_gflops<mv::bf16>(threads);
  else if (o.engine.precision == "int8") peak = mv::testing::peak_gflops<mv::int8>(threads);
  else peak = mv::testing::peak_gflops(threads);
  const double median = times[times.size() / 2];
  const double gflops = factor * static_cast<double>(macs * o.batch) / median * 1e-9;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double rss = static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts KiB
  if (o.json) {
    nlohmann::json out{{"model", o.model},
                       {"mode", o.mode},
                       {"precision", o.engine.precision},
                       {"batch", o.batch},
                       {"threads", threads},
                       {"repeats", o.repeats},
                       {"median_ms", median * 1e3},
                       {"min_ms", times.front() * 1e3},
                       {"images_per_s", static_cast<double>(o.batch) / median},
                       {"gflops", gflops},
                       {"peak_gflops", peak},
                       {"share_of_peak", gflops / peak},
                       {"peak_rss_mib", rss},
                       {"instruction_set", instructions},
                       {"compiler", compiler}};
    if (image_mib > 0) out["training_mib_per_image"] = image_mib;
    if (o.profile) out["profile"] = phases.json();
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{} ({}, {}), batch {}, {} threads, {}, {} runs\n", o.model, o.mode, o.engine.precision, o.batch, threads,
             instructions, o.repeats);
  fmt::print("  median {:>10.3f} ms   fastest {:.3f} ms   slowest {:.3f} ms\n", median * 1e3, times.front() * 1e3,
             times.back() * 1e3);
  fmt::print("  rate   {:>10.1f} images/s\n", static_cast<double>(o.batch) / median);
  fmt::print("  speed  {:>10.1f} GFLOP/s, {:.0f} % of the {:.1f} measured in this run\n", gflops, 100 * gflops / peak, peak);
  fmt::print("  memory {:>10.1f} MiB at the most\n", rss);
  if (image_mib > 0) fmt::print("         {:>10.2f} MiB for each image that is computed at the same time\n", image_mib);
  if (o.profile) phases.print();
}

}  // namespace

void add_bench(CLI::App& app) {
  auto* const sub = app.add_subcommand("bench",
                                       "Time a forward pass or a training step, beside the machine's peak in the same run.");
  const auto o = std::make_shared<BenchOptions>();
  sub->add_option("--model", o->model, "A preset; see 'minivit models'")->required();
  sub->add_option("--weights", o->weights, "Weights; random ones without it (as fast)");
  sub->add_option("--batch", o->batch, "Images per call or step")->check(CLI::Range(1, 65536))->capture_default_str();
  sub->add_option("--threads", o->engine.threads, "Threads; 0: all that the process may use")->check(CLI::Range(0, 4096));
  sub->add_option("--precision", o->engine.precision, "Arithmetic of the products")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
  sub->add_option("--mode", o->mode, "infer, or train for a whole training step")
      ->check(CLI::IsMember({"infer", "train"}))
      ->capture_default_str();
  sub->add_option("--repeats", o->repeats, "Timed runs")->check(CLI::Range(1, 100000))->capture_default_str();
  sub->add_flag("--profile", o->profile, "Also the time of each phase, on one thread");
  sub->add_flag("--recompute", o->recompute,
                "Training: compute layers again in backward, in less than half of the memory per image");
  sub->add_flag("--calibrate", o->calibrate, "int8 with fixed scales, found on one of the images");
  sub->add_flag("--no-amx", o->no_amx, "bf16 and int8 without AMX, where the processor has it");
  sub->add_flag("--json", o->json, "Print JSON");
  sub->add_flag("--allow-debug", o->allow_debug, "Run even though this build is not optimised");
  sub->footer(
      "Examples:\n  minivit bench --model deit_small_patch16_224 --batch 8 --threads 1\n  minivit bench --model "
      "mini_deit_base_patch16_224 --precision bf16 --profile\n  minivit bench --model vit_tiny_patch4_32 --batch 128 --mode "
      "train --precision bf16 --json");
  sub->callback([o] { bench(*o); });
}

}  // namespace cli
