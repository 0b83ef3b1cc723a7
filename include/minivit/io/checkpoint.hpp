// SPDX-License-Identifier: MIT
// Checkpoints: load<Model>(path) and save(model, path). Written is a safetensors file whose names are the parameters'; read
// is any file of weights (open_weights.hpp), by the rules of load.hpp. Training state is more slabs under prefixes.
#pragma once

#include <minivit/io/load.hpp>
#include <minivit/io/open_weights.hpp>
#include <minivit/io/safetensors_writer.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Throws Error, naming the parameter and the element, when a value is NaN or infinite.
template <class T>
void require_finite(const ParameterTable& table, const T* slab, std::string_view where) {
  for (const ParameterInfo& parameter : table)
    for (Index i = 0; i < parameter.size; ++i)
      if (const T value = slab[parameter.offset + i]; !std::isfinite(value))
        fail({.where = where,
              .what = "parameter " + detail::in_quotes(parameter.name) + " is not finite at element " + std::to_string(i),
              .expected = "a finite number",
              .found = std::to_string(value),
              .hint = "the training diverged; nothing was written"});
}

/// Appends every parameter of a slab under `prefix` + its name. The slab must live until the file is written.
template <class T>
void append_parameters(std::vector<TensorToWrite>& tensors, const ParameterTable& table, const T* slab,
                       std::string_view prefix = {}) {
  for (const ParameterInfo& parameter : table)
    tensors.push_back({std::string(prefix) + parameter.name, dtype_for<T>(), parameter.shape, slab + parameter.offset});
}

/// In which type parameters are written.
enum class Stored {
  as_they_are,  ///< the model's own
  bf16,         ///< rounded to the nearest: half of the bytes of float32, each number within 0.4 % of what it was
};

/// Parameters as they are to be written. Lives until the file is written.
class StoredParameters {
 public:
  /// Of a slab, which must live as long. Throws Error, naming the parameter, when a number is not finite, or not in bf16.
  template <class T>
  StoredParameters(const ParameterTable& table, const T* slab, Stored stored, std::string_view where) {
    require_finite(table, slab, where);
    append_parameters(tensors_, table, slab);
    if (stored == Stored::as_they_are) return;
    const Index n = table.empty() ? 0 : table.back().offset + table.back().size;
    narrow_ = Buffer<bf16>(n);
    Buffer<float> rounded(n);
    for (Index i = 0; i < n; ++i)
      rounded.data()[i] = static_cast<float>(narrow_.data()[i] = bf16(static_cast<float>(slab[i])));
    require_finite(table, rounded.data(), where);
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      tensors_[i].dtype = DType::BF16;
      tensors_[i].data = narrow_.data() + table[i].offset;
    }
  }
  const std::vector<TensorToWrite>& tensors() const { return tensors_; }  ///< all of them

 private:
  std::vector<TensorToWrite> tensors_;
  Buffer<bf16> narrow_{0};
};

/// `Model model = load<Model>("mine.safetensors");`, or a .pth file; `load<Model>("deit_tiny.pth", {.replace_head = true})`
/// for other classes.
template <Checkpointable Model>
Model load(const std::string& path, const LoadOptions& options = {}) {
  return load<Model>(open_weights(path, options.read), options);
}

/// Writes the model and what belongs to it in one step: after an error the old file is intact. Throws Error; also when a
/// parameter is not finite or the number of class names is not config.classes. load() reads every `stored`.
template <Checkpointable Model>
void save(const Model& model, const std::string& path, const CheckpointInfo& info = {},
          Stored stored = Stored::as_they_are) {
  const std::string where = "write " + detail::shown_path(path);
  const StoredParameters parameters(Model::parameter_table(), model.data(), stored, where);
  write_safetensors(path, parameters.tensors(), metadata_of(Model::config, info, where));
}

}  // namespace minivit::inline MINIVIT_ISA
