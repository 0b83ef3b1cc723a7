// SPDX-License-Identifier: MIT
// seeds FOLDER: inputs to begin with, which the fixtures lack, valid ones and such that are refused late: FOLDER/TARGET for
// each target. Here: the small models that targets load.
#include "seeds.hpp"
#include "../io/raw_file.hpp"
#include "io_targets.hpp"

#include <minivit/models/init.hpp>

#include <cstdio>
#include <string>

namespace {

template <class Model>
void save_model(const seeds::Folder& folder, const std::string& name) {
  Model model;
  minivit::initialise(model, 1);
  minivit::save(model, (folder / "model" / name).string(),
                {.class_names = {"a", "b"}, .extra = {{"from", "seeds"}}, .model = name});
  std::filesystem::copy_file(folder / "model" / name, folder / "weights" / name,
                             std::filesystem::copy_options::overwrite_existing);
  io_test::put(folder / "settings" / (name + ".json"), minivit::to_json(minivit::AnyConfig(Model::config)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: seeds FOLDER\n"), 2;
  const seeds::Folder folder = argv[1];
  for (const char* target : {"weights", "model", "pickle", "settings", "image", "lists"})
    std::filesystem::create_directories(folder / target);
  save_model<fuzz::ViT>(folder, "vit");
  save_model<fuzz::Swin>(folder, "swin");
  io_test::put(folder / "settings" / "preprocessing.json", minivit::to_json(minivit::Preprocessing{}));
  seeds::write_torch_files(folder);
  seeds::write_odd_tensors(folder);
  seeds::write_odd_entries(folder);
  seeds::write_zip_archives(folder);
  seeds::write_safetensors(folder);
  seeds::write_settings(folder);
  seeds::write_pickles(folder);
  seeds::write_pictures(folder);
  seeds::write_lists(folder);
}
