// SPDX-License-Identifier: MIT
// Files of every kind are told apart by their content. Fixtures of this project's names are written under the names of other
// projects and must come back as they were.
#include "../fixtures.hpp"
#include "raw_torch.hpp"

#include <minivit/io/open_weights.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace open_weights_test {

using namespace minivit;
using namespace io_test;

namespace {

StateDict fixture_file(const std::string& name) { return SafeTensors::open(fixtures::path(name + ".weights.safetensors")); }

/// Patterns and what they become, as in KeyRule. A name that several fit is written under each: split queries, keys, values.
using Names = std::vector<std::pair<std::string, std::string>>;

/// `file` under other names; "QKV/0" in front of a name means: the first third of the rows.
void write_as(const std::string& path, const StateDict& file, const Names& names, const std::string& prefix = {}) {
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& t : file.tensors()) {
    bool known = false;
    for (const auto& [from, to] : names) {
      const auto renamed = detail::renamed_key({from, to}, t.name);
      if (!renamed) continue;
      known = true;
      const std::string& name = *renamed;
      TensorToWrite out{name, t.dtype, t.shape, file.bytes(t).data()};
      if (name.starts_with("QKV/")) {
        out.name = name.substr(std::string_view("QKV/0 ").size());
        out.shape[0] /= 3;
        out.data = file.bytes(t).data() + (name[4] - '0') * t.bytes / 3;
      }
      if (out.name.empty()) continue;  // not in files of that kind
      out.name = prefix + out.name;
      tensors.push_back(out);
    }
    if (!known) tensors.push_back({prefix + t.name, t.dtype, t.shape, file.bytes(t).data()});
  }
  write_safetensors(path, tensors);
}

/// Names, shapes and bytes of all tensors but those whose name has one of `without` at its end.
std::map<std::string, std::pair<std::vector<Index>, std::string>> content(const StateDict& file,
                                                                          const std::vector<const char*>& without = {}) {
  std::map<std::string, std::pair<std::vector<Index>, std::string>> out;
  for (const TensorInfo& t : file.tensors()) {
    if (std::ranges::any_of(without, [&](const char* end) { return t.name.ends_with(end); })) continue;
    const auto bytes = file.packed(t);
    out[t.name] = {t.shape,
                   std::string(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(bytes.size()))};
  }
  return out;
}

void comes_back(const std::string& fixture, const Names& names, const char* naming, const std::string& prefix = {},
                const std::vector<const char*>& without = {}) {
  INFO(naming << " " << prefix);
  const Folder folder;
  const StateDict ours = fixture_file(fixture);
  write_as(folder / "a", ours, names, prefix);
  const StateDict read = open_weights(folder / "a");
  CHECK(read.origin().naming == naming);
  CHECK(read.origin().prefix == prefix);
  CHECK(content(read) == content(ours, without));
  int compared = 0;
  for (const TensorInfo& t : read.tensors()) {  // and as numbers: parts behind each other
    if (!t.name.ends_with(".qkv.weight")) continue;
    const auto a = read.read<double>(t.name), b = ours.read<double>(t.name);
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    ++compared;
  }
  CHECK(compared > 0);
}

Names with_ends(Names names) {
  names.push_back({"head.*", "classifier.*"});
  return names;
}
Names vit_stem(const std::string& p) {
  return {{"cls_token", p + "embeddings.cls_token"},
          {"pos_embed", p + "embeddings.position_embeddings"},
          {"patch_embed.proj.*", p + "embeddings.patch_embeddings.projection.*"},
          {"norm.*", p + "layernorm.*"}};
}
template <class... More>
Names joined_names(Names first, const More&... more) {
  (first.insert(first.end(), more.begin(), more.end()), ...);
  return first;
}

const Names vit_layers_4{{"blocks.#.norm1.*", "vit.encoder.layer.#.layernorm_before.*"},
                         {"blocks.#.norm2.*", "vit.encoder.layer.#.layernorm_after.*"},
                         {"blocks.#.attn.qkv.*", "QKV/0 vit.encoder.layer.#.attention.attention.query.*"},
                         {"blocks.#.attn.qkv.*", "QKV/1 vit.encoder.layer.#.attention.attention.key.*"},
                         {"blocks.#.attn.qkv.*", "QKV/2 vit.encoder.layer.#.attention.attention.value.*"},
                         {"blocks.#.attn.proj.*", "vit.encoder.layer.#.attention.output.dense.*"},
                         {"blocks.#.mlp.fc1.*", "vit.encoder.layer.#.intermediate.dense.*"},
                         {"blocks.#.mlp.fc2.*", "vit.encoder.layer.#.output.dense.*"}};
const Names vit_layers_5{{"blocks.#.norm1.*", "deit.layers.#.layernorm_before.*"},
                         {"blocks.#.norm2.*", "deit.layers.#.layernorm_after.*"},
                         {"blocks.#.attn.qkv.*", "QKV/0 deit.layers.#.attention.q_proj.*"},
                         {"blocks.#.attn.qkv.*", "QKV/1 deit.layers.#.attention.k_proj.*"},
                         {"blocks.#.attn.qkv.*", "QKV/2 deit.layers.#.attention.v_proj.*"},
                         {"blocks.#.attn.proj.*", "deit.layers.#.attention.o_proj.*"},
                         {"blocks.#.mlp.*", "deit.layers.#.mlp.*"}};
const Names torchvision_vit_names{{"cls_token", "class_token"},
                                  {"pos_embed", "encoder.pos_embedding"},
                                  {"patch_embed.proj.*", "conv_proj.*"},
                                  {"blocks.#.norm1.*", "encoder.layers.encoder_layer_#.ln_1.*"},
                                  {"blocks.#.norm2.*", "encoder.layers.encoder_layer_#.ln_2.*"},
                                  {"blocks.#.attn.qkv.*", "encoder.layers.encoder_layer_#.self_attention.in_proj_*"},
                                  {"blocks.#.attn.proj.*", "encoder.layers.encoder_layer_#.self_attention.out_proj.*"},
                                  {"blocks.#.mlp.fc1.*", "encoder.layers.encoder_layer_#.mlp.linear_1.*"},
                                  {"blocks.#.mlp.fc2.*", "encoder.layers.encoder_layer_#.mlp.linear_2.*"},
                                  {"norm.*", "encoder.ln.*"},
                                  {"head.*", "heads.head.*"}};
const Names swin_names{{"patch_embed.proj.*", "swin.embeddings.patch_embeddings.projection.*"},
                       {"patch_embed.norm.*", "swin.embeddings.norm.*"},
                       {"layers.#.blocks.#.norm1.*", "swin.encoder.layers.#.blocks.#.layernorm_before.*"},
                       {"layers.#.blocks.#.norm2.*", "swin.encoder.layers.#.blocks.#.layernorm_after.*"},
                       {"layers.#.blocks.#.attn.qkv.*", "QKV/0 swin.encoder.layers.#.blocks.#.attention.self.query.*"},
                       {"layers.#.blocks.#.attn.qkv.*", "QKV/1 swin.encoder.layers.#.blocks.#.attention.self.key.*"},
                       {"layers.#.blocks.#.attn.qkv.*", "QKV/2 swin.encoder.layers.#.blocks.#.attention.self.value.*"},
                       {"layers.#.blocks.#.attn.relative_position_bias_table",
                        "swin.encoder.layers.#.blocks.#.attention.self.relative_position_bias_table"},
                       {"layers.#.blocks.#.attn.relative_position_index",
                        "swin.encoder.layers.#.blocks.#.attention.self.relative_position_index"},
                       {"layers.#.blocks.#.attn.proj.*", "swin.encoder.layers.#.blocks.#.attention.output.dense.*"},
                       {"layers.#.blocks.#.mlp.fc1.*", "swin.encoder.layers.#.blocks.#.intermediate.dense.*"},
                       {"layers.#.blocks.#.mlp.fc2.*", "swin.encoder.layers.#.blocks.#.output.dense.*"},
                       {"layers.#.blocks.#.attn_mask", ""},
                       {"layers.#.downsample.*", "swin.encoder.layers.#.downsample.*"},
                       {"norm.*", "swin.layernorm.*"}};

}  // namespace

TEST_CASE("open weights: the content says what it is, not the name", "[io]") {
  const Folder folder;
  const std::string w23 = torch_test::dict({{"w", torch_test::tensor(torch_test::storage("0", 6), 0, {2, 3}, {3, 1})}}),
                    six = torch_test::floats(6);
  const auto parsed = [](const std::string& bytes) { return parse_weights(torch_test::bytes_of(bytes), "x.pth"); };
  const std::vector<float> numbers{1, 2};
  write_safetensors(folder / "a.pth", {{"w", DType::F32, {2}, numbers.data()}});
  put(folder / "b.safetensors", torch_test::torch_zip(w23, {{"0", six}}));
  put(folder / "c", torch_test::torch_legacy(w23, {{"0", 6, six}}));
  CHECK(open_weights(folder / "a.pth").origin().container == "safetensors");
  CHECK(open_weights(folder / "b.safetensors").origin().container == "PyTorch zip");
  CHECK(open_weights(folder / "c").origin().container == "PyTorch legacy");
  for (const char* const name : {"b.safetensors", "c"}) CHECK(open_weights(folder / name).read<float>("w").data()[5] == 5);
  // Headers of safetensors whose length looks like the beginning of the other two.
  for (const std::uint64_t length : {0x0280ull, 0x958a80ull, 0x04034b50ull}) {
    std::string header = R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})";
    header.resize(length, ' ');
    CHECK(parsed(raw(header, 0)).origin().container == "safetensors");
  }
  for (const std::string& bytes : {std::string(), std::string("PK\x03\x04"), std::string("\x80\x02"), std::string(100, '\0'),
                                   std::string(100, '\x80'), std::string("GGUF and more")})
    torch_test::says(message_of([&] { parsed(bytes); }), "x.pth");
  torch_test::says(message_of([&] { open_weights(folder / "a.pth", {.entry = "model"}); }),
                   "a safetensors file, which has none");
  torch_test::says(message_of([&] { open_weights(folder / "nothing.pth"); }), "nothing.pth: cannot open the file");
  torch_test::says(message_of([&] { open_weights(folder / "b.safetensors", {.file_bytes = 100}); }),
                   "the file is too large");
}

TEST_CASE("key names: a ViT under the names of Hugging Face, of old and new transformers, comes back as it was", "[io]") {
  const Names four = with_ends(joined_names(vit_stem("vit."), vit_layers_4)),
              five = with_ends(joined_names(vit_stem("deit."), vit_layers_5));
  comes_back("deit_a", four, "Hugging Face ViT");
  comes_back("deit_a", five, "Hugging Face ViT");
  comes_back("deit_a", four, "Hugging Face ViT", "module.");
}

TEST_CASE("key names: a ViT under torchvision's names comes back as it was", "[io]") {
  comes_back("deit_a", torchvision_vit_names, "torchvision ViT");
  Names models = torchvision_vit_names;  // the names inside of the library's models
  for (auto& [from, to] : models) {
    if (from == "blocks.#.mlp.fc1.*") to = "encoder.layers.encoder_layer_#.mlp.0.*";
    if (from == "blocks.#.mlp.fc2.*") to = "encoder.layers.encoder_layer_#.mlp.3.*";
  }
  comes_back("deit_a", models, "torchvision ViT");
}

TEST_CASE("key names: a Swin under the names of Hugging Face, new timm and torchvision comes back as it was", "[io]") {
  comes_back("swin_a", with_ends(swin_names), "Hugging Face Swin", "", {"attn_mask"});
  const Names merging_in_front{{"layers.0.downsample.*", "layers.1.downsample.*"},
                               {"layers.1.downsample.*", "layers.2.downsample.*"}};
  comes_back("swin_a", joined_names(merging_in_front, Names{{"head.*", "head.fc.*"}}), "timm Swin");
  comes_back("swin_a", merging_in_front, "timm Swin");                // without a head it is known by its mergings
  comes_back("swin_a", Names{{"head.*", "head.fc.*"}}, "timm Swin");  // and the other way round
  const Names torchvision{{"patch_embed.proj.*", "features.0.0.*"},
                          {"patch_embed.norm.*", "features.0.2.*"},
                          {"layers.0.downsample.*", "features.2.*"},
                          {"layers.1.downsample.*", "features.4.*"},
                          {"layers.0.blocks.#.norm1.*", "features.1.#.norm1.*"},
                          {"layers.0.blocks.#.norm2.*", "features.1.#.norm2.*"},
                          {"layers.0.blocks.#.attn.*", "features.1.#.attn.*"},
                          {"layers.1.blocks.#.norm1.*", "features.3.#.norm1.*"},
                          {"layers.1.blocks.#.norm2.*", "features.3.#.norm2.*"},
                          {"layers.1.blocks.#.attn.*", "features.3.#.attn.*"},
                          {"layers.2.blocks.#.norm1.*", "features.5.#.norm1.*"},
                          {"layers.2.blocks.#.norm2.*", "features.5.#.norm2.*"},
                          {"layers.2.blocks.#.attn.*", "features.5.#.attn.*"},
                          {"layers.0.blocks.#.mlp.fc1.*", "features.1.#.mlp.0.*"},
                          {"layers.1.blocks.#.mlp.fc1.*", "features.3.#.mlp.0.*"},
                          {"layers.2.blocks.#.mlp.fc1.*", "features.5.#.mlp.0.*"},
                          {"layers.0.blocks.#.mlp.fc2.*", "features.1.#.mlp.3.*"},
                          {"layers.1.blocks.#.mlp.fc2.*", "features.3.#.mlp.3.*"},
                          {"layers.2.blocks.#.mlp.fc2.*", "features.5.#.mlp.3.*"},
                          {"layers.#.blocks.#.attn_mask", ""}};
  comes_back("swin_a", torchvision, "torchvision Swin", "", {"attn_mask", "relative_position_index"});
}

TEST_CASE("key names: our own names stay, under every usual prefix", "[io]") {
  for (const char* const prefix :
       {"", "module.", "model.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.", "model.module."}) {
    for (const char* const fixture : {"deit_a", "mini_deit_a", "mini_deit_odd", "swin_a", "mini_swin_a", "mini_swin_odd"})
      comes_back(fixture, {}, "", prefix);
  }
}

TEST_CASE("key names: a prefix goes only when every name has it, or when it is asked for", "[io]") {
  const Folder folder;
  const float x = 1;
  const auto names_in = [&](const std::vector<const char*>& names, const ReadOptions& options = {}) {
    std::vector<TensorToWrite> tensors;
    for (const char* name : names) tensors.push_back({name, DType::F32, {1}, &x});
    write_safetensors(folder / "a", tensors);
    const StateDict file = open_weights(folder / "a", options);
    std::string all;
    for (const TensorInfo& t : file.tensors()) all += (all.empty() ? "" : " ") + t.name;
    return all;
  };
  CHECK(names_in({"module.a", "module.b"}) == "a b");
  CHECK(names_in({"module.a", "b"}) == "b module.a");
  CHECK(names_in({"module.", "module.b"}) == "module. module.b");  // nothing would be left of the first
  CHECK(names_in({"a.x", "b.x"}, {.prefix = "b."}) == "x");
  CHECK(contains(message_of([&] { names_in({"a.x"}, {.prefix = "c."}); }),
                 "no name begins with 'c.': found for example 'a.x'"));
  write_safetensors(folder / "own", {{"module.a", DType::F32, {1}, &x}}, {{"minivit.config", "{}"}});
  CHECK(open_weights(folder / "own").find("module.a") != nullptr);  // a file of ours is taken as it is
}

TEST_CASE("key names: what does not go together stays as it is and is seen, what no classifier needs goes", "[io]") {
  const Folder folder;
  const std::vector<float> numbers(64);
  const auto read = [&](std::vector<TensorToWrite> tensors) {
    for (const char* name : {"embeddings.patch_embeddings.projection.weight", "embeddings.position_embeddings"})
      tensors.push_back({name, DType::F32, {1}, numbers.data()});
    write_safetensors(folder / "a", tensors);
    return open_weights(folder / "a");
  };
  const std::string at = "encoder.layer.0.attention.attention.";
  const auto part = [&](const char* what, std::vector<Index> shape, DType dtype = DType::F32) {
    return TensorToWrite{at + what + ".weight", dtype, std::move(shape), numbers.data()};
  };
  const auto is_joined = [](const StateDict& file) { return file.find("blocks.0.attn.qkv.weight") != nullptr; };
  CHECK(is_joined(read({part("query", {2, 3}), part("key", {2, 3}), part("value", {2, 3})})));
  CHECK(read({part("query", {2, 3}), part("key", {2, 3}), part("value", {2, 3})}).at("blocks.0.attn.qkv.weight").shape ==
        std::vector<Index>{6, 3});
  const StateDict two = read({part("query", {2, 3}), part("key", {2, 3})});
  CHECK((!is_joined(two) && two.find(at + "query.weight") && two.find(at + "key.weight")));
  CHECK(!is_joined(read({part("query", {2, 3}), part("key", {2, 3}), part("value", {3, 2})})));
  CHECK(!is_joined(read({part("query", {2, 3}), part("key", {2, 3}), part("value", {2, 3}, DType::F64)})));
  CHECK(!is_joined(read({part("query", {}), part("key", {}), part("value", {})})));
  const TensorToWrite pooler{"pooler.dense.weight", DType::F32, {2}, numbers.data()},
      unknown{"encoder.layer.0.lora.weight", DType::F32, {2}, numbers.data()};
  const StateDict others = read({pooler, unknown});
  CHECK((others.tensors().size() == 3 && others.find(unknown.name)));
  const TensorToWrite head{"classifier.weight", DType::F32, {2}, numbers.data()},
      token_head{"cls_classifier.weight", DType::F32, {2}, numbers.data()};
  CHECK(contains(message_of([&] { read({head, token_head}); }), "tensor 'head.weight': repeated name"));
}

TEST_CASE("key names: patterns take whole names only, and numbers as they are written", "[io]") {
  const auto renamed = [](std::string_view from, std::string_view to, std::string_view name, int less = 0, int over = 1) {
    return detail::renamed_key({from, to, -1, less, over}, name).value_or("-");
  };
  CHECK(renamed("a.#.b.*", "x.#.y.*", "a.12.b.weight") == "x.12.y.weight");
  CHECK(renamed("a.#.#.b", "x.#.#", "a.1.23.b") == "x.1.23");
  CHECK(renamed("a.#", "x.#", "a.7", 1, 2) == "x.3");
  CHECK(renamed("a.#", "x.#", "a.6", 1, 2) == "-");
  CHECK(renamed("a.#", "x.#", "a.0", 1, 2) == "-");
  for (const char* const name :
       {"a.", "a", "", "a.b", "a.-1", "a.+1", "a.01", "a. 1", "a.1.", "b.1", "xa.1", "a.1234567", "a.99999999999999999999"})
    CHECK(renamed("a.#", "x.#", name) == "-");
  CHECK(renamed("a.*", "x.*", "a.") == "-");
  CHECK(renamed("a.*", "x.*", "a.b.c") == "x.b.c");
}

}  // namespace open_weights_test
