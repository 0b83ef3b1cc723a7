// SPDX-License-Identifier: MIT
// What the subcommands that read a data set have in common: the words of --data, and what a broken picture does.
#pragma once

#include <CLI/CLI.hpp>

#include <minivit/data/open.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace cli {

inline constexpr const char* data_help =
    "'synthetic', a folder with train/<class>/ and test/<class>/ or with train.csv and test.csv, a list as .csv (columns "
    "path, label, split), or the binary "
    "files of CIFAR-10";

inline void add_broken_option(CLI::App& sub, std::string& on_broken) {
  sub.add_option("--broken", on_broken, "A picture that cannot be read: stop, or skip it and name it on stderr")
      ->check(CLI::IsMember({"stop", "skip"}))
      ->capture_default_str();
}

/// open_dataset; names on stderr what was left out. Labels follow `options.class_names`.
inline minivit::Dataset open_data(const std::string& spec, minivit::Split split, int side, const std::string& on_broken,
                                  minivit::OpenOptions options) {
  options.on_broken = on_broken == "skip" ? minivit::OnBroken::skip : minivit::OnBroken::stop;
  auto data = minivit::open_dataset(spec, split, side, options);
  constexpr std::size_t shown = 20;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, data.broken.size()); ++i) text += "skipped: " + data.broken[i].reason + "\n";
  if (!data.broken.empty())
    text += fmt::format("{} of {} {} pictures skipped{}\n", data.broken.size(),
                        static_cast<std::size_t>(data.size()) + data.broken.size(), minivit::split_name(split),
                        data.broken.size() > shown ? fmt::format(", the first {} named", shown) : "");
  std::fputs(text.c_str(), stderr);
  return data;
}

}  // namespace cli
