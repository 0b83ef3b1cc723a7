// SPDX-License-Identifier: MIT
// Fuzz targets of the floor data: pictures, and texts that users write. run.sh fuzzes them, tests/data/fuzz_replay_test.cpp
// replays what was found.
#pragma once

#include "check.hpp"

#include <minivit/data/cifar.hpp>
#include <minivit/data/csv.hpp>
#include <minivit/data/image.hpp>
#include <minivit/data/rand_augment.hpp>

namespace fuzz {

using Bytes = std::span<const std::byte>;

/// A picture: twice the same pixels, all of them written.
inline void image(Bytes bytes) {
  for (const bool tolerant : {false, true})
    refuse_or_accept([&] {
      const mv::DecodeOptions options{.upright = !tolerant, .tolerant = tolerant};
      const mv::Image first = mv::decode_image(bytes, input_name, options);
      look_at(first.rgb.data(), first.rgb.size());
      if (!(mv::decode_image(bytes, input_name, options) == first)) std::abort();
    });
}

/// Records of CIFAR: all appended, or none.
inline void cifar_records(Bytes bytes, const std::vector<std::string>& names, const mv::detail::CifarFormat& format) {
  mv::Dataset data(0, 32, names);
  refuse_or_accept([&] { mv::detail::append_cifar_records(data, bytes, input_name, format); });
  if (data.pixels.size() != data.labels.size() * 3072 || data.labels.size() > bytes.size() / 3072) std::abort();
  for (const std::int32_t label : data.labels)
    if (label < 0 || label >= data.classes) std::abort();
  look_at(data.pixels.data(), data.pixels.size());
}

/// A list of pictures, the records and names of CIFAR, and the text of a RandAugment setting.
inline void lists(Bytes bytes) {
  refuse_or_accept([&] {
    mv::read_csv(as_text(bytes), input_name, [](mv::Index line, const std::vector<std::string>& fields) {
      if (line < 1 || fields.empty()) std::abort();
      for (const std::string& field : fields) look_at(field.data(), field.size());
    });
  });
  refuse_or_accept([&] {
    const mv::CsvList list = mv::parse_csv_list(as_text(bytes), "folder", input_name);
    const auto classes = mv::detail::csv_classes(list);
    std::size_t found = 0;
    for (const mv::Split split : {mv::Split::train, mv::Split::test})
      refuse_or_accept([&] {
        const mv::PictureList pictures = mv::csv_pictures(list, split, classes, input_name);
        for (const std::int32_t label : pictures.labels)
          if (label < 0 || static_cast<std::size_t>(label) >= classes.size()) std::abort();
        found += pictures.files.size();
      });
    refuse_or_accept([&] { mv::csv_pictures(list, mv::Split::test, {classes.front()}, input_name); });  // of another list
    if (found != list.files.size() * (list.splits.empty() ? 2 : 1)) std::abort();
  });
  cifar_records(bytes, mv::cifar10_class_names(), {"CIFAR-10", 1, 0});
  cifar_records(bytes, mv::cifar100_superclass_names(), {"CIFAR-100", 2, 0});
  for (const std::string& name : mv::detail::cifar_names(bytes))
    if (name.empty() || name.find_first_of("\r\n") != name.npos) std::abort();
  try {
    const mv::RandAugment settings = mv::parse_rand_augment(as_text(bytes));
    mv::parse_rand_augment(mv::to_text(settings));
  } catch (const mv::Error&) {  // names the text itself
  }
}

}  // namespace fuzz
