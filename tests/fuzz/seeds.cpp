// SPDX-License-Identifier: MIT
// seeds FOLDER: inputs to begin with, which the fixtures lack, valid ones and such that are refused late: FOLDER/weights,
// FOLDER/model, FOLDER/settings and FOLDER/lists.
#include "../io/raw_torch.hpp"
#include "io_targets.hpp"

#include <minivit/models/init.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

namespace {

namespace fs = std::filesystem;
namespace mv = minivit;

template <class Model>
void save_model(const fs::path& folder, const std::string& name) {
  Model model;
  mv::initialise(model, 1);
  mv::save(model, (folder / "model" / name).string(),
           {.class_names = {"a", "b"}, .extra = {{"from", "seeds"}}, .model = name});
  io_test::put(folder / "settings" / (name + ".json"), mv::to_json(mv::AnyConfig(Model::config)));
}

/// What torch.save writes, in both containers: tensors of every type, in the order of memory and not. And the archive with
/// each byte changed in three ways: fuzzing hardly finds those changes that leave its many sums and sizes true.
void save_torch_files(const fs::path& folder) {
  using namespace torch_test;
  const std::string six = storage("0", 6);
  const std::string plain = tensor(six, 0, {2, 3}, {3, 1}), turned = tensor(six, 0, {3, 2}, {1, 3}),
                    part = tensor(six, 1, {2}, {2});
  const std::string small = torch_zip(dict({{"w", plain}}), {{"0", floats(6)}});
  const auto put = [&](const std::string& name, const std::string& object) {
    io_test::put(folder / ("torch_zip_" + name), torch_zip(object, {{"0", floats(6)}}));
    io_test::put(folder / ("torch_legacy_" + name), torch_legacy(object, {{"0", 6, floats(6)}}));
  };
  const auto rebuilt = [](string_view module, string_view what, Values arguments) {
    return dict({{"w", call(name(module, what), arguments)}});
  };
  const auto typed = [&](const char* type, std::uint64_t bytes, std::uint64_t elements) {
    return rebuilt("torch._utils", "_rebuild_tensor_v3",
                   {storage("0", bytes, "UntypedStorage"), integer(0), numbers({elements}), numbers({1}), "\x89", "N",
                    name("torch", type)});
  };
  for (const char* type : {"DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage", "ShortStorage",
                           "CharStorage", "ByteStorage", "BoolStorage", "ComplexFloatStorage"})
    put(type, dict({{"w", tensor(storage("0", 3, type), 0, {2}, {1})}}));
  put("views", dict({{"a", turned}, {"b", part}}));
  put("expanded", dict({{"w", tensor(six, 0, {7}, {0})}}));
  put("huge", dict({{"w", tensor(six, 0, {1ull << 62, 0}, {0, 0})}}));
  put("long_name", dict({{std::string(1001, 'n'), plain}}));
  put("view_of_storage", dict({{"w", tensor(tuple({text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"),
                                                   integer(6), tuple({text("1"), integer(0), integer(6)})}) +
                                                "Q",
                                            0, {6}, {1})}}));
  put("parameter", rebuilt("torch._utils", "_rebuild_parameter", {plain, "\x88", "N"}));
  put("subclass", rebuilt("torch._tensor", "_rebuild_from_type_v2",
                          {name("torch._utils", "_rebuild_tensor_v2"), name("my", "Tensor"),
                           tuple({six, integer(0), numbers({6}), numbers({1}), "\x89", "N"}), "N"}));
  put("size", rebuilt("torch._utils", "_rebuild_tensor_v2",
                      {six, integer(0), call(name("torch", "Size"), {numbers({6})}), numbers({1}), "\x89", "N"}));
  put("negated", rebuilt("torch._utils", "_rebuild_tensor_v2",
                         {six, integer(0), numbers({6}), numbers({1}), "\x89", "N", dict({{"neg", "\x88"}})}));
  put("untyped", typed("float32", 24, 6));
  put("untyped_part", typed("float32", 23, 5));
  put("entries", dict({{"model", dict({{"module.w", plain}})}, {"model_ema", dict({{"w", turned}})}}));
  const std::string pickled = begin + dict({{"w", plain}}) + ".";
  io_test::put(folder / "zip_narrow", zip({{"a/data.pkl", pickled}, {"a/data/0", floats(6)}, {"a/version", "3"}}));
  io_test::put(folder / "zip_of_numpy", zip({{"arr_0.npy", "..."}}));
  io_test::put(folder / "zip_of_two", zip({{"a/data.pkl", "."}, {"b/data.pkl", "."}}));
  io_test::put(folder / "zip_of_script", zip({{"a/data.pkl", pickled}, {"a/constants.pkl", "."}}));
  io_test::put(folder / "zip_other_size", zip({{"a/data.pkl", pickled}, {"a/data/0", floats(5)}}));
  for (const char* order : {"little", "big"})
    io_test::put(folder / (std::string("zip_") + order),
                 torch_zip(dict({{"w", plain}}), {{"0", floats(6)}}, {{"byteorder", order}}));
  for (std::size_t at = 0; at < small.size(); ++at)
    for (const unsigned change : {0x01u, 0x08u, 0xffu}) {
      std::string changed = small;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ change);
      io_test::put(folder / ("torch_zip_" + std::to_string(at) + "_" + std::to_string(change)), changed);
    }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: seeds FOLDER\n"), 2;
  const fs::path folder = argv[1];
  for (const char* target : {"weights", "model", "settings", "lists"}) fs::create_directories(folder / target);
  save_model<fuzz::ViT>(folder, "vit");
  save_model<fuzz::Swin>(folder, "swin");
  for (const char* name : {"vit", "swin"})
    fs::copy_file(folder / "model" / name, folder / "weights" / name, fs::copy_options::overwrite_existing);
  io_test::put(folder / "settings" / "preprocessing.json", mv::to_json(mv::Preprocessing{}));
  io_test::put(folder / "lists" / "train_and_test.csv",
               "path,label,split\na.png,cat,train\n\"b,c.png\",dog,test\nd.png,cat,val\n");
  io_test::put(folder / "lists" / "numbers.csv", "label,other,path\n0,x,a.png\n2,,b.png\n");
  io_test::put(folder / "lists" / "large_number.csv", "path,label\na.png,999999\n");
  int refused = 0;
  for (const char* list :
       {"path,path,label\n", "path,split\n", "path,label\n,cat\n", "path,label\na.png,\n", "path,label\n",
        "path,label,split\na.png,cat,all\n", "path,label,split\na.png,cat,test\n", "path,label\na.png,01\n"})
    io_test::put(folder / "lists" / ("list_" + std::to_string(refused++)), list);

  const fs::path weights = folder / "weights";
  save_torch_files(weights);
  io_test::put(weights / "one", io_test::raw(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24));
  std::string all = "{";
  std::size_t at = 0;
  for (const auto& [name, bytes] : {std::pair<const char*, std::size_t>{"F64", 8},
                                    {"I64", 8},
                                    {"U64", 8},
                                    {"F32", 4},
                                    {"I32", 4},
                                    {"U32", 4},
                                    {"F16", 2},
                                    {"BF16", 2},
                                    {"I16", 2},
                                    {"U16", 2},
                                    {"I8", 1},
                                    {"U8", 1},
                                    {"BOOL", 1},
                                    {"F8_E4M3", 1},
                                    {"F8_E5M2", 1}}) {
    all += std::string(at > 0 ? "," : "") + "\"" + name + "\":{\"shape\":[1],\"dtype\":\"" + name + "\",\"data_offsets\":[" +
           std::to_string(at) + "," + std::to_string(at + bytes) + "]}";
    at += bytes;
  }
  io_test::put(weights / "types", io_test::raw(all + "}", at));
  io_test::put(
      weights / "scalar_and_empty",
      io_test::raw(
          R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F16","shape":[3,0],"data_offsets":[4,4]}}   )",
          4));
  int number = 0;
  for (const char* header :
       {"{}", "null", "[]", R"({"a":null})", R"({"a":{"dtype":null}})", R"({"a":{"shape":[null]}})",
        R"({"__metadata__":null})", R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}})",
        R"({"__metadata__":{"minivit.classes":"[1]"}})", R"({"__metadata__":{"minivit.classes":"null"}})",
        R"({"__metadata__":{"minivit.preprocessing":"[null]"}})",
        R"({"__metadata__":{"minivit.config":"{\"kind\":[{\"x\":1}]}"}})"})
    io_test::put(weights / ("header_" + std::to_string(number++)), io_test::raw(header, 0));
  io_test::put(
      weights / "metadata",
      io_test::raw(
          R"({"__metadata__":{"minivit.classes":"[\"a\",\"b\\u00e9\"]","minivit.model":"m","minivit.preprocessing":"{}","x":"y"},"model.a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          4));
}
