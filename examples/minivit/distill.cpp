// SPDX-License-Identifier: MIT
// minivit distill: a multiplexed student learns from a trained teacher: its predictions, attention and hidden states.
#include "training.hpp"

#include <minivit/models/multiplex.hpp>

namespace cli {

namespace {

/// Pairs this program is compiled for, six of all that would be possible, because each costs compile time: a teacher and the same
/// model with shared weights.
constexpr bool is_pair(const mv::ViTConfig& teacher, const mv::ViTConfig& student) {
  return student.image == 32 && student.sharing.repeat > 1 && mv::can_multiplex(student, teacher);
}

/// Layers that are compared: every second one, as in the published Mini-Swin recipe.
template <mv::ViTConfig S, mv::ViTConfig T>
constexpr mv::LayerPairs matched = mv::spread_layers(S.depth, T.depth, std::max(1, std::min(S.depth, T.depth) / 2));

/// The student's first weights, as --start says.
template <mv::ViTConfig S, mv::ViTConfig T>
void start_student(mv::ViT<S>& student, const mv::ViT<T>& teacher, const TrainingOptions& o) {
  if (o.start == "random") return;
  student = mv::multiplex<S>(teacher, {.group = o.start == "average" ? mv::GroupStart::average : mv::GroupStart::first,
                                       .transformations = o.transformations == "identity" ? mv::TransformStart::identity : mv::TransformStart::reference,
                                       .seed = o.seed});
}

void distill(const TrainingOptions& o) {
  const auto file = mv::SafeTensors::open(o.teacher);
  const auto teacher_config = mv::read_config(file);
  if (!teacher_config)
    mv::fail({.where = file.where(), .what = "the file does not say which model it holds", .expected = "metadata 'minivit.config'"});
  const mv::ViTConfig student_config = config_named(o.model);
  if (!is_pair(*teacher_config, student_config))
    mv::fail({.where = "distill", .what = "this program has no such pair of models", .expected = "a vit_*_32 teacher and the mini_vit_*_32 student of the same size",
              .found = name_of(*teacher_config) + " and " + o.model, .hint = "compile examples/04_distill.cpp with your configs"});
  const mv::DeiTDistillation prediction{.kind = o.kind == "soft" ? mv::Distill::soft : o.kind == "hard" ? mv::Distill::hard : mv::Distill::none,
                                  .alpha = o.alpha,
                                  .tau = o.tau,
                                  .normalise = o.reference_scale ? mv::Normalise::by_batch_and_classes : mv::Normalise::by_batch};
  with_config(student_config, o.model, [&]<mv::ViTConfig S>() {
    if constexpr (S.image == 32 && S.sharing.repeat > 1)
      with_config(*teacher_config, file.where(), [&]<mv::ViTConfig T>() {
        if constexpr (is_pair(T, S)) {
          using Student = mv::ViT<S>;
          using Teacher = mv::ViT<T>;
          const auto teacher = mv::load<Teacher>(file);
          using Loss = mv::WeightDistillation<mv::DeiTDistillation, mv::AttentionRelations<matched<S, T>>, mv::HiddenRelations<matched<S, T>>>;
          const Loss loss(prediction, {.weight = o.attention}, {.weight = o.hidden});
          with_products(o.precision, [&]<class W>(W) {
            run_training<Student>(o, loss, [&](Student& student, const auto& options) {
              start_student(student, teacher, o);
              return mv::Trainer<Student, Teacher, Loss, W>(student, teacher, options);
            });
          });
        }
      });
  });
}

}  // namespace

void add_distill(CLI::App& app) {
  auto* const sub = app.add_subcommand("distill", "Train a multiplexed student for 32x32 images with a teacher's predictions, attention and hidden states.");
  const auto o = std::make_shared<TrainingOptions>();
  sub->add_option("--teacher", o->teacher, "Weights written by 'minivit train'")->required();
  sub->add_option("--model", o->model, "The student: a mini_vit_*_32 preset of the teacher's size")->required();
  sub->add_option("--kind", o->kind, "soft: the teacher's probabilities; hard: its best class; none: labels only")->check(CLI::IsMember({"soft", "hard", "none"}))->capture_default_str();
  sub->add_option("--alpha", o->alpha, "Share of the teacher in the loss")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  sub->add_option("--tau", o->tau, "Temperature of soft distillation")->check(CLI::Range(0.01, 100.0))->capture_default_str();
  sub->add_flag("--reference-scale", o->reference_scale, "Divide the soft term by batch times classes, as the published code does");
  sub->add_option("--attention", o->attention, "Weight of the relations between queries, keys and values of every second layer; 1 in the Mini-Swin recipe")->check(CLI::Range(0.0, 1e6));
  sub->add_option("--hidden", o->hidden, "Weight of the relations between hidden states of every second layer; 0.1 in the Mini-Swin recipe")->check(CLI::Range(0.0, 1e6));
  sub->add_option("--start", o->start, "The student's first weights: random, or the average or the first of the teacher's layers that become one")
      ->check(CLI::IsMember({"random", "average", "first"}))->capture_default_str();
  sub->add_option("--transformations", o->transformations, "How head mixing starts with --start average or first: identity, or near zero as in the reference")
      ->check(CLI::IsMember({"identity", "reference"}))->capture_default_str();
  add_training_options(*sub, *o);
  sub->footer(
      "Example:\n"
      "  minivit distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 --data cifar10 --epochs 16 --padding 4 --flip \\\n"
      "    --lr 1.5e-3 --output student.safetensors --log student.jsonl --plot student.svg --resume\n"
      "  minivit distill --teacher teacher.safetensors --model mini_vit_nano_patch4_32 --data cifar10 --epochs 16 --padding 4 --flip \\\n"
      "    --lr 1e-3 --start average --attention 1 --hidden 0.1 --precision bf16 --output student.safetensors");
  sub->callback([o] { distill(*o); });
}

}  // namespace cli
