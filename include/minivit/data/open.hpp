// SPDX-License-Identifier: MIT
// open_dataset: one name for every kind of data set. Looks at what is there: "synthetic", a folder with CIFAR-10's
// binary files, or a folder of pictures.
#pragma once

#include <minivit/data/cifar.hpp>
#include <minivit/data/folder.hpp>
#include <minivit/data/synthetic.hpp>

namespace minivit::inline MINIVIT_ISA {

struct OpenOptions {
  Index count = 0;         ///< at most this many images, 0 all; synthetic: 10,000 to train and 2,000 to test by default
  std::uint64_t seed = 0;  ///< draws the synthetic images and chooses the subset
  int threads = 0;         ///< 0: all that are available
};

/// A data set of `side` x `side` images. `spec` is "synthetic" or a folder. Throws Error when nothing known is there.
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
  constexpr auto expected = "'synthetic', a folder with data_batch_1.bin, or a folder with train/<class>/ and test/<class>/";
  std::error_code error;
  const auto status = std::filesystem::status(root, error);
  if (!std::filesystem::exists(status)) detail::fail_with("open " + spec, "no such data set", expected);
  if (!std::filesystem::is_directory(status))
    detail::fail_with("open " + spec, "not a folder", expected, "a file", "unpack an archive first");
  for (const auto& folder : {root, root / "cifar-10-batches-bin"}) {
    if (!std::filesystem::exists(folder / "data_batch_1.bin") && !std::filesystem::exists(folder / "test_batch.bin"))
      continue;
    Dataset data = load_cifar10(folder, split);
    if (options.count > 0 && options.count < data.size())
      data = select(data, sample_of(data.size(), options.count, Random(options.seed).fork("subset")));
    return with_side(std::move(data), side, threads);
  }
  if (std::filesystem::is_directory(detail::split_folder(root, split), error))
    return load_folder(root, split, side, options.count, options.seed, threads);
  detail::fail_with("open " + spec, std::string("no ") + split_name(split) + " images found", expected);
}

}  // namespace minivit::inline MINIVIT_ISA
