// SPDX-License-Identifier: MIT
// Models from other people's files: the reference's .pth fixtures, heads of other classes, positions of other sizes, and
// what is said when a file does not fit.
#include "../models/fixture_models.hpp"
#include "raw_torch.hpp"

#include <minivit/io/checkpoint.hpp>
#include <minivit/models/resample.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace torch_checkpoint_test {

using namespace minivit;
using namespace io_test;

namespace {

template <class Model>
bool equal_weights(const Model& a, const Model& b) {
  return std::ranges::all_of(Model::parameter_table(), [&](const ParameterInfo& p) {
    return std::equal(a.data() + p.offset, a.data() + p.offset + p.size, b.data() + p.offset);
  });
}

constexpr ViTConfig three_classes(ViTConfig c) {
  c.classes = 3;
  return c;
}
constexpr ViTConfig image_48(ViTConfig c) {
  c.image = 48;
  return c;
}
constexpr SwinConfig window_8(SwinConfig c) {
  c.image = 64;
  c.window = 8;
  return c;
}

/// What a plain ViT's names and shapes are made of.
struct Shape {
  Index dim = 48, depth = 4, patch = 4, channels = 3, ratio = 4, classes = 10, positions = 65;
  bool cls = true, dist = false, shared = false;
};
ParameterTable table_of(const Shape& s) {
  ParameterTable table;
  const auto add = [&](const std::string& name, std::vector<Index> shape) { table.push_back({name, shape, 0, 0}); };
  if (s.cls) add("cls_token", {1, 1, s.dim});
  if (s.dist) add("dist_token", {1, 1, s.dim});
  add("pos_embed", {1, s.positions, s.dim});
  add("patch_embed.proj.weight", {s.dim, s.channels, s.patch, s.patch});
  for (Index l = 0; l < s.depth; ++l) {
    const std::string block = "blocks." + std::to_string(l) + (s.shared ? ".block" : ""),
                      own = s.shared ? ".instances.0.weight" : ".weight";
    add(block + ".norm1" + own, {s.dim});
    add(block + ".attn.qkv.weight", {3 * s.dim, s.dim});
    add(block + ".mlp.fc1.weight", {s.ratio * s.dim, s.dim});
    add(block + ".mlp.fc2.weight", {s.dim, s.ratio * s.dim});
  }
  add("norm.weight", {s.dim});
  for (const char* const head : {"head", "head_dist"}) {
    if (std::string_view(head) != "head" && !s.dist) continue;
    add(std::string(head) + ".weight", {s.classes, s.dim});
    add(std::string(head) + ".bias", {s.classes});
  }
  return table;
}
/// A file with these names and shapes, and no numbers.
StateDict file_of(const ParameterTable& table, const std::vector<std::string>& more = {}) {
  std::vector<TensorInfo> tensors;
  for (const ParameterInfo& p : table) tensors.push_back({p.name, DType::F32, p.shape});
  for (const std::string& name : more) tensors.push_back({name, DType::F32, {1}});
  return StateDict("read x.pth", tensors, {}, {}, {});
}
/// The guess at why a file does not fit.
std::string hint(const Shape& model, const Shape& file, const std::vector<std::string>& more = {}) {
  const LoadReport report = compare(table_of(model), file_of(table_of(file), more));
  CHECK(!report.ok());
  CHECK(report.hint.size() <= 200);
  return report.hint;
}

}  // namespace

TEST_CASE("torch checkpoint: the reference's .pth files give the fixtures' weights, every bit", "[io]") {
  using MiniDeiT = ViT<fixtures::student>;
  using MiniSwin = Swin<fixtures::swin_student>;
  MiniDeiT deit;
  MiniSwin swin;
  generated::weights(deit);
  generated::weights(swin);
  CHECK(equal_weights(load<MiniDeiT>(fixtures::path("checkpoint_mini_deit_zip.pth")), deit));
  CHECK(equal_weights(load<MiniSwin>(fixtures::path("checkpoint_mini_swin_legacy.pth")), swin));
  CHECK(open_weights(fixtures::path("checkpoint_mini_deit_zip.pth")).origin().container == "PyTorch zip");
  CHECK(open_weights(fixtures::path("checkpoint_mini_swin_legacy.pth")).origin().container == "PyTorch legacy");

  // The same checks as for every other file.
  CHECK(contains(message_of([&] { load<MiniSwin>(fixtures::path("checkpoint_mini_deit_zip.pth")); }),
                 "is this a checkpoint of a DeiT or Mini-DeiT?"));
  CHECK(contains(message_of([&] { load<MiniDeiT>(fixtures::path("checkpoint_mini_swin_legacy.pth")); }),
                 "is this a checkpoint of a Swin or Mini-Swin?"));
  CHECK(contains(
      message_of([&] { load<ViT<three_classes(fixtures::student)>>(fixtures::path("checkpoint_mini_deit_zip.pth")); }),
      "head.weight: expected [3, 24], found [10, 24], head.bias: expected [3], found [10] (other number of classes (10 in "
      "the file, 3 in the model); "
      "LoadOptions::replace_head (--replace-head) starts a new head)"));
}

TEST_CASE("load options: a head of other classes starts anew on request, and nothing else changes", "[io]") {
  using Model = ViT<three_classes(fixtures::student)>;
  const StateDict file = open_weights(fixtures::path("checkpoint_mini_deit_zip.pth"));
  Model fresh;
  initialise(fresh, 7);
  const Model model = load<Model>(file, {.replace_head = true, .seed = 7});
  for (const ParameterInfo& p : Model::parameter_table()) {
    INFO(p.name);
    const float* const at = model.data() + p.offset;
    if (p.name.starts_with("head.")) {
      CHECK(std::equal(at, at + p.size, fresh.data() + p.offset));
    } else {
      const auto expected = file.read<float>(p.name);
      CHECK(std::equal(at, at + p.size, expected.begin(), expected.end()));
    }
  }
  CHECK(parameters_of<Model>(file, {.replace_head = true}).report().replaced ==
        std::vector<std::string>{"head.weight", "head.bias"});
  using Same = ViT<fixtures::student>;
  CHECK(equal_weights(load<Same>(file, {.replace_head = true}), load<Same>(file)));  // a head that fits is taken

  Model other;
  initialise(other, 9);
  const Model before = other;
  const LoadReport report = load_into(other, file, {.replace_head = true});
  CHECK(report.ok());
  const auto& head = *std::ranges::find(Model::parameter_table(), "head.weight", &ParameterInfo::name);
  // keeps the model's own
  CHECK(std::equal(other.data() + head.offset, other.data() + head.offset + head.size, before.data() + head.offset));
  CHECK(report.text() == "every tensor fits; new head.weight, head.bias");
}

TEST_CASE("load options: a head is replaced as a whole, when only its number of classes differs or there is none", "[io]") {
  const ParameterTable table = table_of({});
  ParameterTable no_head = table, wrong_width = table, one_part = table;
  std::erase_if(no_head, [](const ParameterInfo& p) { return p.name.starts_with("head."); });
  for (ParameterInfo& p : wrong_width)
    if (p.name == "head.weight") p.shape = {48, 10};
  std::erase_if(one_part, [](const ParameterInfo& p) { return p.name == "head.bias"; });
  const LoadReport without = compare(table, file_of(no_head));
  CHECK(without.missing == std::vector<std::string>{"head.weight", "head.bias"});
  CHECK(without.hint == "no head in the file: LoadOptions::replace_head (--replace-head) starts a new one");
  const std::vector<std::string> head{"head.weight", "head.bias"};
  CHECK(compare(table, file_of(no_head), {}, {}, {.replace_head = true}).replaced == head);
  CHECK(compare(table, file_of(one_part), {}, {}, {.replace_head = true}).replaced == head);
  CHECK(compare(table_of({.classes = 3}), file_of(table), {}, {}, {.replace_head = true}).replaced == head);
  CHECK(compare(table_of({.classes = 3, .dist = true}), file_of(table_of({.dist = true})), {}, {}, {.replace_head = true})
            .replaced.size() == 4);
  CHECK(compare(table, file_of(table), {}, {}, {.replace_head = true}).replaced.empty());
  const LoadReport wrong = compare(table, file_of(wrong_width), {}, {}, {.replace_head = true});
  CHECK(wrong.replaced.empty());
  CHECK(wrong.mismatched == std::vector<std::string>{"head.weight: expected [10, 48], found [48, 10]"});
}

TEST_CASE("load options: positions of another size are resampled on request, as at_resolution() does", "[io]") {
  constexpr ViTConfig cls_48 = image_48(fixtures::deit_a);  // class token: one row in front
  using Deit = ViT<cls_48>;
  const StateDict deit = open_weights(fixtures::path("deit_a.weights.safetensors"));
  CHECK(equal_weights(load<Deit>(deit, {.resample = true}), at_resolution<cls_48>(load<ViT<fixtures::deit_a>>(deit))));
  CHECK(contains(
      message_of([&] { load<Deit>(deit); }),
      "other number of positions (65 in the file, 145 in the model); LoadOptions::resample (--resample) adapts positions"));

  constexpr SwinConfig larger = window_8(fixtures::swin_a);  // masks and index tables of the file belong to the old window
  using Large = Swin<larger>;
  const StateDict swin = open_weights(fixtures::path("swin_a.weights.safetensors"));
  CHECK(equal_weights(load<Large>(swin, {.resample = true}), at_resolution<larger>(load<Swin<fixtures::swin_a>>(swin))));
  const std::string refused = message_of([&] { load<Large>(swin); });
  CHECK(contains(refused, "relative_position_bias_table: expected [225, 2], found [49, 2]"));
  CHECK(contains(refused,
                 "other window (4 in the file, 8 in the model); LoadOptions::resample (--resample) adapts positions"));
  CHECK(parameters_of<Large>(swin, {.resample = true}).report().resampled.size() == 6);  // one table for each layer

  const Shape other{.classes = 3, .positions = 145};
  CHECK(contains(hint(other, {}), "LoadOptions::resample and replace_head (--resample --replace-head) adapt both"));
  CHECK(compare(table_of(other), file_of(table_of({})), {}, {}, {.replace_head = true, .resample = true}).ok());
  const LoadOptions resample{.resample = true};
  CHECK(!compare(table_of({.positions = 146}), file_of(table_of({})), {}, {}, resample).ok());  // 145 patches are no square
  CHECK(!compare(table_of({.positions = 145}), file_of(table_of({.positions = 64})), {}, {}, resample)
             .ok());  // positions without the token's
  CHECK(!compare(table_of({.positions = 146, .dist = true}), file_of(table_of({})), {}, {}, resample).ok());
  CHECK(compare(table_of({.positions = 144, .cls = false}), file_of(table_of({.positions = 64, .cls = false})), {}, {},
                resample)
            .ok());
}

TEST_CASE("load options: the config in a file of ours may differ in what is adapted, and in nothing else", "[io]") {
  const Folder folder;
  using Small = ViT<fixtures::student>;
  Small model;
  generated::weights(model);
  CheckpointInfo info;
  for (int i = 0; i < 10; ++i) info.class_names.push_back(std::to_string(i));
  save(model, folder / "a", info);
  using Three = ViT<three_classes(fixtures::student)>;
  CHECK(contains(message_of([&] { load<Three>(folder / "a"); }),
                 "config field 'classes' differs: expected 3, found 10 (LoadOptions::replace_head"));
  CHECK_NOTHROW(load<Three>(folder / "a", {.replace_head = true}));
  CHECK(contains(message_of([&] { load<ViT<fixtures::deit_a>>(folder / "a", {.replace_head = true, .resample = true}); }),
                 "config field 'dim' differs"));

  using Large = ViT<image_48(fixtures::deit_a)>;
  const auto deit = load<ViT<fixtures::deit_a>>(fixtures::path("deit_a.weights.safetensors"));
  save(deit, folder / "b");
  CHECK(contains(message_of([&] { load<Large>(folder / "b"); }),
                 "config field 'image' differs: expected 48, found 32 (LoadOptions::resample"));
  CHECK(equal_weights(load<Large>(folder / "b", {.resample = true}), at_resolution<image_48(fixtures::deit_a)>(deit)));
}

TEST_CASE("load report: every tensor that does not fit is named, and the cause is guessed", "[io]") {
  CHECK(contains(hint({.positions = 66, .dist = true}, {}), "distilled in one, not in the other?"));
  CHECK(contains(hint({}, {.positions = 66, .dist = true}), "distilled in one, not in the other?"));
  CHECK(contains(hint({}, {.dim = 96}), "other dim (96 in the file, 48 in the model)"));
  CHECK(contains(hint({}, {.depth = 6}), "other depth (6 in the file, 4 in the model)"));
  CHECK(contains(hint({.patch = 8, .positions = 17}, {}),
                 "other patch (4 in the file, 8 in the model), number of positions (65 in the file, 17 in the model); "
                 "LoadOptions::resample"));
  CHECK(contains(hint({.channels = 1}, {}), "other channels (3 in the file, 1 in the model)"));
  CHECK(contains(hint({}, {.ratio = 2}), "other mlp_ratio (2 in the file, 4 in the model)"));
  CHECK(contains(hint({.classes = 3}, {}), "other number of classes (10 in the file, 3 in the model)"));
  CHECK(contains(hint({.positions = 64, .cls = false}, {}), "the file has a class token"));
  CHECK(contains(hint({}, {.positions = 64, .cls = false}), "the model has a class token"));
  CHECK(contains(hint({.shared = true}, {}), "is this a checkpoint of an unshared model?"));
  CHECK(contains(hint({}, {.shared = true}), "is this a checkpoint of a model with shared weights?"));
  CHECK(contains(hint({}, {}, {"blocks.0.ls1.gamma"}), "the file's model has layer scale"));
  CHECK(contains(hint({}, {}, {"fc_norm.weight"}), "a norm behind the pooling"));
  CHECK(contains(hint({}, {}, {"pre_logits.fc.weight"}), "ViT for ImageNet-21k"));
  CHECK(contains(hint({}, {}, {"blocks.0.attn.q_norm.weight"}), "norms of queries and keys"));
  CHECK(compare(table_of({}), file_of({}, {"conv1.weight"})).hint == "are these weights of a DeiT, Swin or MiniViT at all?");

  // A tensor that is there but cannot be read, and another dictionary that holds more.
  using namespace torch_test;
  const std::string one = tensor(storage("0", 1), 0, {1}, {1}),
                    quantised = call(name("torch._utils", "_rebuild_qtensor"), {});
  const auto of = [&](const std::string& object) {
    const std::string bytes = torch_zip(object, {{"0", floats(1)}});
    const StateDict file = parse_weights(bytes_of(bytes), "x.pth");
    return compare(table_of({}), file).hint;
  };
  CHECK(of(dict({{"blocks.0.norm1.weight", one}, {"head.weight", quantised}})) ==
        "'head.weight' cannot be read: torch._utils._rebuild_qtensor");
  CHECK(of(dict({{"model", dict({{"step", one}})}, {"ema", dict({{"a", one}, {"b", one}})}})) ==
        "the file also holds 'ema' with 2 tensors: ReadOptions::entry (--entry) takes it");

  const LoadReport report = report_of<ViT<fixtures::student>>(open_weights(fixtures::path("deit_a.weights.safetensors")));
  const auto lines = report.lines();
  CHECK(lines.size() == report.missing.size() + report.extra.size() + report.mismatched.size() + 1);
  CHECK(std::ranges::find(lines, "missing blocks.0.block.attn.qkv.weight") != lines.end());
  CHECK(std::ranges::find(lines, "extra cls_token") != lines.end());
  CHECK(std::ranges::find(lines, "mismatched norm.weight: expected [24], found [48]") != lines.end());
}

}  // namespace torch_checkpoint_test
