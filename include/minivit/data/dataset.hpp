// SPDX-License-Identifier: MIT
// Dataset: labelled square images in memory, as 8-bit planes. How they came there (CIFAR files, folders of pictures,
// lists, drawn by code) is told in cifar.hpp, folder.hpp, csv.hpp and synthetic.hpp; open.hpp chooses.
#pragma once

#include <minivit/core/threads.hpp>
#include <minivit/data/preprocess.hpp>

#include <exception>
#include <utility>

namespace minivit::inline MINIVIT_ISA {

/// A picture that could not be read.
struct BrokenFile {
  std::string file;                                    ///< path
  std::string reason;                                  ///< the refusal, in one line with the file's name
  bool operator==(const BrokenFile&) const = default;  ///< equal in both
};

/// What a broken picture does.
enum class OnBroken {
  stop,  ///< the first one, in the order of the files, ends the opening with its Error
  skip   ///< it is left out and named in Dataset::broken
};

/// What open_dataset reads and how.
struct OpenOptions {
  Index count = 0;         ///< at most this many images, 0 all; synthetic: 10,000 to train and 2,000 to test by default
  std::uint64_t seed = 0;  ///< draws the synthetic images and chooses the subset
  int threads = 0;         ///< 0: all that are available
  OnBroken on_broken = OnBroken::stop;  ///< pictures in folders and lists; a damaged CIFAR file always stops
  /// Folders and lists: the classes of a model in its order, for which labels are then numbered; empty: those that are
  /// found. See follow_classes in pictures.hpp.
  std::vector<std::string> class_names{};
  bool coarse = false;  ///< CIFAR-100: the 20 superclasses
};

/// Images and their labels. Members have one entry per image or per class, but for `broken`.
struct Dataset {
  int classes = 0;                       ///< K
  int side = 0;                          ///< S, width and height of every image
  std::vector<std::uint8_t> pixels;      ///< (N, 3, S, S): red, green, blue plane
  std::vector<std::int32_t> labels;      ///< (N) in [0, K)
  std::vector<std::string> class_names;  ///< (K)
  std::vector<BrokenFile> broken;        ///< pictures that were left out, in the order of the files

  static constexpr int channels = 3;  ///< red, green, blue

  Dataset() = default;  ///< no images, no classes
  /// `count` black images with label 0.
  Dataset(Index count, int image_side, std::vector<std::string> names)
      : classes(static_cast<int>(names.size())),
        side(image_side),
        pixels(static_cast<std::size_t>(count) * static_cast<std::size_t>(image_side) *
               static_cast<std::size_t>(image_side) * 3),
        labels(static_cast<std::size_t>(count)),
        class_names(std::move(names)) {}

  Index size() const { return static_cast<Index>(labels.size()); }  ///< images (N)
  /// Elements of one image.
  Index image_size() const { return Index{channels} * side * side; }
  /// Planes of image i, (3, S, S).
  std::uint8_t* image(Index i) { return pixels.data() + i * image_size(); }
  const std::uint8_t* image(Index i) const { return pixels.data() + i * image_size(); }  ///< same, to read
  std::int32_t label(Index i) const { return labels[static_cast<std::size_t>(i)]; }      ///< in [0, K)
  /// Name of its class.
  const std::string& class_name(Index i) const { return class_names[static_cast<std::size_t>(label(i))]; }
  /// Image i as a picture, to look at or to save.
  Image picture(Index i) const { return from_planes(image(i), side); }
};

/// Which part of a data set.
enum class Split {
  train,  ///< to train on
  test    ///< to evaluate on
};

/// "train" or "test", as in the names of folders and in lists.
inline const char* split_name(Split split) { return split == Split::train ? "train" : "test"; }

namespace detail {
/// Runs f(i) for each i in [0, n) on `threads` workers. When several fail, the error of the smallest i is thrown, so the
/// message does not depend on timing.
template <class F>
void for_each_checked(const Threads& threads, Index n, Index grain, F&& f) {
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>((n + grain - 1) / grain));
  threads.for_ranges(n, grain, [&](Index begin, Index end) {
    try {
      for (Index i = begin; i < end; ++i) f(i);
    } catch (...) {
      errors[static_cast<std::size_t>(begin / grain)] = std::current_exception();
    }
  });
  for (const auto& error : errors)
    if (error) std::rethrow_exception(error);
}
}  // namespace detail

/// A data set with every image resized (shorter side, then centre crop) to `side`; unchanged when it has that side.
inline Dataset with_side(Dataset data, int side, const Threads& threads = Threads{}) {
  if (data.side == side) return data;
  Dataset out(data.size(), side, data.class_names);
  out.labels = data.labels;
  out.broken = data.broken;
  threads.for_each(data.size(), [&](Index i) { to_planes(resize(data.picture(i), side, side), out.image(i)); });
  return out;
}

/// The images with the given numbers, in that order. Precondition: each number lies in [0, data.size()).
inline Dataset select(const Dataset& data, const std::vector<Index>& which) {
  Dataset out(static_cast<Index>(which.size()), data.side, data.class_names);
  out.broken = data.broken;
  for (Index k = 0; k < out.size(); ++k) {
    const Index i = which[static_cast<std::size_t>(k)];
    std::copy_n(data.image(i), data.image_size(), out.image(k));
    out.labels[static_cast<std::size_t>(k)] = data.label(i);
  }
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA
