// SPDX-License-Identifier: MIT
#include "../catch.hpp"
#include "raw_file.hpp"

#include <minivit/io/checkpoint.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace checkpoint_test {

using namespace minivit;
using namespace io_test;

namespace {

constexpr ViTConfig small_config = [] {
  ViTConfig c;
  c.image = 32;
  c.patch = 4;
  c.dim = 3;
  c.heads = 3;
  c.depth = 2;
  c.classes = 2;
  c.pool = Pool::mean;
  c.sharing = {.repeat = 2, .mix_heads = true};
  c.position = {.keys = true};
  return c;
}();

/// A model as io sees it: four parameters in a padded slab.
template <class T>
struct FakeModel {
  static constexpr ViTConfig config = small_config;
  static const ParameterTable& parameter_table() {
    static const ParameterTable table{{"blocks.0.block.norm1.instances.0.weight", {3}, 0, 3},
                                      {"blocks.0.block.attn.qkv.weight", {9, 3}, 16, 27},
                                      {"head.weight", {2, 3}, 48, 6},
                                      {"head.bias", {2}, 64, 2}};
    return table;
  }
  T* data() { return slab.data(); }
  const T* data() const { return slab.data(); }
  Index size() const { return slab.size(); }
  Buffer<T> slab{80};
};
using Model = FakeModel<float>;

Model filled() {
  Model model;
  for (const ParameterInfo& p : Model::parameter_table())
    for (Index i = 0; i < p.size; ++i) model.data()[p.offset + i] = static_cast<float>(p.offset + i) + 0.25f;
  return model;
}

/// The model's tensors under other names or shapes.
template <class F>
std::string message_after(F&& change) {
  const Folder folder;
  const Model model = filled();
  std::vector<TensorToWrite> tensors;
  append_parameters(tensors, Model::parameter_table(), model.data());
  change(tensors);
  write_safetensors(folder / "mine.safetensors", tensors);
  return message_of([&] { load<Model>(folder / "mine.safetensors"); });
}

}  // namespace

TEST_CASE("checkpoint: a saved model is loaded bit for bit, with everything that belongs to it", "[io]") {
  const Folder folder;
  const std::string path = folder / "mine.safetensors";
  const Model model = filled();
  CheckpointInfo info;
  info.preprocessing = {
      .mean = {0.5f, 0.1f, 1.0f / 3}, .std = {0.25f, 1e-3f, 2}, .crop_pct = 0.9f, .interpolation = Interpolation::bilinear};
  info.class_names = {"cat", "d\"\xC3\xB6g"};
  info.extra = {{"epochs", "300"}};
  info.model = "mini_deit_fake";
  save(model, path, info);
  const Model loaded = load<Model>(path);
  CHECK(std::ranges::equal(loaded.slab, model.slab));
  const SafeTensors file = SafeTensors::open(path);
  CHECK(read_info(file) == info);
  CHECK(read_config(file) == AnyConfig(small_config));
  CHECK(file.metadata().at("minivit.preprocessing") ==
        R"({"crop_pct":0.9,"interpolation":"bilinear","mean":[0.5,0.1,0.33333334],"std":[0.25,0.001,2]})");
}

TEST_CASE("checkpoint: the same model gives the same bytes", "[io]") {
  const Folder folder;
  save(filled(), folder / "a");
  save(filled(), folder / "b");
  CHECK(get(folder / "a") == get(folder / "b"));
}

TEST_CASE("checkpoint: a model in double reads a file in float, and saves its own precision", "[io]") {
  const Folder folder;
  save(filled(), folder / "a");
  const auto wide = load<FakeModel<double>>(folder / "a");
  CHECK(wide.data()[16] == 16.25);
  save(wide, folder / "b");
  CHECK(SafeTensors::open(folder / "b").at("head.bias").dtype == DType::F64);
  CHECK(std::ranges::equal(load<Model>(folder / "b").slab, filled().slab));
}

TEST_CASE("checkpoint: saved in bf16, every number is the nearest one", "[io]") {
  const Folder folder;
  Model model = filled();
  model.data()[16] = 1.00390625f;  // halfway between two: the even one is 1
  model.data()[17] = 1.01171875f;  // likewise, 1.015625
  model.data()[18] = -1.0039064f;  // beyond the middle: -1.0078125
  save(model, folder / "narrow", {.class_names = {"a", "b"}}, Stored::bf16);
  const SafeTensors file = SafeTensors::open(folder / "narrow");
  for (const TensorInfo& t : file.tensors()) CHECK(t.dtype == DType::BF16);
  const Model loaded = load<Model>(folder / "narrow");
  CHECK(loaded.data()[16] == 1);
  CHECK(loaded.data()[17] == 1.015625f);
  CHECK(loaded.data()[18] == -1.0078125f);
  for (const ParameterInfo& p : Model::parameter_table())
    for (Index i = p.offset; i < p.offset + p.size; ++i)
      CHECK(std::abs(loaded.data()[i] - model.data()[i]) <= std::abs(model.data()[i]) / 256);
  save(loaded, folder / "again", {.class_names = {"a", "b"}}, Stored::bf16);
  CHECK(get(folder / "again") == get(folder / "narrow"));

  model.data()[16] = std::numeric_limits<float>::max();  // rounds to infinity
  CHECK(contains(message_of([&] { save(model, folder / "narrow", {}, Stored::bf16); }),
                 "qkv.weight' is not finite at element 0"));
  CHECK(get(folder / "again") == get(folder / "narrow"));
}

TEST_CASE("checkpoint: files without our metadata load by name and shape", "[io]") {
  CHECK(message_after([](auto&) {}) == "");
}

TEST_CASE("checkpoint: a file that does not fit is refused with its names, shapes and the likely cause", "[io]") {
  const std::string prefixed = message_after([](auto& tensors) {
    for (auto& t : tensors) t.name = "backbone." + t.name;
  });
  CHECK(contains(prefixed, "4 missing, 4 extra, 0 mismatched"));
  CHECK(contains(prefixed, "names begin with 'backbone.': ReadOptions::prefix (--prefix) removes it"));

  const std::vector<float> thousand(3000);
  const std::string classes = message_after([&](auto& tensors) {
    tensors[2].shape = {1000, 3}, tensors[2].data = thousand.data();
    tensors[3].shape = {1000}, tensors[3].data = thousand.data();
  });
  CHECK(contains(classes, "0 missing, 0 extra, 2 mismatched"));
  CHECK(contains(classes, "head.weight: expected [2, 3], found [1000, 3]"));
  CHECK(contains(classes,
                 "other number of classes (1000 in the file, 2 in the model); LoadOptions::replace_head (--replace-head) "
                 "starts a new head"));

  const std::string unshared = message_after([](auto& tensors) {
    tensors[0].name = "blocks.0.norm1.weight";
    tensors[1].name = "blocks.0.attn.qkv.weight";
  });
  CHECK(contains(unshared, "is this a checkpoint of an unshared model?"));

  const std::string missing = message_after([](auto& tensors) { tensors.pop_back(); });
  CHECK(contains(missing, "1 missing, 0 extra, 0 mismatched"));
  CHECK(contains(missing, "missing head.bias"));

  const float x = 1;
  const std::string extra = message_after([&](auto& tensors) { tensors.push_back({"dist_token", DType::F32, {1}, &x}); });
  CHECK(contains(extra, "0 missing, 1 extra, 0 mismatched"));
  CHECK(contains(extra, "distilled in one"));

  const std::string type = message_after([](auto& tensors) { tensors[3].dtype = DType::I32; });
  CHECK(contains(type, "tensor 'head.bias': dtype cannot be used here"));
  CHECK(contains(type, "found I32"));

  for (const std::string& message : {prefixed, classes, unshared, missing, extra, type}) {
    CHECK(contains(message, "mine.safetensors"));
    CHECK(!contains(message, "\n"));
    CHECK(message.size() <= 500);
  }
}

TEST_CASE("checkpoint: load_into copies what fits and reports the rest", "[io]") {
  const Folder folder;
  const Model source = filled();
  const float x = 7;
  write_safetensors(folder / "a", {{"head.bias", DType::F32, {2}, source.data() + 64},
                                   {"other", DType::F32, {1}, &x},
                                   {"head.weight", DType::F32, {1}, &x}});
  Model model;
  const LoadReport report = load_into(model, SafeTensors::open(folder / "a"));
  CHECK(!report.ok());
  CHECK(report.missing.size() == 2);
  CHECK(report.extra == std::vector<std::string>{"other"});
  CHECK(report.mismatched == std::vector<std::string>{"head.weight: expected [2, 3], found [1]"});
  CHECK(contains(report.text(),
                 "2 missing, 1 extra, 1 mismatched: mismatched head.weight: expected [2, 3], found [1]; missing "));
  CHECK(model.data()[65] == source.data()[65]);
  CHECK(model.data()[48] == 0);
}

TEST_CASE("checkpoint: another config is refused by the first field that differs", "[io]") {
  const Folder folder;
  const Model model = filled();
  std::vector<TensorToWrite> tensors;
  append_parameters(tensors, Model::parameter_table(), model.data());
  ViTConfig other = small_config;
  other.sharing.repeat = 1;
  write_safetensors(folder / "a", tensors, metadata_of(other, {}, "test"));
  const std::string message = message_of([&] { load<Model>(folder / "a"); });
  CHECK(contains(message, "config field 'sharing.repeat' differs: expected 2, found 1"));
  write_safetensors(folder / "a", tensors, {{"minivit.config", "{}"}});
  CHECK(contains(message_of([&] { load<Model>(folder / "a"); }), "config field 'image' is missing"));
}

TEST_CASE("checkpoint: values that are not finite are not saved", "[io]") {
  const Folder folder;
  Model model = filled();
  save(model, folder / "a");
  const std::string before = get(folder / "a");
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    model.data()[48 + 4] = bad;
    const std::string message = message_of([&] { save(model, folder / "a"); });
    CHECK(contains(message, "parameter 'head.weight' is not finite at element 4"));
    CHECK(get(folder / "a") == before);
  }
  model = filled();
  model.data()[50 + 10] = std::nanf("");  // padding between parameters is nobody's value
  CHECK_NOTHROW(save(model, folder / "a"));
}

TEST_CASE("checkpoint: the number of class names must be the number of classes", "[io]") {
  const Folder folder;
  CheckpointInfo info;
  info.class_names = {"one"};
  CHECK(
      contains(message_of([&] { save(filled(), folder / "a", info); }), "wrong number of class names: expected 2, found 1"));
  const Model model = filled();
  std::vector<TensorToWrite> tensors;
  append_parameters(tensors, Model::parameter_table(), model.data());
  write_safetensors(folder / "a", tensors, {{"minivit.classes", R"(["a","b","c"])"}});
  CHECK(contains(message_of([&] { load<Model>(folder / "a"); }), "wrong number of class names: expected 2, found 3"));
  for (const char* wrong : {"[1,2]", "{\"a\":\"b\"}", "[[\"a\"]]", "\"ab\"", "[", ""}) {
    INFO(wrong);
    write_safetensors(folder / "a", tensors, {{"minivit.classes", wrong}});
    CHECK(contains(message_of([&] { load<Model>(folder / "a"); }), "minivit.classes"));
  }
}

TEST_CASE("checkpoint: reserved keys and impossible preprocessing are not saved", "[io]") {
  const Folder folder;
  const auto refused = [&](const CheckpointInfo& info) { return message_of([&] { save(filled(), folder / "a", info); }); };
  CheckpointInfo info;
  info.extra["minivit.config"] = "{}";
  CHECK(contains(refused(info), "'minivit.config' is reserved"));
  info = {};
  info.preprocessing.std[1] = 0;
  CHECK(contains(refused(info), "'std' is wrong: expected finite numbers above 0"));
  info = {};
  info.preprocessing.mean[2] = std::nanf("");
  CHECK(contains(refused(info), "'mean' is wrong"));
  info = {};
  info.preprocessing.crop_pct = 1.5f;
  CHECK(contains(refused(info), "'crop_pct' is wrong"));
  info = {};
  info.class_names = {"a", "\xFF"};
  CHECK(contains(refused(info), "class name is not valid UTF-8"));
  CHECK(folder.count() == 0);
}

TEST_CASE("checkpoint: damaged preprocessing is refused by field", "[io]") {
  const auto refused = [](const char* text) { return message_of([&] { preprocessing_from_json(text, "test"); }); };
  const std::string good = to_json(Preprocessing{});
  CHECK(preprocessing_from_json(good, "test") == Preprocessing{});
  CHECK(good.find("crop_mode") == std::string::npos);  // as in files of before there were other modes
  const Preprocessing border{.crop_mode = CropMode::border};
  CHECK(preprocessing_from_json(to_json(border), "test") == border);
  CHECK(contains(refused(R"({"mean":[0,0,0],"std":[1,1,1],"crop_pct":1,"interpolation":"bicubic","crop_mode":"centre"})"),
                 R"(expected "center" or "squash" or "border", found "centre")"));
  CHECK(contains(refused("[]"), "expected a JSON object"));
  CHECK(contains(refused(R"({"mean":[0,0,0],"std":[1,1,1],"interpolation":"bicubic"})"),
                 "'crop_pct' is wrong: expected a value, found none"));
  CHECK(contains(refused(R"({"mean":[0,0],"std":[1,1,1],"crop_pct":1,"interpolation":"bicubic"})"),
                 "'mean' is wrong: expected 3 numbers"));
  CHECK(contains(refused(R"({"mean":[0,0,0],"std":[1,1,0],"crop_pct":1,"interpolation":"bicubic"})"), "'std' is wrong"));
  CHECK(
      contains(refused(R"({"mean":[0,0,1e300],"std":[1,1,1],"crop_pct":1,"interpolation":"bicubic"})"), "'mean' is wrong"));
  CHECK(
      contains(refused(R"({"mean":[0,0,0],"std":[1,1,1],"crop_pct":0,"interpolation":"bicubic"})"), "'crop_pct' is wrong"));
  CHECK(contains(refused(R"({"mean":[0,0,0],"std":[1,1,1],"crop_pct":1,"interpolation":"nearest"})"),
                 "expected \"bilinear\" or \"bicubic\""));
  CHECK(contains(refused(R"({"mean":[0,0,0],"std":[1,1,1],"crop_pct":1,"interpolation":"bicubic","x":1})"), "'x' is wrong"));
}

TEST_CASE("checkpoint: slabs under prefixes share one file", "[io]") {
  const Folder folder;
  const Model model = filled();
  FakeModel<double> moments;
  for (Index i = 0; i < moments.size(); ++i) moments.data()[i] = 1.0 / static_cast<double>(i + 1);
  const std::vector<std::uint64_t> step{12345};
  std::vector<TensorToWrite> tensors;
  append_parameters(tensors, Model::parameter_table(), model.data(), "model.");
  append_parameters(tensors, Model::parameter_table(), moments.data(), "moment1.");
  tensors.push_back(array_to_write<std::uint64_t>("step", step));
  write_safetensors(folder / "a", tensors);

  const SafeTensors file = SafeTensors::open(folder / "a");
  Model model2;
  FakeModel<double> moments2;
  read_parameters(file, Model::parameter_table(), model2.data(), "model.");
  read_parameters(file, Model::parameter_table(), moments2.data(), "moment1.");
  CHECK(std::ranges::equal(model2.slab, model.slab));
  for (const ParameterInfo& p : Model::parameter_table())
    for (Index i = 0; i < p.size; ++i)
      if (moments2.data()[p.offset + i] != moments.data()[p.offset + i]) FAIL(p.name << " differs");
  CHECK(file.read<std::uint64_t>("step").data()[0] == 12345);
  const std::string message = message_of(
      [&] { read_parameters(file, Model::parameter_table(), model2.data(), "moment2."); });
  CHECK(contains(message, "4 missing"));
}

TEST_CASE("config: JSON holds every field and comes back the same", "[io]") {
  CHECK(to_json(small_config) ==
        R"({"channels":3,"classes":2,"depth":2,"dim":3,"distilled":false,"heads":3,"image":32,"mlp_ratio":4,"patch":4,)"
        R"("pool":"mean","position":{"keys":true},"sharing":{"mix_heads":true,"repeat":2}})");
  CHECK(config_from_json(to_json(small_config), "test") == AnyConfig(small_config));
  CHECK(config_from_json(to_json(ViTConfig{}), "test") == AnyConfig(ViTConfig{}));
  CHECK(!first_difference(small_config, small_config));
  ViTConfig changed = small_config;
  changed.pool = Pool::cls;
  changed.distilled = true;
  const auto difference = first_difference(small_config, changed);
  REQUIRE(difference);
  CHECK(difference->field == "pool");
  CHECK(difference->first == "\"mean\"");
  CHECK(difference->second == "\"cls\"");
}

TEST_CASE("config: a field younger than the format is written only when it is not at its default", "[io]") {
  ViTConfig config = small_config;
  config.sharing.separate_norms = false;
  CHECK(contains(to_json(config), R"("sharing":{"mix_heads":true,"repeat":2,"separate_norms":false})"));
  CHECK(config_from_json(to_json(config), "test") == AnyConfig(config));
  CHECK(std::get<ViTConfig>(config_from_json(to_json(small_config), "test"))
            .sharing.separate_norms);  // absent: as before there was such a field
  CHECK(first_difference(config, small_config)->field == "sharing.separate_norms");
}

TEST_CASE("config: missing, unknown and wrong fields are refused by name", "[io]") {
  const std::string good = to_json(small_config);
  const auto with = [&](std::string_view from, std::string_view to) {
    return message_of([&] { config_from_json(replaced(good, from, to), "test"); });
  };
  CHECK(contains(with(R"("dim":3,)", ""), "config field 'dim' is missing"));
  CHECK(contains(with(R"("dim":3,)", R"("dim":3,"width":3,)"), "unknown config field 'width'"));
  CHECK(contains(with(R"("keys":true)", R"("keys":true,"values":true)"), "unknown config field 'position/values'"));
  // a name that only looks like a path is none
  for (const char* name : {"sharing/repeat", "sharing.repeat", "position", "/dim", "", "family "})
    CHECK(contains(with(R"("dim":3,)", R"("dim":3,")" + std::string(name) + R"(":{"x":1},)"),
                   name == std::string("position") ? "repeated key" : "unknown config field"));
  CHECK(contains(with(R"("dim":3,)", R"("dim":3,"x":[],)"), "unknown config field 'x'"));
  CHECK(contains(with(R"({"mix_heads":true,"repeat":2})", "{}"), "config field 'sharing.repeat' is missing"));
  CHECK(contains(with(R"({"mix_heads":true,"repeat":2})", "2"), "config field 'sharing.repeat' is missing"));
  CHECK(contains(with(R"("dim":3)", R"("dim":3,"dim":3)"), "repeated key 'dim'"));
  CHECK(contains(with(R"("dim":3)", R"("dim":0)"),
                 "config field 'dim' is wrong: expected a whole number from 1 to 65536, found 0"));
  for (const char* wrong :
       {"-1", "65537", "3.0", "3e0", "18446744073709551616", "18446744073709551615", "\"3\"", "null", "true", "[3]"}) {
    INFO(wrong);
    CHECK(contains(with(R"("dim":3)", std::string(R"("dim":)") + wrong), "'dim' is"));
  }
  CHECK(contains(with(R"("distilled":false)", R"("distilled":0)"), "expected true or false, found 0"));
  CHECK(contains(with(R"("mean")", R"("max")"), R"(expected "cls" or "mean", found "max")"));
  for (const char* text : {"", "[]", "3", "null", "{", "{} {}", "\xEF\xBB\xBF{}", "{\"a\":\"\xFF\"}", "[[[[[1]]]]]"}) {
    INFO(text);
    CHECK(message_of([&] { config_from_json(text, "test"); }) != "");
  }
}

TEST_CASE("config: text cut at any byte is refused", "[io]") {
  const std::string good = to_json(small_config);
  for (std::size_t size = 0; size < good.size(); ++size)
    if (message_of([&] { config_from_json(std::string_view(good).substr(0, size), "test"); }).empty())
      FAIL("accepted at " << size);
}

}  // namespace checkpoint_test
