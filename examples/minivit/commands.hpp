// SPDX-License-Identifier: MIT
// The subcommands. Each registers its options on the program and runs when it was chosen; failures are thrown.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace cli {

/// The compiler of this program and its version.
inline constexpr const char* compiler =
#ifdef __clang__
    "clang " __clang_version__;
#else
    "g++ " __VERSION__;
#endif

/// What a subcommand returns to the shell; set by the one that ran.
inline int exit_code = 0;

/// What --version prints.
std::string version_text();

void add_models(CLI::App& app);
void add_inspect(CLI::App& app);
void add_convert(CLI::App& app);
void add_forward(CLI::App& app);
void add_classify(CLI::App& app);
void add_preprocess(CLI::App& app);
void add_samples(CLI::App& app);
void add_eval(CLI::App& app);
void add_train(CLI::App& app);
void add_distill(CLI::App& app);
void add_bench(CLI::App& app);
void add_analyse(CLI::App& app);

}  // namespace cli
