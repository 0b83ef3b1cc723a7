// SPDX-License-Identifier: MIT
// open_dataset: one name for every kind of data set. Looks at what is there: "synthetic", a folder with the binary files of
// CIFAR-10 or CIFAR-100, a folder of pictures, or lists as CSV.
#pragma once

#include <minivit/data/cifar.hpp>
#include <minivit/data/csv.hpp>
#include <minivit/data/folder.hpp>
#include <minivit/data/synthetic.hpp>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// A list of one file for both splits tells them apart by its column `split`. Without one it may be evaluated on, not
/// trained on, because the two parts would be the same pictures.
inline Dataset open_list(const std::filesystem::path& path, Split split, int side, const OpenOptions& options) {
  if (split == Split::train && read_csv_list(path).splits.empty())
    fail_with("open " + path.string(), "the list does not say which pictures are for training",
              "a column 'split' with train and test", {}, "or name a folder with train.csv and test.csv");
  return load_csv(path, split, side, options);
}

/// Of train.csv and test.csv (or val.csv): the one of the split, or an empty path.
inline std::filesystem::path split_list(const std::filesystem::path& root, Split split) {
  std::error_code ignored;
  for (const char* const name : {"train.csv", "test.csv", "val.csv"})
    if ((split == Split::train) == (name == std::string_view("train.csv")) &&
        std::filesystem::is_regular_file(root / name, ignored))
      return root / name;
  return {};
}

inline bool has_class_folders(const std::filesystem::path& folder) {
  std::error_code ignored;
  return std::filesystem::is_directory(folder, ignored) && !names_in(folder, true).empty();
}
}  // namespace detail

/// A data set of `side` x `side` images. `spec` is "synthetic", a folder or a list. Throws Error when nothing known is
/// there.
inline Dataset open_dataset(const std::string& spec, Split split, int side, const OpenOptions& options = {}) {
  const Threads threads(options.threads);
  if (side < 1 || side > detail::max_image_side)
    detail::fail_with("open " + spec, "impossible image side", "1 to 16384", std::to_string(side));
  if (options.count < 0)
    detail::fail_with("open " + spec, "impossible number of images", "0 or more", std::to_string(options.count));
  if (spec == "synthetic") {
    const Index count = options.count > 0 ? options.count : split == Split::train ? 10'000 : 2'000;
    return with_side(synthetic_dataset(count, split, options.seed, threads), side, threads);
  }
  const std::filesystem::path root(spec);
  constexpr auto expected =
      "'synthetic', a list as .csv, or a folder with data_batch_1.bin, train.bin, train/<class>/ or train.csv, and the same "
      "for test";
  std::error_code error;
  const auto status = std::filesystem::status(root, error);
  if (!std::filesystem::exists(status)) detail::fail_with("open " + spec, "no such data set", expected);
  if (!std::filesystem::is_directory(status)) {
    const auto extension = root.extension();
    if (extension == ".csv" || extension == ".CSV") return detail::open_list(root, split, side, options);
    detail::fail_with("open " + spec, "not a folder", expected, "a file", "unpack an archive first");
  }
  const auto part = [&](Dataset data) {
    if (options.count > 0 && options.count < data.size())
      data = select(data, sample_of(data.size(), options.count, Random(options.seed).fork("subset")));
    return with_side(std::move(data), side, threads);
  };
  for (const auto& folder : {root, root / "cifar-10-batches-bin"})
    if (std::filesystem::exists(folder / "data_batch_1.bin") || std::filesystem::exists(folder / "test_batch.bin"))
      return part(load_cifar10(folder, split));
  for (const auto& folder : {root, root / "cifar-100-binary"})
    if (std::filesystem::exists(folder / "train.bin") || std::filesystem::exists(folder / "test.bin"))
      return part(load_cifar100(folder, split, options.coarse));
  const auto list = detail::split_list(root, split);
  const auto folder = detail::split_folder(root, split);
  if (detail::has_class_folders(folder) || (list.empty() && std::filesystem::is_directory(folder, error)))
    return load_folder(root, split, side, options);
  if (!list.empty()) {
    const auto train = detail::split_list(root, Split::train);
    return load_csv(list, split, side, options,
                    train.empty() ? std::vector<std::string>{} : detail::csv_classes(read_csv_list(train)));
  }
  detail::fail_with("open " + spec, std::string("no ") + split_name(split) + " images found", expected);
}

}  // namespace minivit::inline MINIVIT_ISA
