// SPDX-License-Identifier: MIT
// What a reader of weights may be told: which part of a file to take, how much of a file to read at most, and what to adapt
// to a model.
#pragma once

#include <minivit/io/pickle_limits.hpp>

#include <cstdint>
#include <string>

namespace minivit::inline MINIVIT_ISA {

/// Which tensors of a file are read, and how much of a file at most.
struct ReadOptions {
  /// Of a .pth file: the dictionary to take, "model_ema" or "ema.state_dict". Empty: the first of model, state_dict,
  /// model_state_dict, model_ema, state_dict_ema that holds tensors; else the outermost one; else the only one.
  std::string entry{};
  /// Take only names that begin so, without it: "backbone.". Empty: what DataParallel ("module."), torch.compile
  /// ("_orig_mod.") and Lightning ("model.") put in front of every name is removed.
  std::string prefix{};
  std::uint64_t file_bytes = std::uint64_t{4} << 30;  ///< larger files are refused
  pickle::Limits pickle{};                            ///< of a .pth file's pickle
};

/// What load() may change on the way from a file to a model. Without these a file must fit exactly.
struct LoadOptions {
  ReadOptions read{};  ///< which part of the file
  /// A head of another number of classes, or none, is replaced by a new one, initialised from `seed`.
  bool replace_head = false;
  /// Position embeddings of another grid and bias tables of another window are resampled: bicubic, as the reference does
  /// (models/resample.hpp). Masks and index tables of the file that belong to the old geometry are left out.
  bool resample = false;
  std::uint64_t seed = 0;  ///< of a new head
};

}  // namespace minivit::inline MINIVIT_ISA
