// SPDX-License-Identifier: MIT
// Whole models against the published implementation: every intermediate of the small ones, logits of the full-size ones.
#include "fixture_run.hpp"

#include <minivit/models/vit.hpp>

namespace fixtures_test {

namespace mv = minivit;
namespace presets = mv::presets;

namespace {

using fixtures::Run, fixtures::check, fixtures::logits_limit, fixtures::double_limit;

/// Everything a file of a small model holds.
template <mv::ViTConfig C>
void check_model(const std::string& name) {
  using Model = mv::ViT<C>;
  const auto file = fixtures::open(name + ".expected.safetensors");
  Run<Model> run;
  CHECK(fixtures::difference(fixtures::read<float>(file, "input"), run.images.data()) == 0);

  // tokens before the position embedding
  constexpr int patches = C.grid() * C.grid();
  mv::Tensor<float, mv::Dyn, patches, C.dim> tokens(2);
  mv::Buffer<float> scratch(1 << 20);
  mv::Arena<float> arena(scratch.data(), scratch.size(), mv::Memory::rewind);
  run.net.patch_embed.forward(run.images, tokens.data(), mv::Index{patches} * C.dim, nullptr, arena);
  check(file, "patch_embed", tokens);

  for (int l = 0; l < C.depth; ++l) {
    const auto& layer = run.saved.layers[static_cast<std::size_t>(l)];
    const std::string at = "layer." + std::to_string(l) + ".";
    const auto optional = [&](const std::string& part, auto view) {
      if (file.find(at + part)) check(file, at + part, view);
    };
    check(file, at + "out", layer.y);
    optional("norm1", layer.norm1.y);
    optional("norm2", layer.norm2.y);
    optional("qkv", layer.attn.qkv);
    // the branches are stored before the residual is added
    std::vector<float> branch(static_cast<std::size_t>(layer.x.size()));
    for (std::size_t i = 0; i < branch.size(); ++i) branch[i] = layer.middle.data()[i] - layer.x.data()[i];
    optional("attn_out", std::span(branch));
    for (std::size_t i = 0; i < branch.size(); ++i) branch[i] = layer.y.data()[i] - layer.middle.data()[i];
    optional("mlp_out", std::span(branch));
    // inside the attention: image 0, row by row, with the kernel's own definition
    const auto& own = run.net.layers.layer(l).own;
    const mv::Index N = C.tokens(), H = C.heads;
    const mv::kernels::RelativeOffsets<C.grid()> offsets;
    const mv::kernels::AttentionWeights<float> w{.mix_before = own.attn.mix_l.weight.data(),
                                                 .mix_after = own.attn.mix_w.weight.data(),
                                                 .table = own.attn.rpe_k.data(),
                                                 .offsets = offsets.center()};
    const auto shape = Model::Net::block_config.attention.shape();
    std::vector<float> row[4];
    std::vector<float> plane[5];
    for (auto& r : row) r.resize(static_cast<std::size_t>(H * N));
    for (auto& p : plane) p.resize(static_cast<std::size_t>(H * N * N));
    for (mv::Index i = 0; i < N; ++i) {
      mv::kernels::AttentionWeights<float> plain;
      mv::kernels::reference::detail::attention_row(row[3].data(), row[1].data(), row[2].data(), layer.attn.qkv.data(),
                                                    3 * C.dim, i, shape, plain);
      mv::kernels::reference::detail::attention_row(row[0].data(), row[1].data(), row[2].data(), layer.attn.qkv.data(),
                                                    3 * C.dim, i, shape, w);
      for (mv::Index h = 0; h < H; ++h)
        for (mv::Index j = 0; j < N; ++j) {
          const auto from = static_cast<std::size_t>(h * N + j), to = static_cast<std::size_t>((h * N + i) * N + j);
          plane[0][to] = row[0][from];
          plane[1][to] = row[1][from];
          plane[2][to] = row[2][from];
          plane[3][to] = row[0][from] - row[3][from];
          for (mv::Index k = 0; w.mix_before && k < H; ++k)
            plane[4][to] += w.mix_before[h * H + k] * row[0][static_cast<std::size_t>(k * N + j)];
        }
    }
    optional("scores", std::span(plane[0]));
    optional("softmax", std::span(plane[1]));
    optional("attn_probs", std::span(plane[2]));
    optional("rpe_k", std::span(plane[3]));
    optional("scores_mixed", std::span(plane[4]));
  }
  check(file, "final_norm", run.saved.norm.y);
  check(file, "pooled", run.saved.pooled);
  const auto expected = fixtures::read<double>(file, "logits_f64");
  if constexpr (C.distilled) {
    check(file, "logits_cls", run.logits);
    check(file, "logits_dist", run.distilled);
  } else {
    CHECK(fixtures::difference(expected, run.logits.data()) < logits_limit);
  }

  // packed weights, no memory kept
  mv::Inference<Model> infer(run.model, {.max_batch = 2, .threads = 1});
  CHECK(fixtures::difference(expected, infer(run.images).data()) < logits_limit);

  // the same in double
  Run<mv::ViT<C, double>> exact;
  if constexpr (C.distilled)
    for (mv::Index i = 0; i < exact.logits.size(); ++i)
      exact.logits.data()[i] = (exact.logits.data()[i] + exact.distilled.data()[i]) / 2;
  CHECK(fixtures::difference(expected, exact.logits.data()) < double_limit);
}

}  // namespace

TEST_CASE("deit_a: every intermediate equals the reference", "[model]") { check_model<fixtures::deit_a>("deit_a"); }
TEST_CASE("deit_distilled_a: both heads equal the reference", "[model]") {
  check_model<fixtures::deit_distilled_a>("deit_distilled_a");
}
TEST_CASE("deit_odd: five heads of width 8 on a 7x7 grid equal the reference", "[model]") {
  check_model<fixtures::deit_odd>("deit_odd");
}
TEST_CASE("mini_deit_a: every intermediate equals the reference", "[model]") {
  check_model<fixtures::mini_deit_a>("mini_deit_a");
}
TEST_CASE("mini_deit_odd: three layers on a block equal the reference", "[model]") {
  check_model<fixtures::mini_deit_odd>("mini_deit_odd");
}
TEST_CASE("mini_deit_share_only: sharing without transformations equals the reference", "[model]") {
  check_model<fixtures::mini_deit_share_only>("mini_deit_share_only");
}

TEST_CASE("deit_tiny_patch16_224: logits equal the reference", "[model]") {
  fixtures::check_full_size<mv::ViT<presets::deit_tiny_patch16_224>>("deit_tiny_patch16_224");
}
TEST_CASE("mini_deit_tiny_patch16_224: logits equal the reference", "[model]") {
  fixtures::check_full_size<mv::ViT<presets::mini_deit_tiny_patch16_224>>("mini_deit_tiny_patch16_224");
}

}  // namespace fixtures_test
