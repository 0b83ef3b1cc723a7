// SPDX-License-Identifier: MIT
// The second family in files: its config as JSON, published checkpoints with their masks and tables, and what is refused.
#include "../catch.hpp"
#include "../models/fixture_models.hpp"
#include "raw_file.hpp"

#include <minivit/core/file.hpp>
#include <minivit/io/checkpoint.hpp>

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace swin_checkpoint_test {

using namespace minivit;
using namespace io_test;
using fixtures::mini_swin_a, fixtures::mini_swin_odd, fixtures::swin_a;

namespace {

constexpr SwinConfig smaller_window = [] {
  SwinConfig c = swin_a;
  c.window = 2;
  return c;
}();

std::string path_of(const std::string& name) { return fixtures::path(name + ".weights.safetensors"); }

/// A fixture whose tensors can be changed before it is written again.
struct Edited {
  explicit Edited(const std::string& name) : file(SafeTensors::open(path_of(name))) {
    for (const TensorInfo& t : file.tensors()) tensors.push_back({t.name, t.dtype, t.shape, file.bytes(t).data()});
  }
  TensorToWrite& at(std::string_view name) {
    const auto found = std::ranges::find(tensors, name, &TensorToWrite::name);
    REQUIRE(found != tensors.end());
    return *found;
  }
  /// A copy of the tensor's elements that stands in the file from now on.
  template <class T>
  std::vector<T>& numbers(std::string_view name, std::vector<T>& to) {
    TensorToWrite& t = at(name);
    const auto values = file.read<T>(name);
    to.assign(values.begin(), values.end());
    t.dtype = dtype_for<T>();
    t.data = to.data();
    return to;
  }
  void remove(std::string_view part) {
    std::erase_if(tensors, [&](const TensorToWrite& t) { return t.name.find(part) != std::string::npos; });
  }
  /// What load says; empty when it loads.
  template <class Model>
  std::string loaded() const {
    const Folder folder;
    write_safetensors(folder / "a", tensors);
    return message_of([&] { load<Model>(folder / "a"); });
  }
  SafeTensors file;
  std::vector<TensorToWrite> tensors;
};

/// Every element of the file's parameters, against the generator.
template <class Model>
void equals_generator(const std::string& name) {
  INFO(name);
  Model expected;
  generated::weights(expected);
  const Model model = load<Model>(path_of(name));
  for (const ParameterInfo& p : Model::parameter_table())
    if (!std::equal(model.data() + p.offset, model.data() + p.offset + p.size, expected.data() + p.offset))
      FAIL(p.name << " differs");
}

}  // namespace

TEST_CASE("config: a Swin's JSON names its family, holds every field and comes back the same", "[io]") {
  CHECK(
      to_json(mini_swin_a) ==
      R"({"blocks":[1,2,1],"channels":3,"classes":10,"depths":[2,4,2],"dim":16,"family":"swin","heads":[2,4,8],"image":32,"mlp_ratio":4,)"
      R"("patch":2,"transformations":{"local_conv":true,"mix_heads":true,"separate_norms":true},"window":4})");
  for (const SwinConfig& config :
       {swin_a, mini_swin_a, mini_swin_odd, SwinConfig{}, presets::mini_swin_base_patch4_window12_384})
    CHECK(config_from_json(to_json(config), "test") == AnyConfig(config));
  SwinConfig four_heads = swin_a;
  four_heads.heads[3] = 16;  // of a stage that is not there: kept all the same
  CHECK(config_from_json(to_json(four_heads), "test") == AnyConfig(four_heads));
  CHECK(config_from_json(R"({"family":"vit",)" + to_json(ViTConfig{}).substr(1), "test") == AnyConfig(ViTConfig{}));
}

TEST_CASE("config: two configs of different families differ in the family, else in the first field", "[io]") {
  const auto families = first_difference(ViTConfig{}, SwinConfig{});
  REQUIRE(families);
  CHECK((families->field == "family" && families->first == "vit" && families->second == "swin"));
  CHECK(!first_difference(swin_a, swin_a));
  const auto window = first_difference(swin_a, smaller_window);
  REQUIRE(window);
  CHECK((window->field == "window" && window->first == "4" && window->second == "2"));
  SwinConfig other = mini_swin_a;
  other.blocks[1] = 4;
  CHECK(first_difference(mini_swin_a, other)->second == "[1,4,1]");
}

TEST_CASE("config: hostile JSON of a Swin is refused by the field", "[io]") {
  const std::string good = to_json(mini_swin_a);
  const auto with = [&](std::string_view from, std::string_view to) {
    return message_of([&] { config_from_json(replaced(good, from, to), "test"); });
  };
  CHECK(contains(with(R"("swin")", R"("resnet")"),
                 R"(config field 'family' is wrong: expected "vit" or "swin", found "resnet")"));
  for (const char* family : {"1", "null", "[\"swin\"]", "{\"swin\":1}", "\"Swin\"", "\"\"", "true"}) {
    INFO(family);
    CHECK(contains(with(R"("swin")", family), "'family' is wrong"));
  }
  CHECK(contains(with(R"("family":"swin",)", ""), "config field 'depth' is missing"));  // then it is a ViT
  CHECK(contains(with(R"("family":"swin",)", R"("family":"vit",)"), "config field 'depth' is missing"));
  CHECK(contains(with(R"("family":"swin")", R"("family":"swin","family":"swin")"), "repeated key"));
  CHECK(contains(with(R"("window":4)", R"("window":4,"depth":2)"), "unknown config field 'depth'"));
  CHECK(contains(with(R"("window":4)", R"("window":4,"depths2":[2])"), "unknown config field 'depths2/0'"));
  CHECK(contains(with(R"("local_conv":true)", R"("local_conv":true,"conv":true)"),
                 "unknown config field 'transformations/conv'"));
  CHECK(contains(with(R"("depths":[2,4,2],)", ""), "config field 'depths' is missing"));
  CHECK(contains(with(R"("local_conv":true,)", ""), "config field 'transformations.local_conv' is missing"));
  CHECK(contains(with(R"("window":4)", R"("window":129)"),
                 "'window' is wrong: expected a whole number from 1 to 128, found 129"));
  CHECK(contains(with(R"([2,4,2])", R"([2,0,2])"),
                 "'depths' is wrong: expected an array of 1 to 4 whole numbers from 1 to 256, found [2,0,2]"));
  for (const char* wrong : {"[]", "[1,1,1,1,1]", "[-1]", "[257]", "[2.0]", "[null]", "[\"2\"]", "[[2]]",
                            "[18446744073709551618]", "{}", "{\"0\":2,\"1\":4}", "2", "\"2,4,2\"", "null", "[true]"}) {
    INFO(wrong);
    CHECK(contains(with("[2,4,2]", wrong), "config field 'depths' is wrong"));
  }
  for (std::size_t size = 0; size < good.size(); ++size)
    if (message_of([&] { config_from_json(std::string_view(good).substr(0, size), "test"); }).empty())
      FAIL("accepted at " << size);
}

TEST_CASE("checkpoint: published Swin files load with their masks and tables, and hold the generator's numbers", "[io]") {
  equals_generator<Swin<swin_a>>("swin_a");
  equals_generator<Swin<mini_swin_a>>("mini_swin_a");
  equals_generator<Swin<mini_swin_odd>>("mini_swin_odd");
}

TEST_CASE("checkpoint: what follows from the config is what the published model of full size holds", "[io]") {
  const auto bytes = read_file(fixtures::path("mini_swin_tiny_patch4_window7_224.json"), 1 << 20);
  const auto document = nlohmann::json::parse(reinterpret_cast<const char*>(bytes.data()),
                                              reinterpret_cast<const char*>(bytes.data() + bytes.size()));
  std::vector<std::pair<std::string, std::vector<Index>>> ours, expected = document.at("buffers");
  for (const FixedTensor& t : swin_fixed_tensors(presets::mini_swin_tiny_patch4_window7_224))
    ours.emplace_back(t.name, t.shape);
  std::ranges::sort(ours);
  std::ranges::sort(expected);
  CHECK(ours == expected);
}

TEST_CASE("checkpoint: a Swin's file may lack what follows from the config, and save writes none of it", "[io]") {
  Edited bare("mini_swin_a");
  const std::size_t all = bare.tensors.size();
  bare.remove("attn_mask");
  bare.remove("relative_position_index");
  CHECK(bare.tensors.size() == all - 3 - 4);
  CHECK(bare.loaded<Swin<mini_swin_a>>() == "");

  const Folder folder;
  save(load<Swin<mini_swin_a>>(path_of("mini_swin_a")), folder / "a");
  CHECK(SafeTensors::open(folder / "a").tensors().size() == bare.tensors.size());
  CHECK(read_config(SafeTensors::open(folder / "a")) == AnyConfig(mini_swin_a));
  CHECK_NOTHROW(load<Swin<mini_swin_a>>(folder / "a"));
}

TEST_CASE("checkpoint: a mask or a table of places with one wrong number is refused by its place", "[io]") {
  using Model = Swin<mini_swin_a>;
  std::vector<float> mask;
  std::vector<std::int64_t> places;
  {
    Edited file("mini_swin_a");
    float& element = file.numbers("layers.1.blocks.1.attn_mask", mask)[(3 * 16 + 2) * 16 + 15];
    REQUIRE(element == -100);
    element = 0;  // as the unshifted layers of an unshared model have it
    const std::string message = file.loaded<Model>();
    CHECK(contains(message,
                   "tensor 'layers.1.blocks.1.attn_mask' is not what the model's config says, at element [3, 2, 15]: "
                   "expected -100, found 0"));
    Model model;
    const Folder folder;
    write_safetensors(folder / "a", file.tensors);
    const LoadReport report = load_into(model, SafeTensors::open(folder / "a"));
    CHECK(report.mismatched ==
          std::vector<std::string>{"layers.1.blocks.1.attn_mask: expected -100 at [3, 2, 15], found 0"});
    element = std::numeric_limits<float>::quiet_NaN();
    CHECK(contains(file.loaded<Model>(), "expected -100, found nan"));
  }
  {
    Edited file("mini_swin_a");
    ++file.numbers("layers.2.blocks.0.attn.relative_position_index", places)[16];
    CHECK(contains(file.loaded<Model>(), "at element [1, 0]: expected 25, found 26"));
    file.at("layers.2.blocks.0.attn.relative_position_index").dtype = DType::F64;
    CHECK(contains(file.loaded<Model>(), "dtype cannot be used here: expected I64, found F64"));
  }
  {
    Edited file("mini_swin_a");  // int32 and double are as good
    std::vector<double> wide;
    file.numbers("layers.0.blocks.0.attn_mask", wide);
    const auto wanted = file.file.read<std::int64_t>("layers.0.blocks.0.attn.relative_position_index");
    const std::vector<std::int32_t> narrow(wanted.begin(), wanted.end());
    TensorToWrite& index = file.at("layers.0.blocks.0.attn.relative_position_index");
    index.dtype = DType::I32;
    index.data = narrow.data();
    CHECK(file.loaded<Model>() == "");
  }
}

TEST_CASE("checkpoint: masks where the model has none, and of another shape, are refused", "[io]") {
  Edited unshared("swin_a");  // an unshared model masks odd layers only
  std::vector<float> mask;
  unshared.numbers("layers.0.blocks.1.attn_mask", mask);
  unshared.tensors.push_back({"layers.0.blocks.0.attn_mask", DType::F32, {16, 16, 16}, mask.data()});
  const std::string extra = unshared.loaded<Swin<swin_a>>();
  CHECK(contains(extra, "0 missing, 1 extra, 0 mismatched"));
  CHECK(contains(extra,
                 "extra layers.0.blocks.0.attn_mask (other image, window or blocks? LoadOptions::resample (--resample) "
                 "leaves masks out)"));

  Edited flat("swin_a");
  flat.at("layers.0.blocks.1.attn_mask").shape = {1, 16, 256};
  CHECK(contains(flat.loaded<Swin<swin_a>>(),
                 "mismatched layers.0.blocks.1.attn_mask: expected [16, 16, 16], found [1, 16, 256]"));
}

TEST_CASE("checkpoint: the reason why a Swin's file does not fit is guessed", "[io]") {
  const auto plain = Edited("swin_a"), mini = Edited("mini_swin_a");
  CHECK(contains(plain.loaded<Swin<mini_swin_a>>(), "is this a checkpoint of an unshared model?"));
  CHECK(contains(mini.loaded<Swin<swin_a>>(), "is this a checkpoint of a model with shared weights?"));
  CHECK(contains(plain.loaded<Swin<smaller_window>>(),
                 "other window (4 in the file, 2 in the model); LoadOptions::resample (--resample) adapts positions"));
  constexpr auto no_mixing = [](SwinConfig c) {
    c.transformations.mix_heads = false;
    return c;
  }(mini_swin_a);
  constexpr auto no_conv = [](SwinConfig c) {
    c.transformations.local_conv = false;
    return c;
  }(mini_swin_a);
  constexpr auto shared_norms = [](SwinConfig c) {
    c.transformations.separate_norms = false;
    return c;
  }(mini_swin_a);
  constexpr auto wider = [](SwinConfig c) {
    c.dim = 32;
    return c;
  }(mini_swin_a);
  constexpr auto slim = [](SwinConfig c) {
    c.mlp_ratio = 2;
    return c;
  }(mini_swin_a);
  constexpr auto shallow = [](SwinConfig c) {
    c.depths[1] = c.blocks[1] = 1;
    return c;
  }(swin_a);
  CHECK(contains(mini.loaded<Swin<no_mixing>>(), "other transformations.mix_heads or blocks?"));
  CHECK(contains(mini.loaded<Swin<no_conv>>(), "other transformations.local_conv or blocks?"));
  CHECK(contains(mini.loaded<Swin<shared_norms>>(), "other transformations.separate_norms or blocks?"));
  CHECK(contains(mini.loaded<Swin<wider>>(), "other dim (16 in the file, 32 in the model)"));
  CHECK(contains(mini.loaded<Swin<slim>>(), "other mlp_ratio (4 in the file, 2 in the model)"));
  CHECK(contains(plain.loaded<Swin<shallow>>(), "other depth ([2, 2, 2] in the file, [2, 1, 2] in the model)"));
}

}  // namespace swin_checkpoint_test
