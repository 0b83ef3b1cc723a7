// SPDX-License-Identifier: MIT
// The presets this program was compiled with: their names at run time, their types in families.hpp.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/config_json.hpp>
#include <minivit/models/presets.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace cli {

namespace mv = minivit;

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

/// Throws the Error about a config that is no preset.
[[noreturn]] inline void fail_unknown(const mv::AnyConfig& config, const std::string& where) {
  mv::fail({.where = where,
            .what = "the config is none of this program's presets",
            .found = mv::to_json(config),
            .hint = "compile an example with your config: docs/how-to/own_config.md"});
}

}  // namespace cli
