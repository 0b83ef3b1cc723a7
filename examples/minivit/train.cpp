// SPDX-License-Identifier: MIT
// minivit train: a model for 32x32 images from scratch.
#include "commands.hpp"
#include "data_option.hpp"
#include "registry.hpp"
#include "train_parts.hpp"

#include <memory>

namespace cli {

void add_training_options(CLI::App& sub, TrainingOptions& o) {
  sub.add_option("--data", o.data, data_help)->capture_default_str();
  add_broken_option(sub, o.on_broken);
  sub.add_option("--output", o.output, "Weights to write; the state for --resume goes to FILE.training")->required();
  sub.add_option("--epochs", o.epochs, "Passes over the data")->check(CLI::Range(1, 100000))->capture_default_str();
  sub.add_option("--batch", o.batch, "Images per step")->check(CLI::Range(1, 65536))->capture_default_str();
  sub.add_option("--count", o.count, "At most this many training images; 0: all")->check(CLI::Range(0, 1 << 30));
  sub.add_option("--lr", o.lr, "Peak learning rate; cosine down to 1e-5")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  sub.add_option("--warmup-epochs", o.warmup_epochs, "Linear warm-up")->check(CLI::Range(0.0, 1e6))->capture_default_str();
  sub.add_option("--weight-decay", o.weight_decay, "AdamW, decoupled")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  sub.add_option("--clip", o.clip, "Largest gradient norm; 0: no clipping")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
  sub.add_option("--drop-path", o.drop_path, "Stochastic depth rate of the last layer")->check(CLI::Range(0.0, 0.99));
  sub.add_option("--smoothing", o.smoothing, "Label smoothing")->check(CLI::Range(0.0, 0.99));
  sub.add_option("--mixup", o.mixup, "Alpha of mixup; 0: off")->check(CLI::Range(0.0, 100.0));
  sub.add_option("--cutmix", o.cutmix, "Alpha of cutmix; 0: off")->check(CLI::Range(0.0, 100.0));
  sub.add_option("--mix-prob", o.mix_probability, "Share of the batches that are mixed at all")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  sub.add_option("--mix-switch-prob", o.switch_probability, "Share of cutmix among mixed batches when both are on")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  sub.add_option("--aa", o.rand_augment, "RandAugment in timm's words, such as rand-m9-mstd0.5-inc1");
  sub.add_option("--reprob", o.erasing,
                 "Random erasing: share of the images, filled with noise; 0.25 in the published recipes")
      ->check(CLI::Range(0.0, 1.0));
  sub.add_option("--repeated-aug", o.repeats,
                 "Repeated augmentation: each image so many times in a row, an epoch stays as long; 3 in DeiT's recipe")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  sub.add_flag("--resized-crop", o.resized_crop,
               "Random resized crop as for ImageNet (area 0.08 to 1), instead of --padding");
  sub.add_option("--padding", o.padding, "Random crop out of this many pixels of padding")->check(CLI::Range(0, 64));
  sub.add_flag("--flip,!--no-flip", o.flip, "Mirror half of the images");
  sub.add_option("--ema", o.average,
                 "Decay of a moving average of the weights, evaluated and saved as FILE.average.*; 0: none")
      ->check(CLI::Range(0.0, 0.999999));
  sub.add_option("--seed", o.seed, "Same seed, same run")->capture_default_str();
  sub.add_option("--threads", o.threads, "Threads; 0: all that the process may use. The result does not depend on it")
      ->check(CLI::Range(0, 4096));
  sub.add_option("--precision", o.precision, "What products multiply; sums, weights and optimiser stay in float32")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  sub.add_flag("--recompute", o.recompute, "Less than half of the memory per image for a third more work; same bits");
  sub.add_option("--log", o.log, "JSON lines, one per epoch");
  sub.add_option("--csv", o.csv, "The same as a table; needs --log")->needs("--log");
  sub.add_option("--plot", o.plot, "Curves as SVG");
  sub.add_flag("--resume", o.resume, "Go on from FILE.training if it exists");
}

void add_train(CLI::App& app) {
  auto* const sub = app.add_subcommand("train", "Train a model for 32x32 images from scratch.");
  const auto o = std::make_shared<TrainingOptions>();
  sub->add_option("--model", o->model, "A preset for 32x32 images; see 'minivit models'")->required();
  sub->add_option("--init", o->init, "Weights to start from: fine-tuning");
  sub->add_option("--layer-decay", o->layer_decay,
                  "Rate of each group of layers over that of the next: 0.75 trains the first slowly")
      ->check(CLI::Range(0.01, 1.0));
  sub->add_option("--freeze", o->freeze,
                  "Parameters that do not move, by the beginning of their names: patch_embed, blocks.0");
  add_training_options(*sub, *o);
  sub->footer(
      "Examples:\n"
      "  minivit train --model vit_nano_patch4_32 --data synthetic --epochs 8 --output teacher.safetensors\n"
      "  minivit train --model vit_nano_patch4_32 --data cifar10 --epochs 22 --padding 4 --flip --lr 1.5e-3 \\\n"
      "    --precision bf16 --output teacher.safetensors --log teacher.jsonl --plot teacher.svg --resume\n"
      "  minivit train --model swin_lite_patch2_window4_32 --data cifar10 --epochs 22 --padding 4 --flip --precision bf16 "
      "--output swin.safetensors\n"
      "  minivit train --model vit_lite_patch4_32 --data cifar10 --epochs 64 --batch 128 --padding 4 --flip --aa "
      "rand-m7-mstd0.5-inc1 \\\n"
      "    --reprob 0.15 --cutmix 1 --mix-prob 0.4 --smoothing 0.1 --ema 0.999 --precision bf16 --output "
      "teacher.safetensors --resume");
  sub->callback([o] {
    const mv::AnyConfig config = config_named(o->model);
    if (const int image = mv::input_output(config).image; image != 32)
      mv::fail({.where = "--model " + o->model,
                .what = "this program trains models for 32x32 images",
                .found = std::to_string(image),
                .hint = "larger ones: compile examples/03_train.cpp with your config"});
    if (!train_vit(*o, config) && !train_swin(*o, config)) fail_unknown(config, "--model " + o->model);
  });
}

}  // namespace cli
