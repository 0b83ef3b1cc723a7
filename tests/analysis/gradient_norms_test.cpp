// SPDX-License-Identifier: MIT
// Gradient norms: which parameter counts for which row, and the sums.
#include <minivit/analysis/gradient_norms.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <map>

#include "../catch.hpp"
#include "numbers.hpp"

namespace gradient_norms_test {

namespace mv = minivit;
using mv::Index;

namespace {
template <class Model>
std::vector<std::string> rows_of(const Model& model) {
  std::vector<std::string> names;
  for (const auto& row : mv::gradient_norms(model)) names.push_back(row.name);
  return names;
}
}  // namespace

TEST_CASE("gradient norms: a row for each layer, or for a group and what its layers own", "[analysis]") {
  CHECK(rows_of(mv::ViT<fixtures::deit_distilled_a>()) ==
        std::vector<std::string>{"cls_token", "dist_token", "pos_embed", "patch_embed", "blocks.0", "blocks.1", "blocks.2",
                                 "blocks.3", "norm", "head", "head_dist"});
  CHECK(rows_of(mv::ViT<fixtures::mini_deit_a>()) ==
        std::vector<std::string>{"pos_embed", "patch_embed", "blocks.0.block", "blocks.0.block.instances.0",
                                 "blocks.0.block.instances.1", "blocks.1.block", "blocks.1.block.instances.0",
                                 "blocks.1.block.instances.1", "norm", "head"});
  // a layer that shares nothing has an `instances.0` in the names of its transformations
  constexpr auto alone = numbers::unshared(fixtures::mini_deit_a);
  CHECK(rows_of(mv::ViT<alone>()) == std::vector<std::string>{"pos_embed", "patch_embed", "blocks.0", "blocks.1", "blocks.2",
                                                              "blocks.3", "norm", "head"});
  CHECK(mv::part_of("blocks.10.block.norm2.instances.11.bias") == "blocks.10.block.instances.11");
  CHECK(mv::part_of("blocks.10.block.mlp.fc1.bias") == "blocks.10.block");
  CHECK(mv::part_of("blocks.10.attn.qkv.weight") == "blocks.10");
  CHECK(rows_of(mv::Swin<fixtures::swin_odd>()) ==
        std::vector<std::string>{"patch_embed", "layers.0.blocks.0", "layers.0.blocks.1", "layers.0.downsample",
                                 "layers.1.blocks.0", "layers.1.blocks.1", "norm", "head"});
  CHECK(rows_of(mv::Swin<fixtures::swin_student>()) ==
        std::vector<std::string>{"patch_embed", "layers.0.blocks.0", "layers.0.blocks.0.instances.0",
                                 "layers.0.blocks.0.instances.1", "layers.0.blocks.1", "layers.0.blocks.1.instances.0",
                                 "layers.0.blocks.1.instances.1", "layers.0.downsample", "layers.1.blocks.0",
                                 "layers.1.blocks.0.instances.0", "layers.1.blocks.0.instances.1", "norm", "head"});
}

TEMPLATE_TEST_CASE("gradient norms: the sums of the squares of every number, once", "[analysis]", float, double) {
  using Model = mv::ViT<fixtures::mini_deit_a, TestType>;
  const auto model = numbers::model<fixtures::mini_deit_a, TestType>();
  std::map<std::string, double> squares, single;
  double all = 0;
  model.visit([&](const mv::Name& name, const auto& p) {
    for (const auto v : p) {
      squares[mv::part_of(name.view())] += static_cast<double>(v) * static_cast<double>(v);
      single[name.str()] += static_cast<double>(v) * static_cast<double>(v);
      all += static_cast<double>(v) * static_cast<double>(v);
    }
  });
  const auto rows = mv::gradient_norms(model);
  REQUIRE(rows.size() == squares.size());
  double total = 0;
  for (const auto& row : rows) {
    INFO(row.name);
    CHECK(row.norm == Approx(std::sqrt(squares[row.name])).epsilon(1e-12));  // up to 20,000 terms in double
    total += row.norm * row.norm;
  }
  CHECK(total == Approx(all).epsilon(1e-12));
  const auto parameters = mv::gradient_norms(model, mv::NormOf::parameter);
  REQUIRE(parameters.size() == Model::parameter_table().size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CHECK(parameters[i].name == Model::parameter_table()[i].name);
    CHECK(parameters[i].norm == Approx(std::sqrt(single[parameters[i].name])).epsilon(1e-12));
  }
}

TEST_CASE("gradient norms: a number that is not finite shows in its own row only", "[analysis]") {
  using Model = mv::ViT<fixtures::deit_a>;
  auto model = numbers::model<fixtures::deit_a>();
  for (const auto& p : Model::parameter_table())
    if (p.name == "blocks.2.mlp.fc2.weight") model.data()[p.offset + p.size - 1] = NAN;
  for (const auto& row : mv::gradient_norms(model)) {
    INFO(row.name);
    CHECK(std::isnan(row.norm) == (row.name == "blocks.2"));
  }
}

}  // namespace gradient_norms_test
