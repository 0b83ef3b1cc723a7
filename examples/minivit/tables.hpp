// SPDX-License-Identifier: MIT
// The presets without their types: what is compared with a file. One source (inspect.cpp) instantiates the models for it.
// Also the options that say which part of a weights file is meant.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/io/load_options.hpp>
#include <minivit/models/any_config.hpp>

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace cli {

namespace mv = minivit;

struct ModelTable {
  std::string name;
  mv::AnyConfig config;
  const mv::ParameterTable* parameters = nullptr;
  std::vector<mv::FixedTensor> fixed{};
};

/// Every preset.
std::vector<ModelTable> model_tables();

/// The preset of that name. Throws Error that suggests the nearest one.
ModelTable table_named(const std::string& name);

inline void add_read_options(CLI::App* sub, mv::ReadOptions& o) {
  sub->add_option(
      "--entry", o.entry,
      "Of a .pth file: the dictionary to take, such as model_ema; by default model, state_dict, ..., or the only one");
  sub->add_option("--prefix", o.prefix, "Take only names that begin so, without it, such as 'backbone.'");
}

}  // namespace cli
