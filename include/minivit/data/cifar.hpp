// SPDX-License-Identifier: MIT
// CIFAR-10 and CIFAR-100 in their binary form (Krizhevsky, 2009): records of one label byte, or two with the superclass
// first, and 3072 pixel bytes in planes. CIFAR-10 is data_batch_1.bin ... data_batch_5.bin and test_batch.bin, CIFAR-100
// train.bin and test.bin. Names come from the text files beside them when they are there.
#pragma once

#include <minivit/data/dataset.hpp>

#include <span>

namespace minivit::inline MINIVIT_ISA {

/// Of CIFAR-10, in the order of the labels.
inline std::vector<std::string> cifar10_class_names() {
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

/// Of CIFAR-100, in the order of the labels.
inline std::vector<std::string> cifar100_class_names() {
  return {
      "apple",       "aquarium_fish", "baby",         "bear",         "beaver",     "bed",        "bee",       "beetle",
      "bicycle",     "bottle",        "bowl",         "boy",          "bridge",     "bus",        "butterfly", "camel",
      "can",         "castle",        "caterpillar",  "cattle",       "chair",      "chimpanzee", "clock",     "cloud",
      "cockroach",   "couch",         "crab",         "crocodile",    "cup",        "dinosaur",   "dolphin",   "elephant",
      "flatfish",    "forest",        "fox",          "girl",         "hamster",    "house",      "kangaroo",  "keyboard",
      "lamp",        "lawn_mower",    "leopard",      "lion",         "lizard",     "lobster",    "man",       "maple_tree",
      "motorcycle",  "mountain",      "mouse",        "mushroom",     "oak_tree",   "orange",     "orchid",    "otter",
      "palm_tree",   "pear",          "pickup_truck", "pine_tree",    "plain",      "plate",      "poppy",     "porcupine",
      "possum",      "rabbit",        "raccoon",      "ray",          "road",       "rocket",     "rose",      "sea",
      "seal",        "shark",         "shrew",        "skunk",        "skyscraper", "snail",      "snake",     "spider",
      "squirrel",    "streetcar",     "sunflower",    "sweet_pepper", "table",      "tank",       "telephone", "television",
      "tiger",       "tractor",       "train",        "trout",        "tulip",      "turtle",     "wardrobe",  "whale",
      "willow_tree", "wolf",          "woman",        "worm"};
}

/// Of CIFAR-100's 20 superclasses, in the order of their labels.
inline std::vector<std::string> cifar100_superclass_names() {
  return {"aquatic_mammals",
          "fish",
          "flowers",
          "food_containers",
          "fruit_and_vegetables",
          "household_electrical_devices",
          "household_furniture",
          "insects",
          "large_carnivores",
          "large_man-made_outdoor_things",
          "large_natural_outdoor_scenes",
          "large_omnivores_and_herbivores",
          "medium_mammals",
          "non-insect_invertebrates",
          "people",
          "reptiles",
          "small_mammals",
          "trees",
          "vehicles_1",
          "vehicles_2"};
}

namespace detail {
/// What stands before the pixels of a record.
struct CifarFormat {
  const char* name;
  std::size_t label_bytes;  // 1 or 2
  std::size_t label_at;     // which of them
};

/// Appends the records in `bytes`; data stays as it was where they are refused. `where` names their origin.
inline void append_cifar_records(Dataset& data, std::span<const std::byte> bytes, const std::string& where,
                                 const CifarFormat& format) {
  constexpr std::size_t pixels = 3072;
  const std::size_t record = pixels + format.label_bytes;
  if (bytes.empty() || bytes.size() % record != 0)
    fail_with(where, std::string("not a ") + format.name + " binary file",
              "a size that is a multiple of " + std::to_string(record) + " bytes", std::to_string(bytes.size()));
  const std::size_t count = bytes.size() / record, had = data.labels.size();
  const auto label_of = [&](std::size_t i) { return std::to_integer<int>(bytes[i * record + format.label_at]); };
  for (std::size_t i = 0; i < count; ++i)
    if (label_of(i) >= data.classes) {
      const std::string what = "record " + std::to_string(i) + " has a label out of range";
      fail_with(where, what, "0 to " + std::to_string(data.classes - 1), std::to_string(label_of(i)));
    }
  data.pixels.resize((had + count) * pixels);
  data.labels.resize(had + count);
  for (std::size_t i = 0; i < count; ++i) {
    data.labels[had + i] = label_of(i);
    std::memcpy(data.pixels.data() + (had + i) * pixels, bytes.data() + i * record + format.label_bytes, pixels);
  }
}

inline void append_cifar_file(Dataset& data, const std::filesystem::path& path, const CifarFormat& format) {
  append_cifar_records(data, read_file(path, std::uint64_t{1} << 30), "load " + path.string(), format);
}

/// The lines of a text, without empty ones.
inline std::vector<std::string> cifar_names(std::span<const std::byte> text) {
  std::vector<std::string> found(1);
  for (const std::byte b : text) {
    const char c = static_cast<char>(std::to_integer<unsigned char>(b));
    if (c == '\n' && !found.back().empty()) found.emplace_back();
    if (c != '\n' && c != '\r') found.back() += c;
  }
  if (found.back().empty()) found.pop_back();
  return found;
}

/// Takes the names in a text file, when there are as many as classes.
inline void read_cifar_names(Dataset& data, const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) return;
  auto names = cifar_names(read_file(path, 65536));
  if (names.size() == data.class_names.size()) data.class_names = std::move(names);
}
}  // namespace detail

/// Appends the records of one CIFAR-10 binary file. Throws Error that names the file (and the record): the size is not
/// a positive multiple of 3073 bytes, or a label is above 9; data is then as it was.
inline void append_cifar10_file(Dataset& data, const std::filesystem::path& path) {
  detail::append_cifar_file(data, path, {"CIFAR-10", 1, 0});
}

/// One split of CIFAR-10 from a folder with the binary files, 32x32.
inline Dataset load_cifar10(const std::filesystem::path& folder, Split split) {
  Dataset data(0, 32, cifar10_class_names());
  detail::read_cifar_names(data, folder / "batches.meta.txt");
  if (split == Split::test) {
    append_cifar10_file(data, folder / "test_batch.bin");
    return data;
  }
  for (int i = 1; i <= 5; ++i) append_cifar10_file(data, folder / ("data_batch_" + std::to_string(i) + ".bin"));
  return data;
}

/// One split of CIFAR-100 from a folder with the binary files, 32x32: 100 classes, or their 20 superclasses when `coarse`.
/// Throws Error as for CIFAR-10, with records of 3074 bytes.
inline Dataset load_cifar100(const std::filesystem::path& folder, Split split, bool coarse = false) {
  Dataset data(0, 32, coarse ? cifar100_superclass_names() : cifar100_class_names());
  detail::read_cifar_names(data, folder / (coarse ? "coarse_label_names.txt" : "fine_label_names.txt"));
  detail::append_cifar_file(data, folder / (split == Split::train ? "train.bin" : "test.bin"),
                            {"CIFAR-100", 2, coarse ? 0u : 1u});
  return data;
}

}  // namespace minivit::inline MINIVIT_ISA
