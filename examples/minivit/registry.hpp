// SPDX-License-Identifier: MIT
// From names at run time to types: a model's config among the presets this program was compiled with, and a precision.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/config_json.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/simd/bf16.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace cli {

namespace mv = minivit;

/// Calls f.template operator()<config>() for the preset that equals `config`. Throws Error when there is none.
template <class F>
void with_config(const mv::ViTConfig& config, const std::string& where, F&& f) {
  bool found = false;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((config == mv::presets::all[I].config ? (found = true, f.template operator()<mv::presets::all[I].config>()) : void()), ...);
  }(std::make_index_sequence<mv::presets::all.size()>{});
  if (!found)
    mv::fail({.where = where, .what = "the config is none of this program's presets", .found = mv::to_json(config),
              .hint = "compile an example with your config: docs/how-to/own_config.md"});
}

/// Calls f(W{}) with the type that products multiply.
template <class F>
void with_products(const std::string& precision, F&& f) {
  if (precision == "bf16") f(mv::bf16{});
  else f(float{});
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
inline mv::ViTConfig config_named(const std::string& name) {
  const auto at = std::ranges::find(mv::presets::all, name, [](const auto& p) { return std::string(p.name); });
  if (at != mv::presets::all.end()) return at->config;
  const auto nearest = std::ranges::min_element(mv::presets::all, {}, [&](const auto& p) { return edit_distance(name, p.name); });
  mv::fail({.where = "--model " + name, .what = "no such model",
            .hint = "did you mean " + std::string(nearest->name) + "? 'minivit models' lists all"});
}

/// The name of the preset that equals `config`, or "".
inline std::string name_of(const mv::ViTConfig& config) {
  const auto at = std::ranges::find(mv::presets::all, config, [](const auto& p) { return p.config; });
  return at != mv::presets::all.end() ? at->name : "";
}

}  // namespace cli
