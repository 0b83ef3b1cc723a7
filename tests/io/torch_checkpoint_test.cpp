// SPDX-License-Identifier: MIT
// Models from other people's files: the reference's .pth fixtures, heads of other classes, positions of other sizes, and what is said when a
// file does not fit.
#include "../models/fixture_models.hpp"
#include "raw_torch.hpp"

#include <minivit/io/checkpoint.hpp>
#include <minivit/models/resample.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace minivit;
using namespace io_test;

namespace {

std::string path_of(const std::string& name) { return std::string(MINIVIT_TEST_FIXTURES) + "/" + name; }

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

/// What load says about a file of a config's parameters, all of zeros, after change(tensors) was made to them.
template <class Model, class From, class F>
std::string said(F&& change, const LoadOptions& options = {}) {
  const Folder folder;
  const From zeros;
  std::vector<TensorToWrite> tensors;
  append_parameters(tensors, From::parameter_table(), zeros.data());
  change(tensors);
  write_safetensors(folder / "a", tensors);
  const std::string message = message_of([&] { load<Model>(folder / "a", options); });
  CHECK(!contains(message, "\n"));
  CHECK(message.size() <= 500);
  return message;
}
constexpr auto unchanged = [](auto&) {};

}  // namespace

TEST_CASE("torch checkpoint: the reference's .pth files give the fixtures' weights, every bit", "[io]") {
  using MiniDeiT = ViT<fixture::student>;
  using MiniSwin = Swin<fixture::swin_student>;
  MiniDeiT deit;
  MiniSwin swin;
  generated::weights(deit);
  generated::weights(swin);
  CHECK(equal_weights(load<MiniDeiT>(path_of("checkpoint_mini_deit_zip.pth")), deit));
  CHECK(equal_weights(load<MiniSwin>(path_of("checkpoint_mini_swin_legacy.pth")), swin));
  CHECK(open_weights(path_of("checkpoint_mini_deit_zip.pth")).origin().container == "PyTorch zip");
  CHECK(open_weights(path_of("checkpoint_mini_swin_legacy.pth")).origin().container == "PyTorch legacy");

  // The same checks as for every other file.
  CHECK(contains(message_of([&] { load<MiniSwin>(path_of("checkpoint_mini_deit_zip.pth")); }), "is this a checkpoint of a DeiT or Mini-DeiT?"));
  CHECK(contains(message_of([&] { load<MiniDeiT>(path_of("checkpoint_mini_swin_legacy.pth")); }), "is this a checkpoint of a Swin or Mini-Swin?"));
  CHECK(contains(message_of([&] { load<ViT<three_classes(fixture::student)>>(path_of("checkpoint_mini_deit_zip.pth")); }),
                 "head.weight: expected [3, 24], found [10, 24], head.bias: expected [3], found [10] (other number of classes (10 in the file, 3 in the model); "
                 "LoadOptions::replace_head (--replace-head) starts a new head)"));
}

TEST_CASE("load options: a head of other classes starts anew on request, and nothing else changes", "[io]") {
  using Model = ViT<three_classes(fixture::student)>;
  const StateDict file = open_weights(path_of("checkpoint_mini_deit_zip.pth"));
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
  CHECK(parameters_of<Model>(file, {.replace_head = true}).report().replaced == std::vector<std::string>{"head.weight", "head.bias"});
  using Same = ViT<fixture::student>;
  CHECK(equal_weights(load<Same>(file, {.replace_head = true}), load<Same>(file)));  // a head that fits is taken

  Model other;
  initialise(other, 9);
  const Model before = other;
  const LoadReport report = load_into(other, file, {.replace_head = true});
  CHECK(report.ok());
  const auto& head = *std::ranges::find(Model::parameter_table(), "head.weight", &ParameterInfo::name);
  CHECK(std::equal(other.data() + head.offset, other.data() + head.offset + head.size, before.data() + head.offset));  // keeps the model's own
  CHECK(report.text() == "every tensor fits; new head.weight, head.bias");

  const auto no_head = [](auto& tensors) { std::erase_if(tensors, [](const TensorToWrite& t) { return t.name.starts_with("head."); }); };
  CHECK(contains(said<Same, Same>(no_head), "(no head in the file: LoadOptions::replace_head (--replace-head) starts a new one)"));
  CHECK(said<Same, Same>(no_head, {.replace_head = true}).empty());
  const auto wrong_width = [](auto& tensors) {
    for (auto& t : tensors)
      if (t.name == "head.weight") t.shape = {t.shape[1], t.shape[0]};
  };
  CHECK(contains(said<Same, Same>(wrong_width, {.replace_head = true}), "mismatched head.weight: expected [10, 24], found [24, 10]"));
}

TEST_CASE("load options: positions of another size are resampled on request, as at_resolution() does", "[io]") {
  constexpr ViTConfig cls_48 = image_48(fixture::deit_a);  // class token: one row in front
  using Deit = ViT<cls_48>;
  const StateDict deit = open_weights(path_of("deit_a.weights.safetensors"));
  CHECK(equal_weights(load<Deit>(deit, {.resample = true}), at_resolution<cls_48>(load<ViT<fixture::deit_a>>(deit))));
  CHECK(contains(message_of([&] { load<Deit>(deit); }), "other number of positions (65 in the file, 145 in the model); LoadOptions::resample (--resample) adapts positions"));

  constexpr SwinConfig larger = window_8(fixture::swin_a);  // masks and index tables of the file belong to the old window
  using Large = Swin<larger>;
  const StateDict swin = open_weights(path_of("swin_a.weights.safetensors"));
  CHECK(equal_weights(load<Large>(swin, {.resample = true}), at_resolution<larger>(load<Swin<fixture::swin_a>>(swin))));
  const std::string refused = message_of([&] { load<Large>(swin); });
  CHECK(contains(refused, "relative_position_bias_table: expected [225, 2], found [49, 2]"));
  CHECK(contains(refused, "other window (4 in the file, 8 in the model); LoadOptions::resample (--resample) adapts positions"));
  CHECK(parameters_of<Large>(swin, {.resample = true}).report().resampled.size() == 6);  // one table for each layer

  using Both = ViT<three_classes(cls_48)>;
  CHECK(contains(message_of([&] { load<Both>(deit); }), "LoadOptions::resample and replace_head (--resample --replace-head) adapt both"));
  CHECK_NOTHROW(load<Both>(deit, {.replace_head = true, .resample = true}));
}

TEST_CASE("load options: the config in a file of ours may differ in what is adapted, and in nothing else", "[io]") {
  const Folder folder;
  using Small = ViT<fixture::student>;
  Small model;
  generated::weights(model);
  CheckpointInfo info;
  for (int i = 0; i < 10; ++i) info.class_names.push_back(std::to_string(i));
  save(model, folder / "a", info);
  constexpr ViTConfig three = three_classes(fixture::student), larger = image_48(fixture::student);
  constexpr ViTConfig no_mixing = [] {
    ViTConfig c = fixture::student;
    c.sharing.mix_heads = false;
    return c;
  }();
  CHECK(contains(message_of([&] { load<ViT<three>>(folder / "a"); }), "config field 'classes' differs: expected 3, found 10 (LoadOptions::replace_head"));
  CHECK_NOTHROW(load<ViT<three>>(folder / "a", {.replace_head = true}));
  CHECK(contains(message_of([&] { load<ViT<larger>>(folder / "a"); }), "config field 'image' differs: expected 48, found 32 (LoadOptions::resample"));
  CHECK(equal_weights(load<ViT<larger>>(folder / "a", {.resample = true}), at_resolution<larger>(model)));
  CHECK(contains(message_of([&] { load<ViT<no_mixing>>(folder / "a", {.replace_head = true, .resample = true}); }), "'sharing.mix_heads' differs"));
}

TEST_CASE("load report: every tensor that does not fit is named, and the cause is guessed", "[io]") {
  using Deit = ViT<fixture::deit_a>;
  using Student = ViT<fixture::student>;
  constexpr auto with = [](auto change) {
    ViTConfig c = fixture::deit_a;
    change(c);
    return c;
  };
  using Distilled = ViT<fixture::distilled(fixture::deit_a)>;
  using Wider = ViT<with([](ViTConfig& c) { c.dim = 96; })>;
  using Deeper = ViT<with([](ViTConfig& c) { c.depth = 6; })>;
  using Patch8 = ViT<with([](ViTConfig& c) { c.patch = 8; })>;
  using Grey = ViT<with([](ViTConfig& c) { c.channels = 1; })>;
  using Ratio2 = ViT<with([](ViTConfig& c) { c.mlp_ratio = 2; })>;
  using MeanPool = ViT<with([](ViTConfig& c) { c.pool = Pool::mean; })>;
  CHECK(contains(said<Distilled, Deit>(unchanged), "distilled in one, not in the other?"));
  CHECK(contains(said<Deit, Distilled>(unchanged), "distilled in one, not in the other?"));
  CHECK(contains(said<Deit, Wider>(unchanged), "other dim (96 in the file, 48 in the model)"));
  CHECK(contains(said<Deit, Deeper>(unchanged), "other depth (6 in the file, 4 in the model)"));
  CHECK(contains(said<Patch8, Deit>(unchanged), "other patch (4 in the file, 8 in the model), number of positions (65 in the file, 17 in the model); LoadOptions::resample"));
  CHECK(contains(said<Grey, Deit>(unchanged), "other channels (3 in the file, 1 in the model)"));
  CHECK(contains(said<Deit, Ratio2>(unchanged), "other mlp_ratio (2 in the file, 4 in the model)"));
  CHECK(contains(said<MeanPool, Deit>(unchanged), "the file has a class token"));
  CHECK(contains(said<Student, Deit>(unchanged), "is this a checkpoint of an unshared model?"));
  CHECK(contains(said<Deit, Student>(unchanged), "is this a checkpoint of a model with shared weights?"));
  const float x = 1;
  const auto plus = [&](const char* name) {
    return said<Deit, Deit>([&](auto& tensors) { tensors.push_back({name, DType::F32, {1}, &x}); });
  };
  CHECK(contains(plus("blocks.0.ls1.gamma"), "the file's model has layer scale"));
  CHECK(contains(plus("fc_norm.weight"), "a norm behind the pooling"));
  CHECK(contains(plus("pre_logits.fc.weight"), "ViT for ImageNet-21k"));
  CHECK(contains(plus("blocks.0.attn.q_norm.weight"), "norms of queries and keys"));
  CHECK(contains(said<Deit, Deit>([&](auto& tensors) { tensors = {{"conv1.weight", DType::F32, {1}, &x}}; }), "are these weights of a DeiT, Swin or MiniViT at all?"));

  // A tensor that is there but cannot be read, and another dictionary that holds more.
  using namespace torch_test;
  const std::string one = tensor(storage("0", 1), 0, {1}, {1}), quantised = call(name("torch._utils", "_rebuild_qtensor"), {});
  const auto of = [&](const std::string& object) {
    const std::string bytes = torch_zip(object, {{"0", floats(1)}});
    const StateDict file = parse_weights(bytes_of(bytes), "x.pth");
    return compare(Deit::parameter_table(), file).hint;
  };
  CHECK(of(dict({{"blocks.0.norm1.weight", one}, {"head.weight", quantised}})) == "'head.weight' cannot be read: torch._utils._rebuild_qtensor");
  CHECK(of(dict({{"model", dict({{"step", one}})}, {"ema", dict({{"a", one}, {"b", one}})}})) ==
        "the file also holds 'ema' with 2 tensors: ReadOptions::entry (--entry) takes it");

  const LoadReport report = report_of<Student>(open_weights(path_of("deit_a.weights.safetensors")));
  const auto lines = report.lines();
  CHECK(lines.size() == report.missing.size() + report.extra.size() + report.mismatched.size() + 1);
  CHECK(std::ranges::find(lines, "missing blocks.0.block.attn.qkv.weight") != lines.end());
  CHECK(std::ranges::find(lines, "extra cls_token") != lines.end());
  CHECK(std::ranges::find(lines, "mismatched norm.weight: expected [24], found [48]") != lines.end());
}
