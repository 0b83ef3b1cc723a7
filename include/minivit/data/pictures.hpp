// SPDX-License-Identifier: MIT
// Reads pictures that were found in folders or named in lists, on all threads, into a Dataset of one size. The result
// depends on the files and options alone. Broken files stop the reading or are left out and named, by choice.
#pragma once

#include <minivit/data/dataset.hpp>
#include <minivit/data/order.hpp>

#include <map>

namespace minivit::inline MINIVIT_ISA {

/// Pictures that are not read yet, and their classes.
struct PictureList {
  std::vector<std::string> class_names;      ///< (K)
  std::vector<std::filesystem::path> files;  ///< (N)
  std::vector<std::int32_t> labels;          ///< (N) in [0, K)
};

/// Numbers the labels by `names`, the classes of a model, so that label k means what the model means by it. By name when
/// each class of the list is one of them; by order when none is and there are as many (words for WordNet's numbers). Throws
/// Error otherwise.
inline void follow_classes(PictureList& list, const std::vector<std::string>& names, const std::string& where) {
  if (names.empty() || list.class_names == names) return;
  std::map<std::string_view, std::int32_t> number;
  for (std::size_t k = 0; k < names.size(); ++k) number.emplace(names[k], static_cast<std::int32_t>(k));
  const bool unique = number.size() == names.size();  // ImageNet has two cranes
  std::vector<std::int32_t> renumbered;
  std::string stranger;
  for (const auto& name : list.class_names) {
    const auto at = number.find(name);
    if (at != number.end()) renumbered.push_back(at->second);
    else if (stranger.empty()) stranger = name;
  }
  if (unique && renumbered.size() == list.class_names.size()) {
    for (auto& label : list.labels) label = renumbered[static_cast<std::size_t>(label)];
  } else if (list.class_names.size() != names.size() || (unique && !renumbered.empty())) {
    detail::fail_with(
        "open " + where, "the classes are not those of the model",
        std::to_string(names.size()) + " classes such as '" + names.front() + "'",
        std::to_string(list.class_names.size()) + " classes" + (stranger.empty() ? "" : " with '" + stranger + "'"));
  }
  list.class_names = names;
}

namespace detail {
/// One picture as it is stored in a data set. Throws Error that names the file.
inline Image stored_picture(const std::filesystem::path& path, int side) {
  Image image = read_image(path);
  if (image.width == side && image.height == side) return image;
  try {
    return centre_crop(resize_shorter(image, side), side);
  } catch (const Error& error) {  // 16384 x 1 pixels cannot be resized
    fail_with("prepare " + path.string(), error.what());
  }
}

/// Takes out the images whose reason is not empty.
inline void remove_broken(Dataset& data, const std::vector<std::filesystem::path>& files,
                          const std::vector<std::string>& reasons) {
  Index kept = 0;
  for (Index i = 0; i < data.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (!reasons[at].empty()) {
      data.broken.push_back({files[at].string(), reasons[at]});
      continue;
    }
    if (kept != i) std::copy_n(data.image(i), data.image_size(), data.image(kept));
    data.labels[static_cast<std::size_t>(kept++)] = data.labels[at];
  }
  data.labels.resize(static_cast<std::size_t>(kept));
  data.pixels.resize(static_cast<std::size_t>(kept * data.image_size()));
}
}  // namespace detail

/// The pictures of a list, each `side` x `side`: those of another size are resized (shorter side, bicubic) and cropped in
/// the middle. Throws Error that names the first broken file, or with OnBroken::skip when all are broken.
inline Dataset load_pictures(PictureList list, int side, const OpenOptions& options, const std::string& where) {
  follow_classes(list, options.class_names, where);
  const auto chosen = sample_of(static_cast<Index>(list.files.size()), options.count, Random(options.seed).fork("subset"));
  Dataset data(static_cast<Index>(chosen.size()), side, std::move(list.class_names));
  const bool skip = options.on_broken == OnBroken::skip;
  std::vector<std::filesystem::path> files;
  for (Index i = 0; i < data.size(); ++i) {
    const auto from = static_cast<std::size_t>(chosen[static_cast<std::size_t>(i)]);
    files.push_back(std::move(list.files[from]));
    data.labels[static_cast<std::size_t>(i)] = list.labels[from];
  }
  std::vector<std::string> reasons(files.size());
  detail::for_each_checked(Threads(options.threads), data.size(), 64, [&](Index i) {
    try {
      to_planes(detail::stored_picture(files[static_cast<std::size_t>(i)], side), data.image(i));
    } catch (const Error& error) {
      if (!skip) throw;
      reasons[static_cast<std::size_t>(i)] = error.what();
    }
  });
  if (skip) detail::remove_broken(data, files, reasons);
  if (data.size() == 0 && !data.broken.empty())
    detail::fail_with("open " + where, "every picture is broken", {}, data.broken.front().reason);
  return data;
}

}  // namespace minivit::inline MINIVIT_ISA
