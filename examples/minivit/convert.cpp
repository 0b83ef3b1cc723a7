// SPDX-License-Identifier: MIT
// minivit convert: weights of any kind that we read, as a safetensors file with everything the other subcommands need.
#include "commands.hpp"
#include "registry.hpp"
#include "tables.hpp"

#include <minivit/io/checkpoint.hpp>

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cli {

namespace {

struct ConvertOptions {
  std::string input, output, model;
  mv::LoadOptions load{};
  bool as_is = false, bf16 = false;
};

/// The preset that is meant: named, or in the metadata, or the only one that the tensors fit. Nothing when it is a config of
/// the user's own.
std::optional<ModelTable> table_for(const ConvertOptions& o, const mv::StateDict& file) {
  if (!o.model.empty()) return table_named(o.model);
  const auto config = mv::read_config(file);
  if (config) return name_of(*config).empty() ? std::nullopt : std::optional(table_named(name_of(*config)));
  std::vector<ModelTable> fitting;
  for (ModelTable& m : model_tables())
    if (mv::compare(*m.parameters, file, {}, m.fixed).ok()) fitting.push_back(std::move(m));
  if (fitting.size() == 1) return std::move(fitting.front());
  std::string names;
  for (const ModelTable& m : fitting) names += (names.empty() ? "" : ", ") + m.name;
  mv::fail({.where = file.where(),
            .what = fitting.empty() ? "no preset has these tensors" : "more than one preset has these tensors",
            .found = names,
            .hint = fitting.empty() ? "--model NAME says what does not fit; --as-is writes them all the same"
                                    : "name the model: --model"});
}

/// Tensors under our names as they are, for a model that is none of the presets.
void copy(const mv::StateDict& file, const std::string& output) {
  std::vector<mv::Buffer<std::byte>> packed;  // tensors that do not stand in one piece
  std::vector<mv::TensorToWrite> tensors;
  for (const mv::TensorInfo& t : file.tensors()) {
    if (!t.in_one_piece()) packed.push_back(file.packed(t));
    tensors.push_back({t.name, t.dtype, t.shape, t.in_one_piece() ? file.bytes(t).data() : packed.back().data()});
  }
  mv::write_safetensors(output, tensors, file.metadata());
}

void convert(const ConvertOptions& o) {
  const auto file = mv::open_weights(o.input, o.load.read);
  const auto model = o.as_is ? std::nullopt : table_for(o, file);
  if (!model) {  // the file's config is none of the presets, or nobody asks
    copy(file, o.output);
    fmt::print("{}: {} tensors as they are\n", o.output, file.tensors().size());
    return;
  }
  const mv::WeightsSource source = mv::detail::checked_source(file, model->config, *model->parameters, model->fixed, o.load);
  const mv::ParameterInfo& last = model->parameters->back();
  mv::Buffer<float> slab(last.offset + last.size);
  for (const mv::ParameterInfo& p : *model->parameters) source(p, slab.data() + p.offset);

  mv::CheckpointInfo info = mv::read_info(file);
  info.model = model->name;
  if (!file.metadata().contains(mv::detail::preprocessing_key))
    info.preprocessing = mv::presets::preprocessing_of(model->name).value_or(mv::Preprocessing{});
  if (!source.report().replaced.empty()) info.class_names.clear();  // of other classes
  const std::string where = "write " + mv::detail::shown_path(o.output);
  const mv::StoredParameters stored(*model->parameters, slab.data(), o.bf16 ? mv::Stored::bf16 : mv::Stored::as_they_are,
                                    where);
  mv::write_safetensors(o.output, stored.tensors(), mv::metadata_of(model->config, info, where));
  fmt::print("{}: {}, {} tensors from {}\n", o.output, model->name, stored.tensors().size(), file.origin().container);
  for (const auto& name : source.report().replaced) fmt::print("new: {}\n", name);
  for (const auto& name : source.report().resampled) fmt::print("resampled: {}\n", name);
}

}  // namespace

void add_convert(CLI::App& app) {
  auto* const sub = app.add_subcommand("convert",
                                       "Write weights of other projects (.pth, safetensors; DeiT, Swin, MiniViT, timm, "
                                       "Hugging Face, torchvision) as a file for the other subcommands.");
  const auto o = std::make_shared<ConvertOptions>();
  sub->add_option("IN", o->input, "A safetensors file, or a .pth or .pt file with a state dict")->required();
  sub->add_option("OUT", o->output, "Safetensors file to write")->required();
  sub->add_option("--model", o->model,
                  "The preset; by default the one in the file's metadata, or the only one that its tensors fit");
  add_read_options(sub, o->load.read);
  sub->add_flag("--replace-head", o->load.replace_head, "Start a new head when the number of classes differs");
  sub->add_flag("--resample", o->load.resample, "Resample positions when the size of images or windows differs");
  auto* const bf16 = sub->add_flag("--bf16", o->bf16, "Round the weights to bf16: half of the bytes");
  sub->add_flag("--as-is", o->as_is,
                "Write every tensor with its own type, whatever model it belongs to: for configs of your own")
      ->excludes(bf16);
  sub->add_option("--seed", o->load.seed, "Of a new head")->capture_default_str();
  sub->footer(
      "Examples:\n  minivit convert mini_deit_tiny.pth mini_deit.safetensors\n"
      "  minivit convert swin_base_patch4_window7_224.pth swin.safetensors --model swin_base_patch4_window12_384 "
      "--resample\n"
      "  minivit convert student.safetensors small.safetensors --bf16");
  sub->callback([o] { convert(*o); });
}

}  // namespace cli
