// SPDX-License-Identifier: MIT
// minivit models, minivit inspect: what there is, and what a file holds.
#include "commands.hpp"
#include "families.hpp"

#include <minivit/io/checkpoint_info.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace cli {

namespace {

void print_models(bool json) {
  nlohmann::json rows = nlohmann::json::array();
  each_preset([&](const std::string& name, const mv::AnyConfig& config) {
    const auto row = [&]<class Model>() {
      constexpr mv::Index inference = Model::inference_bytes(1), training = Model::training_bytes(1);
      rows.push_back({{"name", name}, {"parameters", Model::parameters}, {"macs", Model::macs},
                      {"inference_bytes", inference}, {"training_bytes", training}});
    };
    with_model<ViTs, every_preset>(config, row);
    with_model<Swins, every_preset>(config, row);
  });
  if (json) {
    fmt::print("{}\n", rows.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{:<36}{:>12}{:>10}{:>15}{:>15}\n", "model", "parameters", "GMACs", "inference MiB", "training MiB");
  for (const auto& row : rows)
    fmt::print("{:<36}{:>12}{:>10.3f}{:>15.1f}{:>15.1f}\n", row["name"].get<std::string>(), row["parameters"].get<long>(),
               row["macs"].get<double>() * 1e-9, row["inference_bytes"].get<double>() / 1048576,
               row["training_bytes"].get<double>() / 1048576);
  fmt::print("MACs and working memory are of one image; weights are not included.\n");
}

void print_file(const std::string& path, bool json) {
  const auto file = mv::SafeTensors::open(path);
  mv::Index elements = 0;
  nlohmann::json tensors = nlohmann::json::array();
  for (const auto& t : file.tensors()) {
    elements += t.size;
    tensors.push_back({{"name", t.name}, {"dtype", mv::name_of(t.dtype)}, {"shape", t.shape}});
  }
  const auto config = mv::read_config(file);
  if (json) {
    nlohmann::json out{{"file", path}, {"tensors", tensors}, {"elements", elements}, {"metadata", file.metadata()}};
    if (config) out["model"] = name_of(*config);
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  for (const auto& t : file.tensors()) fmt::print("{:<64} {:<5} [{}]\n", mv::printable(t.name, 64), mv::name_of(t.dtype), fmt::join(t.shape, ", "));
  fmt::print("{} tensors, {} elements\n", tensors.size(), elements);
  if (config) fmt::print("model: {}\n", name_of(*config).empty() ? "own config" : name_of(*config));
  for (const auto& [key, value] : file.metadata()) fmt::print("{}: {}\n", mv::printable(key, 64), mv::printable(value, 400));
}

}  // namespace

void add_models(CLI::App& app) {
  auto* const sub = app.add_subcommand("models", "List the models of this program with their sizes and costs.");
  const auto json = std::make_shared<bool>(false);
  sub->add_flag("--json", *json, "Print JSON");
  sub->footer("Example:\n  minivit models");
  sub->callback([json] { print_models(*json); });
}

void add_inspect(CLI::App& app) {
  auto* const sub = app.add_subcommand("inspect", "Show the tensors and metadata of a safetensors file.");
  struct Options {
    std::string file;
    bool json = false;
  };
  const auto o = std::make_shared<Options>();
  sub->add_option("FILE", o->file, "A safetensors file")->required();
  sub->add_flag("--json", o->json, "Print JSON");
  sub->footer("Example:\n  minivit inspect student.safetensors");
  sub->callback([o] { print_file(o->file, o->json); });
}

}  // namespace cli
