// SPDX-License-Identifier: MIT
// minivit models, minivit inspect: what there is, and what a file holds.
#include "commands.hpp"
#include "families.hpp"
#include "tables.hpp"

#include <minivit/io/checkpoint_info.hpp>
#include <minivit/io/fixed_tensors.hpp>
#include <minivit/io/load_report.hpp>
#include <minivit/io/open_weights.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <optional>

namespace cli {

namespace {

void print_models(bool json) {
  nlohmann::json rows = nlohmann::json::array();
  each_model([&]<class Model>(const auto& preset) {
    constexpr mv::Index inference = Model::inference_bytes(1), training = Model::training_bytes(1);
    rows.push_back({{"name", preset.name},
                    {"built", built_with(preset.name)},
                    {"parameters", Model::parameters},
                    {"macs", Model::macs},
                    {"inference_bytes", inference},
                    {"training_bytes", training}});
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
  if (!built_names().empty()) fmt::print("This program computes with {}.\n", fmt::join(built_names(), ", "));
}

struct InspectOptions {
  std::string file, model;
  mv::ReadOptions read{};
  bool json = false;
};

/// Names of the presets that the file's tensors fit by name and shape.
std::vector<std::string> fitting_models(const mv::StateDict& file) {
  std::vector<std::string> names;
  for (const ModelTable& m : model_tables())
    if (mv::compare(*m.parameters, file, {}, m.fixed).ok()) names.push_back(m.name);
  return names;
}

/// Where the tensors came from, in words; one line each.
std::vector<std::string> origin_lines(const mv::Origin& origin) {
  std::vector<std::string> lines{origin.container +
                                 (origin.entry.empty() ? "" : ", entry '" + mv::printable(origin.entry, 80) + "'")};
  for (const auto& [entry, tensors] : origin.other_entries)
    lines.push_back(fmt::format("{} more tensors {}", tensors,
                                entry.empty() ? "outermost" : "under --entry " + mv::printable(entry, 80)));
  if (!origin.prefix.empty()) lines.push_back("prefix removed: " + mv::printable(origin.prefix, 80));
  if (!origin.naming.empty()) lines.push_back("names: " + origin.naming + "; shown are ours");
  for (const auto& what : origin.left_out) lines.push_back("left out: " + mv::printable(what, 160));
  return lines;
}

void print_file(const InspectOptions& o) {
  const auto file = mv::open_weights(o.file, o.read);
  const mv::Origin& origin = file.origin();
  mv::Index elements = 0;
  nlohmann::json tensors = nlohmann::json::array();
  for (const auto& t : file.tensors()) {
    elements += t.size;
    tensors.push_back({{"name", t.name}, {"dtype", mv::name_of(t.dtype)}, {"shape", t.shape}});
  }
  const auto config = mv::read_config(file);
  std::vector<std::string> fitting;
  if (!config) fitting = fitting_models(file);
  std::optional<mv::LoadReport> report;
  if (!o.model.empty()) {
    const ModelTable m = table_named(o.model);
    report = mv::compare(*m.parameters, file, {}, m.fixed);
    exit_code = report->ok() ? 0 : 1;
  }
  if (o.json) {
    nlohmann::json out{{"file", o.file},
                       {"container", origin.container},
                       {"tensors", tensors},
                       {"elements", elements},
                       {"metadata", file.metadata()}};
    if (config) out["model"] = name_of(*config);
    else out["fits"] = fitting;
    if (!origin.entry.empty()) out["entry"] = origin.entry;
    for (const auto& [entry, count] : origin.other_entries) out["other_entries"][entry] = count;
    if (!origin.prefix.empty()) out["prefix"] = origin.prefix;
    if (!origin.naming.empty()) out["naming"] = origin.naming;
    if (!origin.left_out.empty()) out["left_out"] = origin.left_out;
    if (report)
      out["report"] = {{"missing", report->missing},
                       {"extra", report->extra},
                       {"mismatched", report->mismatched},
                       {"hint", report->hint}};
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  for (const auto& t : file.tensors())
    fmt::print("{:<64} {:<5} [{}]\n", mv::printable(t.name, 64), mv::name_of(t.dtype), fmt::join(t.shape, ", "));
  fmt::print("{} tensors, {} elements\n", tensors.size(), elements);
  for (const auto& line : origin_lines(origin)) fmt::print("{}\n", line);
  if (config) fmt::print("model: {}\n", name_of(*config).empty() ? "own config" : name_of(*config));
  else if (!fitting.empty()) fmt::print("fits by names and shapes: {}\n", fmt::join(fitting, ", "));
  for (const auto& [key, value] : file.metadata()) fmt::print("{}: {}\n", mv::printable(key, 64), mv::printable(value, 400));
  if (report) {
    fmt::print("as {}:\n", o.model);
    for (const auto& line : report->lines()) fmt::print("  {}\n", line);
  }
}

}  // namespace

void add_models(CLI::App& app) {
  auto* const sub = app.add_subcommand("models", "List the models of this program with their sizes and costs.");
  const auto json = std::make_shared<bool>(false);
  sub->add_flag("--json", *json, "Print JSON");
  sub->footer("Example:\n  minivit models");
  sub->callback([json] { print_models(*json); });
}

std::vector<ModelTable> model_tables() {
  std::vector<ModelTable> tables;
  each_model([&]<class Model>(const auto& preset) {
    tables.push_back({preset.name, preset.config, &Model::parameter_table(), mv::fixed_tensors_of<Model>()});
  });
  return tables;
}

ModelTable table_named(const std::string& name) {
  const mv::AnyConfig config = config_named(name);
  for (ModelTable& m : model_tables())
    if (m.config == config) return std::move(m);
  fail_unknown(config, "--model " + name);
}

void add_inspect(CLI::App& app) {
  auto* const sub = app.add_subcommand(
      "inspect", "Show the tensors and metadata of a weights file (safetensors, .pth), and how it fits a model.");
  const auto o = std::make_shared<InspectOptions>();
  sub->add_option("FILE", o->file, "A safetensors file, or a .pth or .pt file with a state dict")->required();
  sub->add_option("--model", o->model,
                  "Also name every tensor that does not fit this preset; exit code 1 when there is one");
  add_read_options(sub, o->read);
  sub->add_flag("--json", o->json, "Print JSON");
  sub->footer(
      "Examples:\n  minivit inspect student.safetensors\n  minivit inspect deit_tiny.pth --model deit_tiny_patch16_224");
  sub->callback([o] { print_file(*o); });
}

}  // namespace cli
