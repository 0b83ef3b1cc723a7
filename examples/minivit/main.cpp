// SPDX-License-Identifier: MIT
// minivit: the library as a program. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by a signal after saving.
#include "commands.hpp"

#include <minivit/core/errors.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  CLI::App app{"Compact vision transformers (DeiT, Mini-DeiT, Swin, Mini-Swin) on the CPU: train, distil, classify, measure."};
  app.require_subcommand(1);
  app.set_version_flag("--version", [] { return cli::version_text(); }, "Version, compiler, instruction sets, image decoders and flags");
  app.footer(
      "A first run:\n"
      "  minivit train --model vit_nano_patch4_32 --data synthetic --epochs 8 --output teacher.safetensors\n"
      "  minivit distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 --data synthetic --epochs 8 --output student.safetensors\n"
      "  minivit samples --output samples\n"
      "  minivit classify --weights student.safetensors samples/*.png\n"
      "'minivit SUBCOMMAND --help' explains each.");
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
    if (std::fflush(stdout) != 0) minivit::fail({.where = "output", .what = "cannot be written", .found = std::strerror(errno)});
    return cli::exit_code;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "minivit: %s\n", e.what());  // fmt would throw again when stderr is gone
    return 1;
  }
}
