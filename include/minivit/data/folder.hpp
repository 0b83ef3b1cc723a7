// SPDX-License-Identifier: MIT
// Folders of pictures: ROOT/train/<class>/*.jpg and ROOT/test/<class>/*.jpg (or ROOT/val). Class folders in byte order
// give the labels; files in byte order give the order. Decodes on all threads; the result does not depend on them.
#pragma once

#include <minivit/data/dataset.hpp>
#include <minivit/data/order.hpp>

#include <range/v3/view/enumerate.hpp>

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

/// .jpg .jpeg .png .bmp in any case.
inline bool has_image_extension(std::string_view name) {
  const auto ends = [&](std::string_view end) {
    if (name.size() <= end.size()) return false;
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(end.begin(), end.end(), name.end() - static_cast<Index>(end.size()),
                      [&](char a, char b) { return a == lower(b); });
  };
  return ends(".jpg") || ends(".jpeg") || ends(".png") || ends(".bmp");
}

inline std::filesystem::path split_folder(const std::filesystem::path& root, Split split) {
  if (split == Split::train) return root / "train";
  return !std::filesystem::is_directory(root / "test") && std::filesystem::is_directory(root / "val") ? root / "val"
                                                                                                      : root / "test";
}
}  // namespace detail

/// One split of a folder of pictures, each `side` x `side`: pictures of another size are resized (shorter side, bicubic)
/// and cropped in the middle. `limit` > 0 keeps that many, chosen by `seed`. Labels of both splits follow the class
/// folders of train. Throws Error that names the first bad file or folder.
inline Dataset load_folder(const std::filesystem::path& root, Split split, int side, Index limit = 0, std::uint64_t seed = 0,
                           const Threads& threads = Threads{}) {
  const auto folder = detail::split_folder(root, split);
  const bool has_train = std::filesystem::is_directory(root / "train");
  const auto classes = detail::names_in(has_train ? root / "train" : folder, true);
  for (const auto& name : detail::names_in(folder, true))
    if (!std::binary_search(classes.begin(), classes.end(), name))
      detail::fail_with("open " + (folder / name).string(), "a class that train does not have");

  std::vector<std::pair<std::filesystem::path, std::int32_t>> files;
  for (const auto& [label, name] : ranges::views::enumerate(classes)) {
    if (!std::filesystem::is_directory(folder / name)) continue;
    for (const auto& file : detail::names_in(folder / name, false))
      if (detail::has_image_extension(file)) files.emplace_back(folder / name / file, static_cast<std::int32_t>(label));
  }
  if (files.empty())
    detail::fail_with("open " + folder.string(), "no pictures found", "<class>/*.jpg, .jpeg, .png or .bmp",
                      std::to_string(classes.size()) + " class folders");

  const auto chosen = sample_of(static_cast<Index>(files.size()), limit, Random(seed).fork("subset"));
  Dataset data(static_cast<Index>(chosen.size()), side, classes);
  detail::for_each_checked(threads, data.size(), 64, [&](Index i) {
    const auto& [path, label] = files[static_cast<std::size_t>(chosen[static_cast<std::size_t>(i)])];
    Image image = read_image(path);
    if (image.width != side || image.height != side) image = centre_crop(resize_shorter(image, side), side);
    to_planes(image, data.image(i));
    data.labels[static_cast<std::size_t>(i)] = label;
  });
  return data;
}

}  // namespace minivit::inline MINIVIT_ISA
