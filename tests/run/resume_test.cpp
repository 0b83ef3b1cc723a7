// SPDX-License-Identifier: MIT
// A run that was stopped after any step and resumed, also several times and with another number of threads, equals the
// unbroken one bit for bit: weights, both moments, step, checkpoint file, log.
#include "small_run.hpp"

#include <algorithm>
#include <vector>

#include "../catch.hpp"

namespace resume_test {

using namespace small_run;

namespace {

/// Distilling with bf16 products: the other kind of trainer.
const Model& teacher() {
  static const Model model = [] {
    Model m;
    mv::initialise(m, 6);
    return m;
  }();
  return model;
}
constexpr auto distilling = [](Model& student, int threads) {
  return mv::Trainer<Model, Model, mv::DeiTDistillation, mv::bf16>(
      student, teacher(),
      {.loss = {.alpha = 0.5, .tau = 2},
       .schedule = {.peak = 2e-3, .warmup_steps = 3, .total_steps = steps},
       .drop_path = 0.3,
       .seed = 5,
       .threads = threads,
       .micro_batch = 5});
};

using Distilling = std::remove_const_t<decltype(distilling)>;

/// Files of a run that did not stop, and the run itself.
template <class Make>
struct Unbroken {
  Folder folder;
  Files files{folder / "whole.ckpt", folder / "whole.jsonl"};
  Run<Make> run;
  std::string checkpoint, log;
  explicit Unbroken(const Make& make, int threads = 1)
      : run(make, files, threads), checkpoint(get(files.checkpoint)), log(without_speed(get(files.log))) {}
};

/// Stops after each of `stops`, each time with the next of `threads`, and compares the end with the unbroken run.
template <class Make>
void check_resumed(const Make& make, const Unbroken<Make>& whole, const std::vector<mv::Index>& stops,
                   const std::vector<int>& threads) {
  const Folder folder;
  const Files files{folder / "part.ckpt", folder / "part.jsonl"};
  std::size_t part = 0;
  mv::Index lines = 0;
  for (const mv::Index stop : stops) {
    const Run<Make> stopped(make, files, threads[part % threads.size()], stop, part % 2 == 0 ? SIGINT : SIGTERM);
    ++part;
    CAPTURE(stop);
    REQUIRE(stopped.report.stopped);
    REQUIRE(stopped.report.exit_code == 130);
    REQUIRE(stopped.trainer.state().step == stop);
    lines += static_cast<mv::Index>(stopped.report.epochs.size());
    REQUIRE(lines == stop / batches);  // a line for each finished epoch, none for the one at work
    const std::string log = without_speed(get(files.log));
    REQUIRE(log == whole.log.substr(0, log.size()));
  }
  const Run<Make> end(make, files, threads[part % threads.size()]);
  REQUIRE_FALSE(end.report.stopped);
  REQUIRE(end.report.exit_code == 0);
  REQUIRE(end.equals(whole.run));
  REQUIRE(get(files.checkpoint) == whole.checkpoint);
  REQUIRE(without_speed(get(files.log)) == whole.log);
  REQUIRE(folder.count() == 2);
}

}  // namespace

TEST_CASE("resume: stopped after any step, with 1 and 2 threads, a run ends as the unbroken one", "[run]") {
  const Unbroken<Plain> whole(plain);
  REQUIRE(whole.run.trainer.state().step == steps);
  REQUIRE(std::count(whole.log.begin(), whole.log.end(), '\n') == epochs);
  const Unbroken<Plain> with_two(plain, 2);
  REQUIRE(with_two.run.equals(whole.run));
  REQUIRE(with_two.log == whole.log);
  const std::vector<std::vector<int>> threads{{1}, {2}, {1, 2}, {2, 1}};
  for (mv::Index stop = 1; stop <= steps; ++stop)
    for (const auto& t : threads) check_resumed(plain, whole, {stop}, t);  // 48 runs
}

TEST_CASE("resume: stopped several times at random, a run ends as the unbroken one", "[run]") {
  const Unbroken<Plain> whole(plain);
  for (std::uint64_t k = 0; k < 10; ++k) {
    const mv::Random random = mv::Random(11).fork(k);
    std::vector<mv::Index> stops = mv::sample_of(steps, 2 + random.below(0, 4), random.fork("steps"));
    for (mv::Index& stop : stops) ++stop;  // steps count from 1 when they are done
    check_resumed(plain, whole, stops, {1 + static_cast<int>(k % 2), 2 - static_cast<int>(k % 2), 2});
  }
  std::vector<mv::Index> each(steps);
  for (mv::Index i = 0; i < steps; ++i) each[static_cast<std::size_t>(i)] = i + 1;
  check_resumed(plain, whole, each, {1, 2});
}

TEST_CASE("resume: distillation with bf16 products goes on bit for bit, too", "[run]") {
  const Unbroken<Distilling> whole(distilling);
  for (const mv::Index stop : {1, 3, 4, 6, 11}) check_resumed(distilling, whole, {stop}, {1, 2});
}

TEST_CASE("resume: a log that ran ahead of the checkpoint, as after kill -9, is taken up where the checkpoint stands",
          "[run]") {
  const Unbroken<Plain> whole(plain);
  const Folder folder;
  const Files files{folder / "part.ckpt", folder / "part.jsonl"};
  const Run<Plain> first(plain, files, 1, batches + 2);  // in the second epoch
  for (const char* ahead : {"", "{\"step\": 8, \"epoch\": 1, \"loss\": 1}\n", "{\"step\": 8, \"epo"}) {
    const Folder again;
    const Files copy{again / "part.ckpt", again / "part.jsonl"};
    put(copy.checkpoint, get(files.checkpoint));
    put(copy.log, get(files.log) + ahead);
    const Run<Plain> rest(plain, copy, 2);
    CHECK(rest.equals(whole.run));
    CHECK(without_speed(get(copy.log)) == whole.log);
  }
}

TEST_CASE("resume: sums of an unfinished epoch survive as text, and other text is refused", "[run]") {
  mv::EpochMeans means;
  means.add("loss", 0.1, 3);
  means.add("loss", 1e-300, 7);
  means.add("correct", 1.0 / 3, 3);
  means.add("keys of layers 3 -> 1", 0.25, 3);  // a name that a user chose
  mv::EpochMeans read = mv::EpochMeans::read(means.text(), "here");
  CHECK(read.text() == means.text());
  for (mv::EpochMeans* m : {&means, &read}) m->add("loss", 0.7, 2);
  CHECK(read.mean("loss") == means.mean("loss"));  // bit for bit
  CHECK(read.weight("loss") == 12);
  CHECK(read.mean("keys of layers 3 -> 1") == 0.25);
  CHECK(read.mean("nothing") == 0);
  CHECK(mv::EpochMeans::read("", "here").text().empty());
  for (const char* text : {"1", "1 1", "1 x loss", "nan 1 loss", "inf 1 loss", "1 -1 loss", " 1 loss", "1 1 ",
                           "1 1 loss\n2 2 loss", "1,5 1 loss", "1 1 loss\n\n", "1e999 1 loss"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(mv::EpochMeans::read(text, "here"), Catch::StartsWith("here: the means of the unfinished epoch"));
  }
}

}  // namespace resume_test
