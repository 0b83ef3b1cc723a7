// SPDX-License-Identifier: MIT
// Models from a file's tensors, strict about names, shapes and config; what may be adapted is asked for by LoadOptions. Sees
// a model only as a table and a slab. Does not open files: safetensors_reader.hpp and open_weights.hpp do.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/io/checkpoint_info.hpp>
#include <minivit/io/fixed_tensors.hpp>
#include <minivit/io/load_report.hpp>
#include <minivit/io/weights_source.hpp>

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// A model as files see it: a slab of float or double, a table that names its parts, a config.
template <class Model>
concept Checkpointable = requires(Model& model, const Model& constant) {
  { *model.data() } -> std::convertible_to<double>;
  {constant.data()};
  { Model::parameter_table() } -> std::convertible_to<const ParameterTable&>;
  {first_difference(Model::config, Model::config)};
};

namespace detail {
/// Copies every parameter that has its name and shape in the file.
template <class T>
void copy_parameters(const StateDict& file, const ParameterTable& table, T* slab, std::string_view prefix) {
  for (const ParameterInfo& parameter : table) {
    const TensorInfo* const tensor = file.find(std::string(prefix) + parameter.name);
    if (tensor != nullptr && tensor->shape == parameter.shape) file.copy_to(*tensor, slab + parameter.offset);
  }
}
[[noreturn, gnu::cold]] inline void fail_load(const LoadReport& report, std::string_view where, std::size_t parameters) {
  const std::string what = concat({"tensors do not fit the model, ", report.counts()});
  const std::string found = report.details(2);
  fail({.where = where,
        .what = what,
        .expected = concat({"its ", parameters, " parameters by name and shape"}),
        .found = found,
        .hint = report.hint});
}
}  // namespace detail

/// Fills a slab from the tensors `prefix` + name. Throws Error when one is missing, has another shape or an unusable dtype;
/// tensors under other prefixes are left alone. After an error the slab's values are unspecified.
template <class T>
void read_parameters(const StateDict& file, const ParameterTable& table, T* slab, std::string_view prefix = {}) {
  LoadReport report = compare(table, file, prefix);
  if (prefix.empty()) report.extra.clear();  // without a prefix every other slab of the file would be extra
  if (!report.ok()) detail::fail_load(report, file.where(), table.size());
  detail::copy_parameters(file, table, slab, prefix);
}

/// How `file` differs from `Model`, and what `options` would adapt. A tensor of fixed numbers counts as mismatched when one
/// is another. Throws Error only for a dtype that cannot be compared. The config in the file is not consulted.
template <class Model>
LoadReport report_of(const StateDict& file, const LoadOptions& options = {}) {
  const auto fixed = fixed_tensors_of<Model>();
  LoadReport report = compare(Model::parameter_table(), file, {}, fixed, options);
  detail::each_wrong_tensor(file, fixed, [&](const FixedTensor& tensor, const WrongElement& e) {
    report.mismatched.push_back(concat({tensor.name, ": expected ", e.expected, " at ", e.place, ", found ", e.found}));
  });
  return report;
}

/// Copies what fits by name and shape, resamples what `options` allow, and reports the rest: missing parameters and those of
/// a head of other classes keep their values. Throws Error only for an unusable dtype. The config in the file is not
/// consulted.
template <Checkpointable Model>
LoadReport load_into(Model& model, const StateDict& file, const LoadOptions& options = {}) {
  LoadReport report = report_of<Model>(file, options);
  detail::copy_parameters(file, Model::parameter_table(), model.data(), {});
  const WeightsSource source(file, Model::parameter_table(), report, options.seed);
  for (const ParameterInfo& p : Model::parameter_table())
    if (std::ranges::find(report.resampled, p.name) != report.resampled.end()) source(p, model.data() + p.offset);
  return report;
}

namespace detail {
/// The file's config with the fields that `options` adapt taken from the model's, so that they do not differ.
inline AnyConfig adapted_config(AnyConfig in_file, const AnyConfig& model, const LoadOptions& options) {
  std::visit(
      [&]<class Config>(Config& config) {
        const auto* const wanted = std::get_if<Config>(&model);
        if (wanted == nullptr) return;
        if (options.replace_head) config.classes = wanted->classes;
        if (!options.resample) return;
        config.image = wanted->image;
        if constexpr (requires { config.window; }) config.window = wanted->window;
      },
      in_file);
  return in_file;
}

/// What to do about two configs that differ in `field`.
inline std::string_view hint_for(std::string_view field) {
  if (field == "classes") return "LoadOptions::replace_head (--replace-head) starts a new head";
  if (field == "image" || field == "window") return "LoadOptions::resample (--resample) adapts positions";
  return "load it into a model with the file's config";
}

/// parameters_of() without types, and without the numbers of `fixed`.
inline WeightsSource checked_source(const StateDict& file, const AnyConfig& config, const ParameterTable& table,
                                    const std::vector<FixedTensor>& fixed, const LoadOptions& options) {
  if (const auto in_file = read_config(file))
    if (const auto difference = first_difference(config, adapted_config(*in_file, config, options)))
      fail({.where = file.where(),
            .what = difference->field == "family"
                        ? "the file holds a model of another family"
                        : concat({"the file holds another model: config field '", difference->field, "' differs"}),
            .expected = difference->first,
            .found = difference->second,
            .hint = hint_for(difference->field)});
  LoadReport report = compare(table, file, {}, fixed, options);
  if (report.replaced.empty()) check_class_names(read_info(file), input_output(config).classes, file.where());
  if (!report.ok()) fail_load(report, file.where(), table.size());
  return WeightsSource(file, table, std::move(report), options.seed);
}

/// Throws Error when a tensor of fixed numbers holds others.
inline void check_fixed_tensors(const StateDict& file, const std::vector<FixedTensor>& fixed) {
  each_wrong_tensor(file, fixed, [&](const FixedTensor& tensor, const WrongElement& e) {
    fail({.where = file.where(),
          .what = concat({"tensor ", in_quotes(tensor.name), " is not what the model's config says, at element ", e.place}),
          .expected = e.expected,
          .found = e.found,
          .hint = "it follows from image, window and shift: is this a checkpoint of another geometry?"});
  });
}
}  // namespace detail

/// The parameters of the model in `file` one by one, a ParameterSource; `file` must outlive it. The file must be complete:
/// every parameter present, nothing extra but what follows from the config, with the right numbers (Model::fixed_tensors),
/// shapes equal, and the config in the metadata, if any, equal to the model's; but for what `options` adapt. Throws Error.
template <class Model>
WeightsSource parameters_of(const StateDict& file, const LoadOptions& options = {}) {
  const auto fixed = fixed_tensors_of<Model>();
  WeightsSource source = detail::checked_source(file, Model::config, Model::parameter_table(), fixed, options);
  if constexpr (requires { Model::fixed_tensors(); }) detail::check_fixed_tensors(file, fixed);
  return source;
}

/// The model in `file`; parameters_of() says what is checked. Throws Error.
template <Checkpointable Model>
Model load(const StateDict& file, const LoadOptions& options = {}) {
  const auto source = parameters_of<Model>(file, options);
  Model model;
  for (const ParameterInfo& p : Model::parameter_table()) source(p, model.data() + p.offset);
  return model;
}

}  // namespace minivit::inline MINIVIT_ISA
