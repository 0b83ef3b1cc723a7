// SPDX-License-Identifier: MIT
// Swin and Mini-Swin against the published implementation: every intermediate of the small ones, logits of the full-size
// one.
#include "fixture_run.hpp"

#include <minivit/models/layer_geometry.hpp>

namespace swin_fixtures_test {

namespace mv = minivit;
namespace presets = mv::presets;

namespace {

using fixtures::Run, fixtures::check, fixtures::logits_limit, fixtures::double_limit;

/// What multiplies v in the windows of image 0, [windows, H, w^2, w^2], by the scalar definition.
template <class Layer>
std::vector<float> probabilities(const Layer& layer, const float* qkv, const mv::kernels::AttentionShape& shape,
                                 const mv::kernels::WindowMap& map, mv::Index mask_shift) {
  const mv::Index N = map.tokens(), H = shape.heads;
  const auto w = layer.weights();
  std::vector<float> bias(static_cast<std::size_t>(H * N * N)), mask(static_cast<std::size_t>(N * N)), row[3],
      out(static_cast<std::size_t>(map.windows() * H * N * N));
  for (auto& r : row) r.resize(static_cast<std::size_t>(H * N));
  for (mv::Index h = 0; h < H; ++h)
    for (mv::Index i = 0; i < N; ++i)
      for (mv::Index j = 0; j < N; ++j)
        bias[static_cast<std::size_t>((h * N + i) * N + j)] =
            w.bias_table[mv::kernels::position_bias_row(map.window, i, j) * H + h];
  for (mv::Index k = 0; k < map.windows(); ++k) {
    mv::kernels::window_mask(mask.data(), N, map.window, mask_shift, mask_shift > 0 ? map.border(k) : 0);
    for (mv::Index i = 0; i < N; ++i) {
      mv::kernels::reference::detail::attention_row(row[0].data(), row[1].data(), row[2].data(),
                                                    qkv + k * N * 3 * shape.dim(), 3 * shape.dim(), i, shape, w,
                                                    {.stride = N, .bias = bias.data(), .mask = mask.data()});
      for (mv::Index h = 0; h < H; ++h) std::copy_n(row[2].data() + h * N, N, out.data() + ((k * H + h) * N + i) * N);
    }
  }
  return out;
}

/// Everything a file of a small model holds.
template <mv::SwinConfig C>
void check_model(const std::string& name) {
  using Model = mv::Swin<C>;
  const auto file = fixtures::open(name + ".expected.safetensors");
  Run<Model> run;
  CHECK(fixtures::difference(fixtures::read<float>(file, "input"), run.images.data()) == 0);
  check(file, "patch_embed", run.saved.patch_norm.y);

  mv::Index seen = 1;  // patch_embed; every other tensor must be looked at, too
  run.net.each_layer(run.saved, [&](int l, const auto& block, const auto& layer) {
    using Saved = std::remove_cvref_t<decltype(layer)>;
    const mv::LayerGeometry at = mv::layer_geometry(C, l);
    const mv::kernels::WindowMap map{at.side, at.window, at.shift};
    const mv::Index D = at.width, tokens = at.map_tokens();
    const std::string key = "layer." + std::to_string(l) + ".";
    const auto optional = [&](const std::string& part, const auto& numbers) {
      if (!file.find(key + part)) return;
      check(file, key + part, numbers);
      ++seen;
    };
    optional("out", layer.y);
    optional("mlp_in", layer.norm2.y);
    // image 0 of the branch, before the residual is added, in window order
    std::vector<float> branch(static_cast<std::size_t>(tokens * D));
    map.each_run(0, tokens, [&](mv::Index row, mv::Index token, mv::Index count) {
      for (mv::Index i = 0; i < count * D; ++i)
        branch[static_cast<std::size_t>(row * D + i)] = layer.middle.data()[token * D + i] - layer.x.data()[token * D + i];
    });
    optional("attn_windows", branch);
    const char* const parts[] = {"q", "k", "v"};
    for (mv::Index p = 0; p < 3; ++p) {
      for (mv::Index r = 0; r < tokens; ++r)
        for (mv::Index c = 0; c < D; ++c)
          branch[static_cast<std::size_t>(r * D + c)] = layer.attn.qkv.data()[(r * 3 + p) * D + c];
      optional(parts[p], branch);
    }
    if constexpr (requires(Saved s) { s.local.y; }) {
      optional("local_norm", layer.local.norm.y);
      std::vector<float> conv(static_cast<std::size_t>(2 * D * tokens));  // [2, D, side, side], without the skip connection
      for (mv::Index b = 0; b < 2; ++b)
        for (mv::Index t = 0; t < tokens; ++t)
          for (mv::Index c = 0; c < D; ++c) {
            const mv::Index from = (b * tokens + t) * D + c;
            conv[static_cast<std::size_t>((b * D + c) * tokens + t)] = layer.local.y.data()[from] -
                                                                       layer.local.norm.y.data()[from];
          }
      optional("local_conv", conv);
    }
    if (file.find(key + "attn_probs")) {
      const auto attention = block.attention();
      optional("attn_probs", probabilities(attention, layer.attn.qkv.data(), attention.config.shape(), map,
                                           attention.windowing().mask_shift));
    }
    // what the next stage reads
    if (l + 1 < C.depth() && C.stage_of(l + 1) != at.stage) {
      run.net.each_layer(run.saved, [&](int next, const auto& /*block*/, const auto& behind) {
        if (next == l + 1) check(file, "stage." + std::to_string(at.stage) + ".out", behind.x);
      });
      ++seen;
    }
  });
  check(file, "final_norm", run.saved.norm.y);
  check(file, "pooled", run.saved.pooled);
  const auto expected = fixtures::read<double>(file, "logits_f64");
  CHECK(fixtures::difference(expected, run.logits.data()) < logits_limit);
  CHECK(seen + 5 == static_cast<mv::Index>(file.tensors().size()));  // input, final_norm, pooled and both logits

  // packed weights, no memory kept
  mv::Inference<Model> infer(run.model, {.max_batch = 2, .threads = 1});
  CHECK(fixtures::difference(expected, infer(run.images).data()) < logits_limit);

  // the same in double
  Run<mv::Swin<C, double>> exact;
  CHECK(fixtures::difference(expected, exact.logits.data()) < double_limit);
}

}  // namespace

TEST_CASE("swin_a: every intermediate equals the reference", "[model]") { check_model<fixtures::swin_a>("swin_a"); }
TEST_CASE("mini_swin_a: every intermediate equals the reference", "[model]") {
  check_model<fixtures::mini_swin_a>("mini_swin_a");
}
TEST_CASE("swin_odd: five heads of width 4 in windows of 7 equal the reference", "[model]") {
  check_model<fixtures::swin_odd>("swin_odd");
}
TEST_CASE("mini_swin_odd: three layers on a block, the second begins shifted, equal the reference", "[model]") {
  check_model<fixtures::mini_swin_odd>("mini_swin_odd");
}
TEST_CASE("mini_swin_share_only: shared norms and the mask of unshifted layers equal the reference", "[model]") {
  check_model<fixtures::mini_swin_share_only>("mini_swin_share_only");
}

TEST_CASE("mini_swin_tiny_patch4_window7_224: logits equal the reference", "[model]") {
  fixtures::check_full_size<mv::Swin<presets::mini_swin_tiny_patch4_window7_224>>("mini_swin_tiny_patch4_window7_224");
}

}  // namespace swin_fixtures_test
