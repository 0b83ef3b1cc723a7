// SPDX-License-Identifier: MIT
// The presets this program was compiled with: their names at run time, their types in families.hpp. CMake's
// MINIVIT_PROGRAM_MODELS chooses among them.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/config_json.hpp>
#include <minivit/models/presets.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#ifndef MINIVIT_PROGRAM_MODELS
#define MINIVIT_PROGRAM_MODELS ""
#endif

namespace cli {

namespace mv = minivit;

/// The presets that MINIVIT_PROGRAM_MODELS names, separated by spaces; none: the program is built with all.
constexpr std::vector<std::string_view> built_names() {
  std::vector<std::string_view> names;
  for (std::string_view rest = MINIVIT_PROGRAM_MODELS; !rest.empty();) {
    const auto length = std::min(rest.find(' '), rest.size());
    if (length > 0) names.push_back(rest.substr(0, length));
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  return names;
}

/// Whether the program computes with the preset of this name, and does not only know its tensors.
constexpr bool built_with(std::string_view name) {
  const auto names = built_names();
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

constexpr bool is_preset(std::string_view name) { return mv::presets::preprocessing_of(name).has_value(); }
static_assert(std::ranges::all_of(built_names(), is_preset),
              "minivit: MINIVIT_PROGRAM_MODELS names a model that is no preset; see 'minivit models'.");

/// Calls f(name, config) for every preset of every family.
template <class F>
void each_preset(F&& f) {
  for (const auto& p : mv::presets::all) f(std::string(p.name), mv::AnyConfig(p.config));
  for (const auto& p : mv::presets::all_swin) f(std::string(p.name), mv::AnyConfig(p.config));
}

/// Letters to insert, delete or replace to turn a into b.
inline std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// The config of a preset. Throws Error that suggests the nearest name.
inline mv::AnyConfig config_named(const std::string& name) {
  mv::AnyConfig found;
  std::string nearest;
  auto distance = std::string::npos;
  each_preset([&](const std::string& preset, const mv::AnyConfig& config) {
    const auto d = edit_distance(name, preset);
    if (d >= distance) return;
    distance = d;
    nearest = preset;
    found = config;
  });
  if (distance > 0)
    mv::fail({.where = "--model " + name,
              .what = "no such model",
              .hint = "did you mean " + nearest + "? 'minivit models' lists all"});
  return found;
}

/// The name of the preset that equals `config`, or "".
inline std::string name_of(const mv::AnyConfig& config) {
  std::string name;
  each_preset([&](const std::string& preset, const mv::AnyConfig& c) {
    if (c == config) name = preset;
  });
  return name;
}

/// Throws an Error if `config` is a preset that the program is not built with.
inline void require_built(const mv::AnyConfig& config, const std::string& where) {
  if (const auto name = name_of(config); !name.empty() && !built_with(name))
    mv::fail({.where = where,
              .what = "this program is built without the model",
              .expected = "one of " MINIVIT_PROGRAM_MODELS,
              .found = name,
              .hint = "configure with an empty -DMINIVIT_PROGRAM_MODELS= and build minivit_cli again"});
}

/// Throws the Error about a config for which the program has no model.
[[noreturn]] inline void fail_unknown(const mv::AnyConfig& config, const std::string& where) {
  require_built(config, where);
  mv::fail({.where = where,
            .what = "the config is none of this program's presets",
            .found = mv::to_json(config),
            .hint = "compile an example with your config: docs/how-to/own_config.md"});
}

}  // namespace cli
