// SPDX-License-Identifier: MIT
// Folders of pictures (torchvision's ImageFolder): ROOT/train/CLASS/... and ROOT/test/CLASS/... (or ROOT/val), with any
// folders below. Class folders in byte order give the labels, folders and files in byte order the order. Hidden files are
// passed by.
#pragma once

#include <minivit/data/pictures.hpp>

#include <range/v3/view/enumerate.hpp>

#include <set>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// Names inside a folder, in byte order, without hidden ones.
inline std::vector<std::string> names_in(const std::filesystem::path& folder, bool folders) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    const std::string name = it->path().filename().string();
    if (name.empty() || name[0] == '.') continue;
    if (it->is_directory(ignored) == folders) names.push_back(name);
  }
  if (error) fail_with("open " + folder.string(), error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// Torchvision's extensions in any case. Some name kinds that are not read: such files are broken, not passed by in silence.
inline bool has_image_extension(std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (const std::string_view end : {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
    if (name.size() > end.size() && std::equal(end.begin(), end.end(), name.end() - static_cast<Index>(end.size()),
                                               [&](char a, char b) { return a == lower(b); }))
      return true;
  return false;
}

/// Adds the pictures in `folder`, then those below it, as (folder relative to the first, name). Links to folders are
/// followed, and a folder that was seen is not read again, so a link to a folder above does no harm.
inline void pictures_below(const std::filesystem::path& folder, const std::string& relative,
                           std::set<std::filesystem::path>& seen, std::vector<std::pair<std::string, std::string>>& out) {
  std::error_code error;
  auto real = std::filesystem::canonical(folder, error);
  if (error) fail_with("open " + folder.string(), error.message());
  if (!seen.insert(std::move(real)).second) return;
  for (auto& name : names_in(folder, false))
    if (has_image_extension(name)) out.emplace_back(relative, std::move(name));
  for (const auto& name : names_in(folder, true))
    pictures_below(folder / name, relative.empty() ? name : relative + "/" + name, seen, out);
}

inline std::filesystem::path split_folder(const std::filesystem::path& root, Split split) {
  if (split == Split::train) return root / "train";
  return !std::filesystem::is_directory(root / "test") && std::filesystem::is_directory(root / "val") ? root / "val"
                                                                                                      : root / "test";
}
}  // namespace detail

/// The pictures below each class folder of `folder`. Throws Error when there is a class that `classes` does not have.
inline PictureList folder_list(const std::filesystem::path& folder, std::vector<std::string> classes) {
  for (const auto& name : detail::names_in(folder, true))
    if (!std::binary_search(classes.begin(), classes.end(), name))
      detail::fail_with("open " + (folder / name).string(), "a class that train does not have");
  PictureList list;
  for (const auto& [label, name] : ranges::views::enumerate(classes)) {
    if (!std::filesystem::is_directory(folder / name)) continue;
    std::set<std::filesystem::path> seen;
    std::vector<std::pair<std::string, std::string>> found;
    detail::pictures_below(folder / name, "", seen, found);
    std::sort(found.begin(), found.end());  // as torchvision, which sorts whole paths of folders
    for (const auto& [below, file] : found) {
      list.files.push_back(folder / name / below / file);
      list.labels.push_back(static_cast<std::int32_t>(label));
    }
  }
  list.class_names = std::move(classes);
  return list;
}

/// One folder of class folders. Throws Error that names the first bad file or folder; see OpenOptions.
inline Dataset load_image_folder(const std::filesystem::path& folder, int side, const OpenOptions& options = {},
                                 std::vector<std::string> classes = {}) {
  if (classes.empty()) classes = detail::names_in(folder, true);
  auto list = folder_list(folder, std::move(classes));
  if (list.files.empty())
    detail::fail_with("open " + folder.string(), "no pictures found", "<class>/*.jpg, .jpeg, .png or .bmp",
                      std::to_string(list.class_names.size()) + " class folders");
  return load_pictures(std::move(list), side, options, folder.string());
}

/// One split of a folder of pictures. Labels of both splits follow the class folders of train.
inline Dataset load_folder(const std::filesystem::path& root, Split split, int side, const OpenOptions& options = {}) {
  const auto folder = detail::split_folder(root, split);
  const bool has_train = std::filesystem::is_directory(root / "train");
  return load_image_folder(folder, side, options, detail::names_in(has_train ? root / "train" : folder, true));
}

}  // namespace minivit::inline MINIVIT_ISA
