// SPDX-License-Identifier: MIT
// Why a file does not fit a model, guessed from names and shapes: facts such as depth, width and classes are read off both
// sides and compared; what has no number (sharing, tokens, parts of other architectures) is told by its names. Included by
// load_report.hpp.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/io/adapt.hpp>
#include <minivit/io/state_dict.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA::detail {

/// What names and shapes say about a model. 0: not to be seen.
struct ModelFacts {
  Index channels = 0, patch = 0, dim = 0, heads = 0, mlp_ratio = 0, window = 0, positions = 0, classes = 0;
  std::vector<Index> depths{};  ///< layers, for each stage of a Swin
  bool vit = false, swin = false, shared = false, class_token = false, distilled = false;

  [[gnu::cold]] void look(std::string_view name, const std::vector<Index>& shape) {
    const auto axis = [&](std::size_t i) { return i < shape.size() ? shape[i] : Index{0}; };
    vit = vit || name.starts_with("blocks.");
    swin = swin || name.starts_with("layers.");
    shared = shared || name.find(".instances.") != name.npos || name.find("_list.") != name.npos;
    if (name == "cls_token") class_token = true;
    if (name == "dist_token") distilled = true;
    if (name == "patch_embed.proj.weight") dim = axis(0), channels = axis(1), patch = axis(2);
    if (name == "pos_embed") positions = axis(1);
    if (name == "head.weight") classes = axis(0);
    if (name.ends_with(".conv_l.instances.0.weight")) heads = axis(0);
    if (name.ends_with("mlp.fc1.weight") && axis(1) > 0) mlp_ratio = axis(0) / axis(1);
    if (name.ends_with("relative_position_bias_table")) {
      if (name.starts_with("layers.0.")) heads = axis(1);
      if (const auto side = square_side(axis(0))) window = (*side + 1) / 2;
    }
    if (name.find(".norm1") != name.npos && name.ends_with(".weight")) {
      const std::size_t stage = swin && name.size() > 7 && name[7] >= '0' && name[7] <= '9'
                                    ? static_cast<std::size_t>(name[7] - '0')
                                    : 0;
      if (depths.size() <= stage) depths.resize(stage + 1);
      ++depths[stage];
    }
  }
};

[[gnu::cold]] inline bool any_begins(const std::vector<std::string>& names, std::string_view part) {
  return std::ranges::any_of(names, [&](const std::string& n) { return n.starts_with(part); });
}
[[gnu::cold]] inline bool any_has(const std::vector<std::string>& names, std::string_view part) {
  return std::ranges::any_of(names, [&](const std::string& n) { return n.find(part) != std::string::npos; });
}

/// Parts of other architectures by their names.
// clang-format off
inline constexpr auto foreign_parts = std::to_array<std::pair<std::string_view, std::string_view>>({
    {".ls1.", "the file's model has layer scale (CaiT, DeiT III), which ours have not"},
    {".gamma_1", "the file's model has layer scale (CaiT, BEiT), which ours have not"},
    {"fc_norm.", "the file's model has a norm behind the pooling (timm's global_pool='avg'); ours norm before"},
    {".q_norm.", "the file's model has norms of queries and keys, which ours have not"},
    {"reg_token", "the file's model has register tokens, which ours have not"},
    {"norm_pre.", "the file's model has a norm in front of the layers (CLIP), which ours have not"},
    {"pre_logits.", "the file's model has a layer in front of the head (ViT for ImageNet-21k), which ours have not"},
    {"logit_scale", "is this a Swin V2? ours are of the first version"},
    {"cpb_mlp", "is this a Swin V2? ours are of the first version"},
    {"absolute_pos_embed", "the file's Swin has absolute positions, which ours have not"},
    {"lora_", "are these adapters (LoRA)? merge them into the model before saving"},
    {"fit_dense_C.", "a student with fitting layers of its training: save it without them"},
});
// clang-format on

/// A prefix that, removed from the file's names, gives at least half of the missing ones; empty when there is none.
[[gnu::cold]] inline std::string common_prefix(const std::vector<std::string>& missing,
                                               const std::vector<std::string>& extra, const StateDict& file) {
  if (missing.empty()) return {};
  const std::string ending = concat({".", missing.front()});
  int tried = 0;
  for (const std::string& name : extra) {
    if (!name.ends_with(ending)) continue;
    if (++tried > 20) break;  // a file may be made of such names
    const std::string prefix = name.substr(0, name.size() - ending.size() + 1);
    std::size_t explained = 0;
    for (const std::string& m : missing) explained += file.find(prefix + m) ? 1 : 0;
    if (2 * explained >= missing.size()) return prefix;
  }
  return {};
}

/// Differences that are numbers: "other dim (384 in the file, 192 in the model)". Three at most; then what can be done about
/// them.
[[gnu::cold]] inline std::string different_facts(const ModelFacts& file, const ModelFacts& model, bool can_replace_head,
                                                 bool can_resample) {
  std::string text;
  int count = 0;
  const auto differ = [&](const char* what, const auto& in_file, const auto& in_model) {
    const auto shown = [](const auto& x) {
      if constexpr (requires { x.size(); }) return x.size() == 1 ? std::to_string(x[0]) : shape_text(x);
      else return std::to_string(x);
    };
    const bool known = [](const auto& a, const auto& b) {
      if constexpr (requires { a.size(); }) return !a.empty() && !b.empty();
      else return a > 0 && b > 0;
    }(in_file, in_model);
    if (!known || in_file == in_model) return false;
    if (++count <= 3)
      text += concat(
          {count == 1 ? "other " : ", ", what, " (", shown(in_file), " in the file, ", shown(in_model), " in the model)"});
    return true;
  };
  differ("channels", file.channels, model.channels);
  differ("dim", file.dim, model.dim);
  differ("depth", file.depths, model.depths);
  differ("heads", file.heads, model.heads);
  differ("patch", file.patch, model.patch);
  differ("mlp_ratio", file.mlp_ratio, model.mlp_ratio);
  const bool window = differ("window", file.window, model.window);
  const bool positions = differ("number of positions", file.positions, model.positions);
  const bool classes = differ("number of classes", file.classes, model.classes);
  const bool resample = (window || positions) && can_resample, head = classes && can_replace_head;
  if (resample && head) text += "; LoadOptions::resample and replace_head (--resample --replace-head) adapt both";
  else if (resample) text += "; LoadOptions::resample (--resample) adapts positions";
  else if (head) text += "; LoadOptions::replace_head (--replace-head) starts a new head";
  return text;
}

/// The most likely reason in one sentence; empty when nothing is recognised. Lists as in LoadReport.
[[gnu::cold]] inline std::string guess_cause(const std::vector<std::string>& missing, const std::vector<std::string>& extra,
                                             const std::vector<std::string>& mismatched, const ParameterTable& table,
                                             const StateDict& file, bool can_replace_head, bool can_resample) {
  if (missing.empty() && extra.empty() && mismatched.empty()) return {};
  if (const std::string prefix = common_prefix(missing, extra, file); !prefix.empty())
    return concat({"names begin with '", printable(prefix, 60), "': ReadOptions::prefix (--prefix) removes it"});
  if (missing.empty() && any_has(extra, "optimiser.")) return "is this a training checkpoint?";
  for (const auto& [entry, tensors] : file.origin().other_entries)
    if (tensors > file.tensors().size() && missing.size() > table.size() / 2)
      return concat({"the file also holds ",
                     entry.empty() ? "an outermost dictionary" : concat({"'", printable(entry, 60), "'"}), " with ", tensors,
                     " tensors: ReadOptions::entry (--entry) takes it"});
  for (const std::string& left_out : file.origin().left_out)
    for (const std::string& name : missing)
      if (left_out.starts_with(concat({name, ": "})))
        return concat({"'", printable(name, 60), "' cannot be read: ", printable(left_out.substr(name.size() + 2), 80)});
  for (const auto& [part, sentence] : foreign_parts)
    if (any_has(extra, part)) return std::string(sentence);

  ModelFacts in_file, in_model;
  for (const TensorInfo& t : file.tensors()) in_file.look(t.name, t.shape);
  for (const ParameterInfo& p : table) in_model.look(p.name, p.shape);
  if (in_model.swin && in_file.vit) return "is this a checkpoint of a DeiT or Mini-DeiT?";
  if (in_model.vit && in_file.swin) return "is this a checkpoint of a Swin or Mini-Swin?";
  if (in_model.vit != in_file.vit || in_model.swin != in_file.swin)
    return "are these weights of a DeiT, Swin or MiniViT at all?";
  if (in_model.shared && !in_file.shared)
    return "is this a checkpoint of an unshared model? multiplex() makes a shared one of it";
  if (!in_model.shared && in_file.shared) return "is this a checkpoint of a model with shared weights?";

  const auto differs = [&](std::string_view part) { return any_has(missing, part) || any_has(extra, part); };
  if (differs(".proj_l.") || differs(".proj_w.")) return "other transformations.mix_heads or blocks?";
  if (differs("local_norm") || differs("local_conv"))
    return in_model.swin ? "other transformations.local_conv or blocks?" : "other sharing.local_conv?";
  if (differs("norm1_list.")) return "other transformations.separate_norms or blocks?";
  if (differs("conv_l") || differs("conv_w")) return "other sharing.mix_heads or sharing.repeat?";
  if (differs("rpe_k")) return "other position.keys or sharing.repeat?";
  if (in_model.distilled != in_file.distilled) return "distilled in one, not in the other?";
  if (in_model.class_token != in_file.class_token)
    return in_file.class_token ? "other pool? the file has a class token" : "other pool? the model has a class token";
  if (const std::string facts = different_facts(in_file, in_model, can_replace_head, can_resample); !facts.empty())
    return facts;
  if (differs(".instances.")) return "other sharing.repeat?";
  if (in_model.swin && (any_begins(missing, "layers.") || any_has(extra, ".weight"))) return "other depths or blocks?";
  if (differs("blocks.") && !in_model.swin) return "other depth?";
  if (any_has(mismatched, "attn_mask") || any_has(extra, "attn_mask"))
    return std::string("other image, window or blocks?") +
           (can_resample ? " LoadOptions::resample (--resample) leaves masks out" : "");
  if (any_begins(missing, "head") && file.find("head.weight") == nullptr)
    return can_replace_head ? "no head in the file: LoadOptions::replace_head (--replace-head) starts a new one"
                            : "no head in the file";
  return {};
}

}  // namespace minivit::inline MINIVIT_ISA::detail
