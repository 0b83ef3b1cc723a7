// SPDX-License-Identifier: MIT
// The CIFAR-10 study of MiniViT's claims, one command: teacher, students, ablation, Swins. Runs may be stopped (Ctrl-C) and
// go on with the same command; what is finished is not run again. At the end, and with --table at any time, prints the table
// of what there is and draws accuracy.svg.
#include "../exit_code.hpp"
#include "rows.hpp"

#include <CLI/CLI.hpp>

#include <cmath>
#include <map>
#include <vector>

namespace study {

/// Results by row, the seeds of each together.
std::map<std::string, std::vector<nlohmann::json>> results(const fs::path& folder) {
  std::map<std::string, std::vector<nlohmann::json>> rows;
  if (fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".json") {
        const auto result = read_json(entry.path());
        rows[result.at("row")].push_back(result);
      }
  return rows;
}

void print_table(const fs::path& folder) {
  fmt::print(
      "| row | parameters | MACs | seeds | test accuracy | spread | training time |\n|---|---:|---:|---:|---:|---:|---:|\n");
  for (const auto& [name, seeds] : results(folder)) {
    double mean = 0, seconds = 0, low = 1, high = 0;
    for (const auto& r : seeds) {
      const double accuracy = r.at("accuracy");
      mean += accuracy / static_cast<double>(seeds.size());
      seconds += r.at("training_seconds").get<double>() / static_cast<double>(seeds.size());
      low = std::min(low, accuracy);
      high = std::max(high, accuracy);
    }
    fmt::print("| {} | {} | {:.1f} M | {} | {:.2f} % | {} | {:.0f} min |\n", name,
               seeds.front().at("parameters").get<mv::Index>(), seeds.front().at("macs").get<double>() / 1e6, seeds.size(),
               100 * mean, seeds.size() > 1 ? fmt::format("{:.2f}", 100 * (high - low)) : "", seconds / 60);
  }
}

int run(int argc, char** argv) {
  CLI::App app{
      "MiniViT's claims on CIFAR-10: teacher, students, ablation, Swins. Stop with Ctrl-C, go on with the same command."};
  std::string data, output = "reproduction", only = "all";
  Context context;
  minivit::Index count = 0;
  bool table = false;
  app.add_option("--data", data, "CIFAR-10: a folder with train/<class>/ and test/<class>/, or its binary files");
  app.add_option("--output", output, "Folder for results, logs and weights")->capture_default_str();
  app.add_option("--only", only, "Which part to run")
      ->check(CLI::IsMember({"all", "teacher", "students", "ablation", "swins"}))
      ->capture_default_str();
  app.add_option("--threads", context.threads, "Threads; 0: all that the process may use")->check(CLI::Range(0, 4096));
  app.add_option("--most-epochs", context.most_epochs, "Shortens every run, to try the program; results are then no results")
      ->check(CLI::Range(0, 100000));
  app.add_option("--count", count, "At most this many images of each split, likewise to try it")
      ->check(CLI::Range(0, 1 << 30));
  app.add_flag("--table", table, "Only print the table of what there is, and draw it");
  app.footer(
      "Examples:\n  reproduce --data cifar10 --output reproduction\n  reproduce --data synthetic --count 256 --most-epochs "
      "1 --output trial\n  reproduce --output reproduction --table");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : programs::refused;
  }
  context.output = output;
  if (!table) {
    if (data.empty()) minivit::fail({.where = "--data", .what = "is missing", .hint = "a folder with CIFAR-10, or --table"});
    const auto train = minivit::open_dataset(data, minivit::Split::train, 32, {.count = count});
    const auto test = minivit::open_dataset(data, minivit::Split::test, 32, {.count = count});
    context.train = &train;
    context.test = &test;
    const auto chosen = [&](const char* part) { return only == "all" || only == part; };
    const bool finished = (!chosen("teacher") || run_teacher(context)) && (!chosen("students") || run_students(context)) &&
                          (!chosen("ablation") || run_ablation(context)) && (!chosen("swins") || run_swins(context));
    if (!finished) {
      fmt::print(stderr, "stopped; the same command goes on\n");
      return 130;
    }
  }
  draw_accuracy(output);
  print_table(output);
  return 0;
}

}  // namespace study

int main(int argc, char** argv) {
  return programs::exit_code_of("reproduce", [&] { return study::run(argc, argv); });
}
