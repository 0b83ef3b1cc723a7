// SPDX-License-Identifier: MIT
// Feature terms of weight distillation: values and gradients against the reference's, against finite differences through
// whole models, and independence of threads, micro-batches and recomputation.
#include "../models/fixture_models.hpp"
#include "fixture_inputs.hpp"

#include <minivit/models/init.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/testing/gradient_check.hpp>
#include <minivit/train/trainer.hpp>

#include <nlohmann/json.hpp>

#include "../catch.hpp"

namespace feature_losses_test {

namespace mv = minivit;
using mv::Index;

namespace {

constexpr mv::LayerPairs two{{0, 0}, {1, 1}};

/// Rows [count, 3 * width] from the fixture's separate q, k and v.
std::vector<double> qkv_rows(const std::string& prefix, Index count, Index width) {
  std::vector<double> rows(static_cast<std::size_t>(count * 3 * width));
  for (Index part = 0; part < 3; ++part) {
    const auto x = fixtures::input<double>(prefix + "." + "qkv"[part], count * width);
    for (Index r = 0; r < count; ++r) std::copy_n(x.data() + r * width, width, rows.data() + r * 3 * width + part * width);
  }
  return rows;
}

struct Losses {
  mv::SafeTensors file = fixtures::open("losses.safetensors");
  nlohmann::json values = nlohmann::json::parse(file.metadata().at("losses"));
  double value(const std::string& name) const { return values.at(name).at("f64").get<double>(); }
};

/// Both layers of rel.s and rel.t: [3 windows, 9 tokens], widths 12 and 20.
template <int Heads>
void check_relations() {
  const Losses expected;
  const std::string name = "swin_relation_ar" + std::to_string(Heads);
  const mv::AttentionRelations<two, Heads> term;
  std::vector<double> scratch(static_cast<std::size_t>(term.template scratch<mv::simd::best, double>(9, 12, 20)) + 8);
  double value = 0;
  for (int layer = 0; layer < 2; ++layer) {
    const auto student = qkv_rows("rel.s." + std::to_string(layer), 27, 12),
               teacher = qkv_rows("rel.t." + std::to_string(layer), 27, 20);
    std::vector<double> gradient(student.size());
    for (Index w = 0; w < 3; ++w) {
      const mv::FeatureView<double> view{9,
                                         student.data() + w * 9 * 36,
                                         36,
                                         12,
                                         teacher.data() + w * 9 * 60,
                                         60,
                                         20,
                                         gradient.data() + w * 9 * 36,
                                         nullptr,
                                         nullptr,
                                         scratch.data()};
      value += term.template add<mv::simd::best>(view, 1.0 / (3 * 2));  // windows, pairs of layers
    }
    for (Index part = 0; part < 3; ++part) {
      const auto g = expected.file.read<double>(name + ".grad." + std::to_string(layer) + "." + "qkv"[part]);
      double worst = 0;
      for (Index r = 0; r < 27; ++r)
        for (Index c = 0; c < 12; ++c)
          worst = std::max(worst,
                           std::abs(g.data()[r * 12 + c] - gradient[static_cast<std::size_t>(r * 36 + part * 12 + c)]));
      CHECK(worst < 1e-15);  // gradients are below 0.1; a few roundings
    }
  }
  CHECK(value == Approx(expected.value(name)).epsilon(1e-14));
}

/// Features of both layers, [2 images, 16 tokens]: the student's of width 12, the teacher's of width wt.
template <class Term>
void check_hidden(const Term& term, const std::string& name, const std::string& student_key, const std::string& teacher_key,
                  Index wt) {
  const Losses expected;
  std::vector<double> scratch(static_cast<std::size_t>(term.template scratch<mv::simd::best, double>(16, 12, wt)) + 8);
  double value = 0;
  for (int layer = 0; layer < 2; ++layer) {
    const auto student = fixtures::input<double>(student_key + std::to_string(layer), 2 * 16 * 12);
    const auto teacher = fixtures::input<double>(teacher_key + std::to_string(layer), 2 * 16 * wt);
    std::vector<double> gradient(2 * 16 * 12);
    for (Index b = 0; b < 2; ++b) {
      const mv::FeatureView<double> view{16,
                                         student.data() + b * 16 * 12,
                                         12,
                                         12,
                                         teacher.data() + b * 16 * wt,
                                         wt,
                                         wt,
                                         gradient.data() + b * 16 * 12,
                                         nullptr,
                                         nullptr,
                                         scratch.data()};
      value += term.template add<mv::simd::best>(view, 1.0 / (2 * 2));
    }
    const auto g = expected.file.read<double>(name + ".grad." + std::to_string(layer));
    CHECK(fixtures::difference(std::vector<double>(g.begin(), g.end()), gradient.data()) < 1e-14);
  }
  CHECK(value == Approx(expected.value(name)).epsilon(1e-14));
}

constexpr mv::ViTConfig small(int dim, int heads, int depth, mv::Pool pool, mv::Sharing sharing = {},
                              bool relative = false) {
  mv::ViTConfig c;
  c.image = 9;
  c.patch = 3;
  c.dim = dim;
  c.depth = depth;
  c.heads = heads;
  c.mlp_ratio = 2;
  c.classes = 3;
  c.pool = pool;
  c.sharing = sharing;
  c.position = {.keys = relative};
  return c;
}
/// The teacher has a class token and another width, depth and number of heads.
constexpr auto student_config = small(8, 2, 4, mv::Pool::mean, {.repeat = 2, .mix_heads = true}, true);
constexpr auto teacher_config = small(12, 3, 3, mv::Pool::cls);

template <class T>
struct Pair {
  using Student = mv::ViT<student_config, T>;
  using Teacher = mv::ViT<teacher_config, T>;
  Student student;
  Teacher teacher;
  mv::Tensor<T, mv::Dyn, 3, 9, 9> images{3};
  mv::Tensor<T, mv::Dyn, 3> targets{3};

  Pair() {
    generated::weights(student);
    generated::weights(teacher, "teacher.");
    generated::input(images.data(), images.size());
    for (Index b = 0; b < 3; ++b) targets.data()[b * 3 + b] = 1;
  }
  template <class W = T, class Loss>
  auto trainer(const Loss& loss, int threads = 1, Index micro_batch = 2, mv::Memory memory = mv::Memory::keep) {
    return mv::Trainer<Student, Teacher, Loss, W>(student, teacher,
                                                  {.loss = loss,
                                                   .schedule = {.peak = 1e-2, .minimum = 1e-2, .total_steps = 100},
                                                   .drop_path = 0.3,
                                                   .seed = 5,
                                                   .threads = threads,
                                                   .micro_batch = micro_batch,
                                                   .memory = memory});
  }
};

constexpr mv::LayerPairs pairs = mv::spread_layers(4, 3, 3);

/// Every kind of term at once, with layers that two terms share.
const mv::WeightDistillation all_terms{
    mv::SwinDistillation{.alpha = 0.3, .temperature = 2},
    mv::AttentionRelations<pairs, 2>{.weight = 0.7},
    mv::AttentionRelations<mv::LayerPairs{{3, 0}}, 1, 0b000'001'100>{.weight = 0.4, .name = "qv and kv"},
    mv::HiddenRelations<pairs>{.weight = 0.3},
    mv::HiddenRelations<pairs, mv::HiddenForm::softmax>{.weight = 0.6},
    mv::HiddenStates<mv::LayerPairs{{1, 1}, {3, 2}}>{.weight = 0.2}};

}  // namespace

TEST_CASE("AttentionRelations: value and gradient equal the reference for 1, 2 and 4 relation heads", "[train]") {
  check_relations<1>();
  check_relations<2>();
  check_relations<4>();
}

TEST_CASE("HiddenRelations and HiddenStates: value and gradient equal the reference", "[train]") {
  check_hidden(mv::HiddenRelations<two>{.weight = 1}, "swin_hidden_relation", "hid.s.", "hid.t.", 20);
  check_hidden(mv::HiddenStates<two, false>{}, "swin_hidden_mse", "hid.s.", "hid.m.", 12);
}

TEST_CASE("SwinDistillation: value and gradient equal the reference", "[train]") {
  const Losses expected;
  constexpr Index batch = 6;
  mv::Tensor<double, mv::Dyn, 10> logits{batch}, teacher{batch}, targets{batch};
  std::ranges::copy(fixtures::input<double>("logits", 60), logits.data());
  std::ranges::copy(fixtures::input<double>("teacher.logits", 60), teacher.data());
  std::ranges::copy(expected.file.read<double>("mixup_targets_lam0.7_smooth0.1"), targets.data());
  for (const int temperature : {1, 2}) {
    const std::string name = "swin_soft_ce_T" + std::to_string(temperature);
    mv::Tensor<double, mv::Dyn, 10> d{batch};
    const auto values = mv::SwinDistillation{.temperature = static_cast<double>(temperature)}(
        mv::LossInputs<double, 10>{.logits = logits, .targets = targets, .teacher_logits = teacher}, d.view());
    CHECK(values.total == Approx(expected.value(name)).epsilon(1e-14));
    CHECK(values.kd == values.total);
    CHECK(values.base == Approx(expected.value("soft_target_ce_mixup")).epsilon(1e-14));
    const auto g = expected.file.read<double>(name + ".grad.logits");
    CHECK(fixtures::difference(std::vector<double>(g.begin(), g.end()), d.data()) < 1e-15);
  }
}

TEST_CASE("trainer: gradients of all feature terms agree with differences of the whole loss", "[train]") {
  Pair<double> p;
  auto trainer = p.trainer(all_terms);
  const auto report = trainer.accumulate(p.images, p.targets);
  for (std::size_t i = 0; i < 5; ++i) CHECK(report.loss.terms[i] > 0);
  std::vector<mv::testing::GradientTarget> targets;
  std::vector<std::vector<double>> copies;  // accumulate() overwrites the gradients
  const auto add = [&](const mv::ParameterTable& table, double* weights, const double* gradients) {
    for (const auto& row : table) {
      copies.emplace_back(gradients + row.offset, gradients + row.offset + row.size);
      targets.push_back({row.name, weights + row.offset, copies.back().data(), row.size});
    }
  };
  copies.reserve(200);
  add(p.student.parameter_table(), p.student.data(), trainer.gradients().data());
  trainer.visit_state([&](const std::string& prefix, const mv::ParameterTable& table, double* data) {
    if (prefix == "fitting.weights.") add(table, data, trainer.fitting_gradients());
  });
  CHECK(targets.size() == p.student.parameter_table().size() + 2);
  const auto result = mv::testing::compare_gradients(
      targets, [&] { return trainer.accumulate(p.images, p.targets).loss.total; }, {.samples = 12});
  INFO(result.text());
  CHECK(result.checked > 100);
  CHECK(result.worst < 1e-6);  // as for whole models (tests/models/gradients_test.cpp)
}

TEST_CASE("trainer: total is the sum of its weighted parts", "[train]") {
  Pair<double> p;
  auto trainer = p.trainer(all_terms);
  const auto loss = trainer.accumulate(p.images, p.targets).loss;
  const double weights[] = {0.7, 0.4, 0.3, 0.6, 0.2};
  double sum = 0.3 * loss.base + 0.7 * loss.kd;
  for (std::size_t i = 0; i < 5; ++i) sum += weights[i] * loss.terms[i];
  CHECK(loss.total == Approx(sum).epsilon(1e-13));
}

TEST_CASE("trainer: feature terms give the same bits for every number of threads and when layers are computed again",
          "[train]") {
  const auto after = [](int threads, mv::Memory memory) {
    Pair<float> p;
    auto trainer = p.trainer(all_terms, threads, 1, memory);
    for (int i = 0; i < 3; ++i) trainer.step(p.images, p.targets);
    std::vector<float> state;
    trainer.visit_state([&](const char*, const mv::ParameterTable& table, const float* data) {
      for (const auto& row : table) state.insert(state.end(), data + row.offset, data + row.offset + row.size);
    });
    return state;
  };
  const auto one = after(1, mv::Memory::keep);
  CHECK(one == after(2, mv::Memory::keep));
  CHECK(one == after(4, mv::Memory::keep));
  CHECK(one == after(2, mv::Memory::recompute));
}

TEST_CASE("trainer: feature terms in bf16 stay near those in float", "[train]") {
  Pair<float> p;
  auto exact = p.trainer(all_terms);
  auto narrow = p.trainer<mv::bf16>(all_terms);
  const auto a = exact.accumulate(p.images, p.targets), b = narrow.accumulate(p.images, p.targets);
  // bf16 keeps 8 bits; relations and norms average its roundings
  for (std::size_t i = 0; i < 5; ++i) CHECK(b.loss.terms[i] == Approx(a.loss.terms[i]).epsilon(0.02));
  double difference = 0, size = 0;
  for (Index i = 0; i < p.student.size(); ++i) {
    difference += std::pow(
        static_cast<double>(exact.gradients().data()[i]) - static_cast<double>(narrow.gradients().data()[i]), 2);
    size += std::pow(static_cast<double>(exact.gradients().data()[i]), 2);
  }
  CHECK(std::sqrt(difference / size) < 0.03);
}

TEST_CASE("trainer: a student that copies its teacher has nothing to learn from hidden relations", "[train]") {
  using Model = mv::ViT<teacher_config, double>;
  Pair<double> p;
  Model student;
  std::copy_n(p.teacher.data(), p.teacher.size(), student.data());
  const mv::WeightDistillation loss{mv::DeiTDistillation{}, mv::HiddenRelations<mv::spread_layers(3, 3, 3)>{}};
  mv::Trainer<Model, Model, std::remove_const_t<decltype(loss)>> trainer(student, p.teacher, {.loss = loss, .threads = 1});
  const auto report = trainer.accumulate(p.images, p.targets);
  CHECK(report.loss.terms[0] < 1e-25);
  CHECK(report.gradient_norm < 1e-12);
}

TEST_CASE("trainer: a term of weight 0 costs nothing and changes nothing", "[train]") {
  const auto gradient = [](const auto& loss) {
    Pair<float> p;
    auto trainer = p.trainer(loss);
    trainer.accumulate(p.images, p.targets);
    return std::vector<float>(trainer.gradients().data(), trainer.gradients().data() + p.student.size());
  };
  CHECK(gradient(mv::SwinDistillation{}) ==
        gradient(mv::WeightDistillation{mv::SwinDistillation{}, mv::AttentionRelations<pairs>{.weight = 0},
                                        mv::HiddenRelations<pairs>{.weight = 0}}));
}

TEST_CASE("LayerPairs: lists are matched by rank, or spread evenly", "[train]") {
  // as the reference does, whatever the order
  CHECK(mv::match_layers({5, 1, 3}, {7, 3, 1}) == mv::LayerPairs{{1, 1}, {3, 3}, {5, 7}});
  CHECK(mv::spread_layers(12, 12, 6) == mv::match_layers({1, 3, 5, 7, 9, 11}, {1, 3, 5, 7, 9, 11}));
  CHECK(mv::spread_layers(12, 24, 6) == mv::match_layers({1, 3, 5, 7, 9, 11}, {3, 7, 11, 15, 19, 23}));
  CHECK(mv::spread_layers(4, 3, 3) == mv::LayerPairs{{0, 0}, {1, 1}, {3, 2}});
}

}  // namespace feature_losses_test
