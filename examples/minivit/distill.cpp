// SPDX-License-Identifier: MIT
// minivit distill: a multiplexed student learns from a trained teacher: its predictions, attention and hidden states.
#include "commands.hpp"
#include "distill_parts.hpp"
#include "engine.hpp"
#include "registry.hpp"

#include <memory>

namespace cli {

namespace {

void distill(const TrainingOptions& o) {
  const auto file = mv::open_weights(o.teacher);
  const mv::AnyConfig teacher = config_of(file), student = config_named(o.model);
  if (distill_vit(o, student, teacher, file) || distill_swin(o, student, teacher, file)) return;
  for (const auto& config : {teacher, student}) require_built(config, "distill");
  mv::fail({.where = "distill",
            .what = "this program has no such pair of models",
            .expected = "a teacher for 32x32 images and the mini_ student of the same size",
            .found = (name_of(teacher).empty() ? "own config" : name_of(teacher)) + " and " + o.model,
            .hint = "compile examples/04_distill.cpp with your configs"});
}

}  // namespace

void add_distill(CLI::App& app) {
  auto* const sub = app.add_subcommand(
      "distill", "Train a multiplexed student for 32x32 images with a teacher's predictions, attention and hidden states.");
  const auto o = std::make_shared<TrainingOptions>();
  sub->add_option("--teacher", o->teacher, "Weights written by 'minivit train'")->required();
  sub->add_option("--model", o->model, "The student: a mini_ preset for 32x32 images, of the teacher's family and size")
      ->required();
  sub->add_option("--kind", o->kind, "soft: the teacher's probabilities; hard: its best class; none: labels only")
      ->check(CLI::IsMember({"soft", "hard", "none"}))
      ->capture_default_str();
  sub->add_option("--alpha", o->alpha, "Share of the teacher in the loss")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  sub->add_option("--tau", o->tau, "Temperature of soft distillation")
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  sub->add_flag("--reference-scale", o->reference_scale,
                "Divide the soft term by batch times classes, as the published code does");
  sub->add_option(
         "--attention", o->attention,
         "Weight of the relations between queries, keys and values of every second layer; 1 in the Mini-Swin recipe")
      ->check(CLI::Range(0.0, 1e6));
  sub->add_option("--hidden", o->hidden,
                  "Weight of the relations between hidden states of every second layer; 0.1 in the Mini-Swin recipe")
      ->check(CLI::Range(0.0, 1e6));
  sub->add_option("--start", o->start,
                  "The student's first weights: random, or the average or the first of the teacher's layers that become one")
      ->check(CLI::IsMember({"random", "average", "first"}))
      ->capture_default_str();
  sub->add_option("--transformations", o->transformations,
                  "How head mixing starts with --start average or first: identity, or near zero as in the reference")
      ->check(CLI::IsMember({"identity", "reference"}))
      ->capture_default_str();
  add_training_options(*sub, *o);
  sub->footer(
      "Example:\n"
      "  minivit distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 --data cifar10 --epochs 16 --padding "
      "4 --flip \\\n"
      "    --lr 1.5e-3 --output student.safetensors --log student.jsonl --plot student.svg --resume\n"
      "  minivit distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 --data cifar10 --epochs 16 --padding "
      "4 --flip \\\n"
      "    --lr 1e-3 --start average --attention 1 --hidden 0.1 --precision bf16 --output student.safetensors");
  sub->callback([o] { distill(*o); });
}

}  // namespace cli
