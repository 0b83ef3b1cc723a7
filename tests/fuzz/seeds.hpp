// SPDX-License-Identifier: MIT
// Who writes which inputs to begin with. FOLDER has a folder for each target; seeds.cpp calls them all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace seeds {

using Folder = std::filesystem::path;
using Named = std::pair<std::string_view, std::string_view>;  // a seed's name, and its text

void write_torch_files(const Folder& folder);   // FOLDER/weights: what torch.save writes
void write_odd_tensors(const Folder& folder);   // FOLDER/weights: tensors that it never writes
void write_odd_entries(const Folder& folder);   // FOLDER/weights: dictionaries that it never writes
void write_zip_archives(const Folder& folder);  // FOLDER/weights: archives by themselves
void write_safetensors(const Folder& folder);   // FOLDER/weights
void write_settings(const Folder& folder);      // FOLDER/settings
void write_pickles(const Folder& folder);       // FOLDER/pickle
void write_pictures(const Folder& folder);      // FOLDER/image
void write_lists(const Folder& folder);         // FOLDER/lists

}  // namespace seeds
