// SPDX-License-Identifier: MIT
// minivit: the library as a program. Exit codes: 0 done, 1 failed, 2 the command line or an input cannot be used, 130
// stopped by a signal after saving (docs/reference/command_line.md).
#include "../exit_code.hpp"
#include "commands.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace {

int run(int argc, char** argv) {
  CLI::App app{
      "Compact vision transformers (DeiT, Mini-DeiT, Swin, Mini-Swin) on the CPU: train, distil, classify, measure."};
  app.require_subcommand(1);
  app.set_version_flag(
      "--version", [] { return cli::version_text(); }, "Version, compiler, instruction sets, image decoders and flags");
  app.footer(
      "A first run:\n"
      "  minivit train --model vit_nano_patch4_32 --data synthetic --epochs 8 --output teacher.safetensors\n"
      "  minivit distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 --data synthetic --epochs 8 --output "
      "student.safetensors\n"
      "  minivit samples --output samples\n"
      "  minivit classify --weights student.safetensors samples/*.png\n"
      "'minivit SUBCOMMAND --help' explains each.\n"
      "Exit codes: 0 done, 1 failed, 2 the command line, a file or the data cannot be used, 130 stopped by a signal after "
      "saving.");
  cli::add_models(app);
  cli::add_inspect(app);
  cli::add_convert(app);
  cli::add_forward(app);
  cli::add_classify(app);
  cli::add_preprocess(app);
  cli::add_samples(app);
  cli::add_eval(app);
  cli::add_train(app);
  cli::add_distill(app);
  cli::add_bench(app);
  cli::add_analyse(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : programs::refused;
  }
  if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category(), "output cannot be written");
  return cli::exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  return programs::exit_code_of("minivit", [&] { return run(argc, argv); });
}
