// SPDX-License-Identifier: MIT
// Whatever happens while a training checkpoint is saved, the last whole one stays: kill -9, a full disk, a folder without
// permission, numbers that are not finite.
#include "small_run.hpp"

#include <chrono>
#include <filesystem>
#include <limits>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "../catch.hpp"

namespace save_failure_test {

using namespace small_run;

namespace {

/// A run without a trainer, and a checkpoint in which every number is the step, so that a mixture of two is noticed.
struct Uniform {
  using Model = small_run::Model;
  Model model;
  mv::AdamWState<float> memory{Model().size()};
  const mv::AdamWState<float>& state() const { return memory; }
  void set_step(mv::Index step) { memory.step = step; }
  template <class F>
  void visit_state(F&& f) {
    f("", Model::parameter_table(), model.data());
    f("optimiser.m.", Model::parameter_table(), memory.m.data());
    f("optimiser.v.", Model::parameter_table(), memory.v.data());
  }
  void save(const std::string& path, mv::Index step) {
    for (float* slab : {model.data(), memory.m.data(), memory.v.data()})
      std::fill(slab, slab + model.size(), static_cast<float>(step));
    memory.step = step;
    mv::save_training(path, *this, "uniform");
  }
};

/// The step of the file at `path`. Throws Error unless it is whole.
mv::Index step_of_whole(const std::string& path) {
  Uniform run;
  auto& [model, state] = run;
  mv::load_training(path, run, "uniform");
  for (const float* slab : {model.data(), state.m.data(), state.v.data()})
    for (const auto& p : Model::parameter_table())
      for (mv::Index i = 0; i < p.size; ++i)
        if (slab[p.offset + i] != static_cast<float>(state.step))
          mv::fail({.where = path,
                    .what = "torn at " + p.name,
                    .expected = std::to_string(state.step),
                    .found = std::to_string(slab[p.offset + i])});
  return state.step;
}

bool one_line(const std::string& message, const std::string& path) {
  return !message.empty() && message.size() <= 500 && message.find('\n') == std::string::npos &&
         message.find(path) != std::string::npos;
}

}  // namespace

TEST_CASE("saving: 500 programs killed with kill -9 while they save leave whole checkpoints, and no rubbish for long",
          "[run]") {
  const Folder folder;
  const std::string path = folder / "run.training";
  mv::Index saved = 0, left_behind = 0;
  std::size_t most_files = 0;
  for (std::uint64_t k = 0; k < 500; ++k) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        Uniform file;
        for (mv::Index step = saved + 1;; ++step) {
          file.save(path, step);
          if (step == saved + 1 && ::write(ready[1], "x", 1) != 1) break;
        }
      } catch (...) {
      }
      ::_exit(1);  // it saves until it is killed
    }
    ::close(ready[1]);
    char x = 0;
    const bool began = ::read(ready[0], &x, 1) == 1;
    ::close(ready[0]);
    // A save takes about a millisecond, some more on a slow disk: every phase of it is hit.
    std::this_thread::sleep_for(std::chrono::microseconds(mv::Random(17).below(k, 6000)));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CAPTURE(k);
    REQUIRE(began);
    REQUIRE(WIFSIGNALED(status));
    mv::Index step = 0;
    REQUIRE_NOTHROW(step = step_of_whole(path));
    REQUIRE(step > saved);
    saved = step;
    most_files = std::max(most_files, folder.count());
    left_behind += folder.count() > 1;
  }
  CHECK(most_files <= 2);    // each start removed what the one before it left
  CHECK(left_behind >= 50);  // else the kills came at the wrong moments and prove nothing; about 350 are usual
  Uniform().save(path, saved + 1);
  CHECK(step_of_whole(path) == saved + 1);
  CHECK(folder.count() == 1);
}

TEST_CASE("saving: on a disk that is full at any byte the old checkpoint stays whole and nothing is left lying about",
          "[run]") {
  const Folder folder;
  const std::string path = folder / "run.training";
  Uniform file;
  file.save(path, 1);
  const std::string before = get(path);
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{1000}, before.size() / 2, before.size() - 1}) {
    std::string message;
    {
      const FileSizeLimit limit(bytes);
      message = message_of([&] { file.save(path, 2); });
    }
    CAPTURE(bytes, message);
    CHECK(one_line(message, path));
    CHECK(message.find("File too large") != std::string::npos);
    CHECK(get(path) == before);
    CHECK(folder.count() == 1);
  }
  CHECK(step_of_whole(path) == 1);
  file.save(path, 2);
  CHECK(step_of_whole(path) == 2);
}

TEST_CASE("saving: a run that meets a full disk goes on from the last checkpoint when there is room again", "[run]") {
  const Folder folder;
  const Files whole_files{folder / "whole.ckpt", folder / "whole.jsonl"}, files{folder / "part.ckpt", folder / "part.jsonl"};
  const Run<Plain> whole(plain, whole_files, 1);
  const Run<Plain> first(plain, files, 1, batches + 1);
  const std::string before = get(files.checkpoint), log = get(files.log);
  std::string message;
  {
    const FileSizeLimit limit(before.size() / 2);
    message = message_of([&] { const Run<Plain> full(plain, files, 1); });
  }
  CHECK(one_line(message, files.checkpoint));
  CHECK(get(files.checkpoint) == before);
  {
    const FileSizeLimit limit(log.size() + 10);  // the log breaks off inside its next line
    message = message_of([&] { const Run<Plain> full(plain, files, 1); });
  }
  CHECK(one_line(message, files.log));
  CHECK(message.find("File too large") != std::string::npos);
  CHECK(get(files.log).size() == log.size() + 10);
  CHECK(get(files.checkpoint) == before);
  const Run<Plain> rest(plain, files, 1);
  CHECK(rest.equals(whole));
  CHECK(get(files.checkpoint) == get(whole_files.checkpoint));
  CHECK(without_speed(get(files.log)) == without_speed(get(whole_files.log)));
  CHECK(folder.count() == 4);
}

TEST_CASE("saving: a log on a full device stops the run in one line and leaves the checkpoint alone", "[run]") {
  if (!std::filesystem::exists("/dev/full")) return;
  const Folder folder;
  const Files files{folder / "part.ckpt", {}};
  const Run<Plain> first(plain, files, 1, batches);
  const std::string before = get(files.checkpoint);
  std::filesystem::create_symlink("/dev/full", folder / "log");
  std::filesystem::copy_file(files.checkpoint, folder / "other.ckpt");
  const std::string message = message_of([&] { const Run<Plain> run(plain, {folder / "new.ckpt", folder / "log"}, 1); });
  CHECK(one_line(message, folder / "log"));
  CHECK(message.find("No space left on device") != std::string::npos);
  CHECK(get(files.checkpoint) == before);
  CHECK_FALSE(std::filesystem::exists(folder / "new.ckpt"));  // the line of a step comes before its checkpoint
}

TEST_CASE("saving: into a folder without permission is refused and the checkpoint kept", "[run]") {
  const Folder folder;
  const std::string path = folder / "run.training";
  Uniform file;
  file.save(path, 1);
  const std::string before = get(path);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  const bool root = ::geteuid() == 0;
  if (root) REQUIRE(::seteuid(65534) == 0);  // root may write everywhere
  const std::string message = message_of([&] { file.save(path, 2); });
  if (root) REQUIRE(::seteuid(0) == 0);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  CAPTURE(message);
  CHECK(one_line(message, path));
  CHECK(message.find("Permission denied") != std::string::npos);
  CHECK(get(path) == before);
  CHECK(folder.count() == 1);
}

TEST_CASE("saving: weights and moments that are not finite never replace a checkpoint", "[run]") {
  const Folder folder;
  const std::string path = folder / "run.training";
  Uniform file;
  file.save(path, 1);
  const std::string before = get(path);
  const auto& parameter = Model::parameter_table()[4];
  float* const slabs[]{file.model.data(), file.memory.m.data(), file.memory.v.data()};
  const char* const names[]{"", ", optimiser.m", ", optimiser.v"};
  for (int i = 0; i < 3; ++i) {
    float& value = slabs[i][parameter.offset + 3];
    value = i == 1 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
    const std::string message = message_of([&] { mv::save_training(path, file, "uniform"); });
    value = 1;
    CAPTURE(message);
    CHECK(one_line(message, path + names[i] + ": parameter '" + parameter.name + "' is not finite at element 3"));
    CHECK(get(path) == before);
    CHECK(folder.count() == 1);
  }
}

TEST_CASE("saving: an image that is not finite stops the run with step, image and value, and the checkpoint stays",
          "[run]") {
  const Folder folder;
  const Files files{folder / "part.ckpt", folder / "part.jsonl"};
  const Run<Plain> first(plain, files, 1, batches + 1);
  const std::string before = get(files.checkpoint), log = get(files.log);
  Model student;
  auto trainer = plain(student, 2);
  mv::FitOptions options{.epochs = epochs,
                         .log = files.log,
                         .checkpoint = files.checkpoint,
                         .resume = true,
                         .settings = "test",
                         .show = mv::Progress::silent()};
  options.loader = {.batch = batch, .seed = 5, .shuffle = true, .drop_last = true};
  options.loader.transform = [&](std::span<float> image, const mv::Random&) {
    image[7] = std::numeric_limits<float>::quiet_NaN();
  };
  const std::string message = message_of([&] { mv::fit(trainer, data(), options); });
  CAPTURE(message);
  CHECK(message.find("training step 5: the loss is not finite; the first bad value is in image 0 of the batch, element 7") ==
        0);
  CHECK(message.find("nan") != std::string::npos);
  CHECK(get(files.checkpoint) == before);
  CHECK(get(files.log) == log);
  CHECK(trainer.state().step == batches + 1);
  CHECK(std::memcmp(student.data(), first.student.data(), 16) == 0);  // as it was loaded
}

}  // namespace save_failure_test
