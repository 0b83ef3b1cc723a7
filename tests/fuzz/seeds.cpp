// SPDX-License-Identifier: MIT
// seeds FOLDER: valid inputs to begin with, which the fixtures lack: FOLDER/weights, FOLDER/model and FOLDER/settings.
#include "../io/raw_file.hpp"
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

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: seeds FOLDER\n"), 2;
  const fs::path folder = argv[1];
  for (const char* target : {"weights", "model", "settings"}) fs::create_directories(folder / target);
  save_model<fuzz::ViT>(folder, "vit");
  save_model<fuzz::Swin>(folder, "swin");
  for (const char* name : {"vit", "swin"})
    fs::copy_file(folder / "model" / name, folder / "weights" / name, fs::copy_options::overwrite_existing);
  io_test::put(folder / "settings" / "preprocessing.json", mv::to_json(mv::Preprocessing{}));

  const fs::path weights = folder / "weights";
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
  io_test::put(weights / "nothing", io_test::raw("{}", 0));
  io_test::put(
      weights / "metadata",
      io_test::raw(
          R"({"__metadata__":{"minivit.classes":"[\"a\",\"b\\u00e9\"]","minivit.model":"m","minivit.preprocessing":"{}","x":"y"},"model.a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          4));
}
