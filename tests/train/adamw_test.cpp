// SPDX-License-Identifier: MIT
// AdamW against its formula written out in double, the no-decay rule against the reference's list, and clipping.
#include <minivit/io/safetensors.hpp>
#include <minivit/train/adamw.hpp>

#include "catch.hpp"
#include "fixture_inputs.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

namespace adamw_test {

using namespace minivit;

namespace {

/// Tensors with odd sizes, each beginning on 16 elements like in a model's slab; the second is longer than a task's share.
ParameterTable table() {
  ParameterTable t;
  Index offset = 0;
  for (const auto& [name, shape] : std::vector<std::pair<std::string, std::vector<Index>>>{{"pos_embed", {1, 3, 5}},
                                                                                           {"head.weight", {57, 691}},
                                                                                           {"head.bias", {57}},
                                                                                           {"norm.weight", {7}},
                                                                                           {"dist_token", {1, 1, 7}}}) {
    Index size = 1;
    for (const Index extent : shape) size *= extent;
    t.push_back({name, shape, offset, size});
    offset = round_up(offset + size, 16);
  }
  return t;
}
Index slab_size(const ParameterTable& t) { return round_up(t.back().offset + t.back().size, 16); }

/// Every 97th element is exactly zero, so that a step of 0 / (0 + eps) is among the cases.
template <class T>
Buffer<T> numbers(const char* key, Index n, double scale) {
  Buffer<T> out = fixtures::input<T>(key, n);
  for (Index i = 0; i < n; ++i)
    out.data()[i] = i % 97 == 0 ? T{0} : static_cast<T>(scale * static_cast<double>(out.data()[i]));
  return out;
}

/// `steps` steps of the library with gradients that change from step to step.
template <class T>
Buffer<T> run(int steps, int threads, const AdamW& settings, double scale = 1) {
  const ParameterTable t = table();
  Buffer<T> weights = numbers<T>("weights", slab_size(t), 0.5);
  AdamWState<T> state(slab_size(t));
  for (int s = 0; s < steps; ++s) {
    const Buffer<T> gradients = numbers<T>(("gradients" + std::to_string(s)).c_str(), slab_size(t), 0.1);
    step(settings, state, t, weights.data(), gradients.data(), 1e-3 / (s + 1), scale, Threads(threads));
  }
  CHECK(state.step == steps);
  return weights;
}

/// The same by the formula in the header of AdamW, in double.
Buffer<double> formula(int steps, const AdamW& o, double scale = 1) {
  const ParameterTable t = table();
  const Index n = slab_size(t);
  Buffer<double> p = numbers<double>("weights", n, 0.5), m(n), v(n);
  for (int s = 0; s < steps; ++s) {
    const Buffer<double> gradients = numbers<double>(("gradients" + std::to_string(s)).c_str(), n, 0.1);
    const double lr = 1e-3 / (s + 1), c1 = 1 - std::pow(o.beta1, s + 1), c2 = 1 - std::pow(o.beta2, s + 1);
    for (const ParameterInfo& info : t) {
      const bool decay = info.name == "head.weight" || info.name == "dist_token";
      for (Index i = info.offset; i < info.offset + info.size; ++i) {
        const double g = scale * gradients.data()[i];
        if (decay) p.data()[i] *= 1 - lr * o.weight_decay;
        m.data()[i] = o.beta1 * m.data()[i] + (1 - o.beta1) * g;
        v.data()[i] = o.beta2 * v.data()[i] + (1 - o.beta2) * g * g;
        p.data()[i] -= lr * (m.data()[i] / c1) / (std::sqrt(v.data()[i] / c2) + o.eps);
      }
    }
  }
  return p;
}

template <class A, class C>
double worst_difference(const Buffer<A>& a, const Buffer<C>& b) {
  double worst = 0;
  for (Index i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i])));
  return worst;
}

}  // namespace

TEST_CASE("adamw: steps equal the formula, padding is left alone", "[train]") {
  const AdamW settings{.weight_decay = 0.3};
  for (const int steps : {1, 5}) {
    CAPTURE(steps);
    // Weights up to 1: one rounding of 2^-53 (2^-24) per operation on the weight, 3 a step; the step itself is below 1e-3.
    CHECK(worst_difference(run<double>(steps, 1, settings), formula(steps, settings)) < 5 * 3 * 0x1p-53);
    CHECK(worst_difference(run<float>(steps, 1, settings), formula(steps, settings)) < 5 * 3 * 0x1p-24);
  }
}

TEST_CASE("adamw: the gradient's scale acts before the moments", "[train]") {
  // Adam forgets a constant factor, up to eps; with a large eps the factor is visible.
  const AdamW settings{.eps = 0.1};
  CHECK(worst_difference(run<double>(3, 1, settings, 0.25), formula(3, settings, 0.25)) < 1e-14);
  CHECK(worst_difference(run<double>(3, 1, settings, 0.25), formula(3, settings, 1)) > 1e-5);
}

TEST_CASE("adamw: results are the same for every number of threads", "[train]") {
  const Buffer<float> one = run<float>(3, 1, {});
  for (const int threads : {2, 4}) CHECK(std::ranges::equal(run<float>(3, threads, {}), one));
}

TEST_CASE("adamw: a copied state continues as if never interrupted", "[train]") {
  const ParameterTable t = table();
  const Buffer<float> gradients = numbers<float>("gradients", slab_size(t), 0.1);
  Buffer<float> a = numbers<float>("weights", slab_size(t), 0.5);
  AdamWState<float> state(slab_size(t));
  const Threads threads(1);
  step(AdamW{}, state, t, a.data(), gradients.data(), 1e-3, 1, threads);
  Buffer<float> b = a;
  AdamWState<float> saved = state;
  step(AdamW{}, state, t, a.data(), gradients.data(), 1e-3, 1, threads);
  step(AdamW{}, saved, t, b.data(), gradients.data(), 1e-3, 1, threads);
  CHECK(std::ranges::equal(a, b));
  CHECK(saved.step == 2);
}

TEST_CASE("adamw: weight decay spares the parameters the reference spares", "[train]") {
  const SafeTensors file = SafeTensors::open(fixtures::path("train_mini_deit.safetensors"));
  const auto report = nlohmann::json::parse(file.metadata().at("report"));
  const auto listed = report.at("soft_alpha0.5_tau3").at("no_decay").get<std::set<std::string>>();
  REQUIRE(!listed.empty());
  const std::string prefix = "mixed.grad.";
  std::set<std::string> spared;
  for (const TensorInfo& tensor : file.tensors())
    if (tensor.name.starts_with(prefix)) {
      const ParameterInfo p{tensor.name.substr(prefix.size()), tensor.shape, 0, tensor.size};
      if (!decays(p)) spared.insert(p.name);
    }
  CHECK(spared == listed);
}

TEST_CASE("adamw: weight decay of the names that no fixture holds", "[train]") {
  CHECK(!decays({"cls_token", {1, 1, 192}, 0, 192}));
  CHECK(decays({"dist_token", {1, 1, 192}, 0, 192}));
  CHECK(!decays({"layers.0.blocks.0.proj_l.0.bias", {3, 1}, 0, 3}));
  CHECK(!decays({"layers.0.blocks.0.attn.relative_position_bias_table", {169, 3}, 0, 507}));
}

TEST_CASE("global norm: equals the double sum, whatever the threads", "[train]") {
  const ParameterTable t = table();
  Buffer<float> gradients = numbers<float>("gradients", slab_size(t), 0.1);
  long double sum = 0;
  for (const ParameterInfo& p : t)
    for (Index i = p.offset; i < p.offset + p.size; ++i)
      sum += static_cast<long double>(gradients.data()[i]) * gradients.data()[i];
  gradients.data()[15] = 1e9f;  // padding behind pos_embed, not part of any parameter
  const double one = global_norm(t, gradients.data(), Threads(1));
  CHECK(one == Approx(static_cast<double>(std::sqrt(sum))).epsilon(1e-13));  // 40 000 additions in double
  for (const int threads : {2, 4}) CHECK(global_norm(t, gradients.data(), Threads(threads)) == one);
  gradients.data()[t[1].offset + 20000] = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(global_norm(t, gradients.data(), Threads(1))));
}

TEST_CASE("clipping: long gradients are shortened, short ones kept", "[train]") {
  CHECK(clip_factor(2.0, 0.5) == 0.5 / (2.0 + 1e-6));
  CHECK(clip_factor(0.4, 0.5) == 1);
  CHECK(clip_factor(0, 0.5) == 1);
  CHECK(clip_factor(1e9, 0) == 1);  // 0 means no clipping
}

TEST_CASE("adamw: wrong settings and states are refused", "[train]") {
  CHECK_NOTHROW(AdamW{}.check());
  CHECK_THROWS_AS(AdamW{.beta1 = 1}.check(), Error);
  CHECK_THROWS_AS(AdamW{.beta2 = -0.1}.check(), Error);
  CHECK_THROWS_AS(AdamW{.eps = 0}.check(), Error);
  CHECK_THROWS_AS(AdamW{.weight_decay = std::numeric_limits<double>::quiet_NaN()}.check(), Error);
  CHECK_THROWS_AS(AdamW{.clip_norm = -1}.check(), Error);
  const ParameterTable t = table();
  Buffer<float> slab(slab_size(t));
  AdamWState<float> small(16);
  CHECK_THROWS_WITH(step(AdamW{}, small, t, slab.data(), slab.data(), 1e-3, 1, Threads(1)),
                    "AdamW: the state does not fit the model: expected 39495 elements, found 16");
}

}  // namespace adamw_test
