// SPDX-License-Identifier: MIT
// Whole training steps of the fixtures: the student, its teacher, the batch, and what the reference run, which is in double,
// had.
#pragma once

#include "../models/fixture_models.hpp"

#include <minivit/train/trainer.hpp>

#include <nlohmann/json.hpp>

namespace step_fixture {

namespace mv = minivit;

/// Generated weights, and the batch of four images that every step takes.
template <class S, class Teach>
struct Setup {
  using Student = S;
  using Teacher = Teach;
  using T = typename Student::Scalar;
  static constexpr int side = Student::config.image;
  mv::SafeTensors file;
  nlohmann::json report = nlohmann::json::parse(file.metadata().at("report"));
  Student student;
  Teacher teacher;
  mv::Tensor<T, mv::Dyn, 3, side, side> images{4};
  mv::Tensor<T, mv::Dyn, 10> targets{4};

  explicit Setup(const std::string& name) : file(fixtures::open(name)) {
    generated::weights(student);
    generated::weights(teacher, "teacher.");
    generated::input(images.data(), images.size());
    file.copy_to(file.at("targets"), targets.data());
  }
  /// Expected tensors under `prefix`, laid out as the slab; where there is none, what `otherwise`, if given, has.
  std::vector<double> expected(const std::string& prefix, const T* otherwise = nullptr) const {
    std::vector<double> out(static_cast<std::size_t>(student.size()));
    for (const auto& p : Student::parameter_table()) {
      if (otherwise && !file.find(prefix + p.name)) {
        std::copy_n(otherwise + p.offset, p.size, out.begin() + p.offset);
        continue;
      }
      const auto values = file.read<double>(prefix + p.name);
      std::copy(values.begin(), values.end(), out.begin() + p.offset);
    }
    return out;
  }
  /// Names of the parameters that do not decay, sorted; and those of the reference, from a case of the report.
  static std::vector<std::string> undecayed() {
    std::vector<std::string> names;
    for (const auto& p : Student::parameter_table())
      if (!mv::decays(p)) names.push_back(p.name);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> expected_undecayed(const char* name) const {
    auto names = report.at(name).at("no_decay").template get<std::vector<std::string>>();
    std::sort(names.begin(), names.end());
    return names;
  }
};

/// Largest difference of weights after steps. Adam divides by |gradient|: where the true gradient is zero but for rounding,
/// a step of up to lr is noise (README of the fixtures, section 4). Those elements are `noise`, all others `kept`.
struct Difference {
  double kept = 0, noise = 0;
};
template <class T>
Difference difference_after(const std::vector<double>& expected, const T* weights, const std::vector<double>& gradient) {
  double largest = 0;
  for (const double g : gradient) largest = std::max(largest, std::abs(g));
  Difference worst;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(expected[i] - static_cast<double>(weights[i]));
    const bool is_noise = std::abs(gradient[i]) < 1e-5 * largest && gradient[i] != 0;
    double& side = is_noise ? worst.noise : worst.kept;
    side = d >= 0 ? std::max(side, d) : INFINITY;  // NaN is the worst
  }
  return worst;
}

}  // namespace step_fixture
