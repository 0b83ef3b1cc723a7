// SPDX-License-Identifier: MIT
// Names of parameters in other people's checkpoints, as tables: each naming is recognised by keys that only it has, and its
// names are turned into those of the published DeiT, Swin and MiniViT code, which are ours. Split queries, keys and values
// are joined without copying. Sources: transformers 4 and 5 (models/vit, deit, swin), timm 0.9 (swin_transformer.py),
// torchvision (vision_transformer.py, swin_transformer.py). Numbers are not changed. Differences in arithmetic:
// transformers' ViT norms add 1e-12 to the variance, ours and timm's 1e-6.
#pragma once

#include <minivit/io/tensor_info.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {

/// One kind of name. In `from` a # stands for a number and a * at the end for the rest; `to` has the same ones in the same
/// order.
struct KeyRule {
  std::string_view from;
  std::string_view to;  ///< empty: a classifier does not use it
  int part = -1;        ///< 0, 1, 2: queries, keys, values of `to`
  int less = 0;         ///< taken off the first number,
  int over = 1;         ///< which is then divided by this, without a rest
};

/// How a project names its parameters.
struct KeyNaming {
  std::string_view name;
  std::array<std::string_view, 2> has;       ///< names that every such file holds, prefix removed; empty: no second one
  std::string_view has_not;                  ///< a name that it does not hold, or empty
  std::array<std::string_view, 2> prefixes;  ///< in front of some or all names, or empty
  std::span<const KeyRule> rules;            ///< the first that fits; names that none fits stay
};

// clang-format off
inline constexpr auto hugging_face_vit = std::to_array<KeyRule>({
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.distillation_token", "dist_token"},
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
    {"encoder.layer.#.layernorm_before.*", "blocks.#.norm1.*"},
    {"encoder.layer.#.layernorm_after.*", "blocks.#.norm2.*"},
    {"encoder.layer.#.attention.attention.query.*", "blocks.#.attn.qkv.*", 0},
    {"encoder.layer.#.attention.attention.key.*", "blocks.#.attn.qkv.*", 1},
    {"encoder.layer.#.attention.attention.value.*", "blocks.#.attn.qkv.*", 2},
    {"encoder.layer.#.attention.output.dense.*", "blocks.#.attn.proj.*"},
    {"encoder.layer.#.intermediate.dense.*", "blocks.#.mlp.fc1.*"},
    {"encoder.layer.#.output.dense.*", "blocks.#.mlp.fc2.*"},
    {"layers.#.layernorm_before.*", "blocks.#.norm1.*"},  // transformers 5
    {"layers.#.layernorm_after.*", "blocks.#.norm2.*"},
    {"layers.#.attention.q_proj.*", "blocks.#.attn.qkv.*", 0},
    {"layers.#.attention.k_proj.*", "blocks.#.attn.qkv.*", 1},
    {"layers.#.attention.v_proj.*", "blocks.#.attn.qkv.*", 2},
    {"layers.#.attention.o_proj.*", "blocks.#.attn.proj.*"},
    {"layers.#.mlp.*", "blocks.#.mlp.*"},
    {"layernorm.*", "norm.*"},
    {"pooler.dense.*", ""},
    {"classifier.*", "head.*"},
    {"cls_classifier.*", "head.*"},
    {"distillation_classifier.*", "head_dist.*"},
});
inline constexpr auto hugging_face_swin = std::to_array<KeyRule>({
    {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
    {"embeddings.norm.*", "patch_embed.norm.*"},
    {"encoder.layers.#.blocks.#.layernorm_before.*", "layers.#.blocks.#.norm1.*"},
    {"encoder.layers.#.blocks.#.layernorm_after.*", "layers.#.blocks.#.norm2.*"},
    {"encoder.layers.#.blocks.#.attention.self.query.*", "layers.#.blocks.#.attn.qkv.*", 0},
    {"encoder.layers.#.blocks.#.attention.self.key.*", "layers.#.blocks.#.attn.qkv.*", 1},
    {"encoder.layers.#.blocks.#.attention.self.value.*", "layers.#.blocks.#.attn.qkv.*", 2},
    {"encoder.layers.#.blocks.#.attention.self.*", "layers.#.blocks.#.attn.*"},
    {"encoder.layers.#.blocks.#.attention.output.dense.*", "layers.#.blocks.#.attn.proj.*"},
    {"encoder.layers.#.blocks.#.intermediate.dense.*", "layers.#.blocks.#.mlp.fc1.*"},
    {"encoder.layers.#.blocks.#.output.dense.*", "layers.#.blocks.#.mlp.fc2.*"},
    {"encoder.layers.#.downsample.*", "layers.#.downsample.*"},
    {"layernorm.*", "norm.*"},
    {"classifier.*", "head.*"},
});
/// The merging of patches stands in front of a stage; before 0.8 and in the published code behind the one before it.
inline constexpr auto timm_swin = std::to_array<KeyRule>({
    {"layers.#.downsample.*", "layers.#.downsample.*", -1, 1},
    {"head.fc.*", "head.*"},
});
inline constexpr auto timm_head = std::to_array<KeyRule>({{"head.fc.*", "head.*"}});  // with a single stage, or mergings as published
inline constexpr auto torchvision_vit = std::to_array<KeyRule>({
    {"class_token", "cls_token"},
    {"conv_proj.*", "patch_embed.proj.*"},
    {"encoder.pos_embedding", "pos_embed"},
    {"encoder.layers.encoder_layer_#.ln_1.*", "blocks.#.norm1.*"},
    {"encoder.layers.encoder_layer_#.ln_2.*", "blocks.#.norm2.*"},
    {"encoder.layers.encoder_layer_#.self_attention.in_proj_weight", "blocks.#.attn.qkv.weight"},
    {"encoder.layers.encoder_layer_#.self_attention.in_proj_bias", "blocks.#.attn.qkv.bias"},
    {"encoder.layers.encoder_layer_#.self_attention.out_proj.*", "blocks.#.attn.proj.*"},
    {"encoder.layers.encoder_layer_#.mlp.linear_1.*", "blocks.#.mlp.fc1.*"},  // as in the files
    {"encoder.layers.encoder_layer_#.mlp.linear_2.*", "blocks.#.mlp.fc2.*"},
    {"encoder.layers.encoder_layer_#.mlp.0.*", "blocks.#.mlp.fc1.*"},         // as in models since 0.13
    {"encoder.layers.encoder_layer_#.mlp.3.*", "blocks.#.mlp.fc2.*"},
    {"encoder.ln.*", "norm.*"},
    {"heads.head.*", "head.*"},
});
/// Stages and mergings stand in one list: embedding, stage, merging, stage, ...
inline constexpr auto torchvision_swin = std::to_array<KeyRule>({
    {"features.0.0.*", "patch_embed.proj.*"},
    {"features.0.2.*", "patch_embed.norm.*"},
    {"features.#.#.attn.relative_position_index", ""},  // with another shape than everywhere else; it follows from the window
    {"features.#.#.norm1.*", "layers.#.blocks.#.norm1.*", -1, 1, 2},
    {"features.#.#.norm2.*", "layers.#.blocks.#.norm2.*", -1, 1, 2},
    {"features.#.#.attn.*", "layers.#.blocks.#.attn.*", -1, 1, 2},
    {"features.#.#.mlp.0.*", "layers.#.blocks.#.mlp.fc1.*", -1, 1, 2},
    {"features.#.#.mlp.3.*", "layers.#.blocks.#.mlp.fc2.*", -1, 1, 2},
    {"features.#.norm.*", "layers.#.downsample.norm.*", -1, 2, 2},
    {"features.#.reduction.*", "layers.#.downsample.reduction.*", -1, 2, 2},
});

inline constexpr auto key_namings = std::to_array<KeyNaming>({
    {"Hugging Face Swin", {"embeddings.patch_embeddings.projection.weight", "embeddings.norm.weight"}, "", {"swin.", ""}, hugging_face_swin},
    {"Hugging Face ViT", {"embeddings.patch_embeddings.projection.weight", "embeddings.position_embeddings"}, "", {"vit.", "deit."}, hugging_face_vit},
    {"timm Swin", {"patch_embed.norm.weight", "layers.1.downsample.reduction.weight"}, "layers.0.downsample.reduction.weight", {"", ""}, timm_swin},
    {"timm Swin", {"patch_embed.norm.weight", "head.fc.weight"}, "", {"", ""}, timm_head},
    {"torchvision ViT", {"conv_proj.weight", "encoder.pos_embedding"}, "", {"", ""}, torchvision_vit},
    {"torchvision Swin", {"features.0.0.weight", "features.1.0.attn.relative_position_bias_table"}, "", {"", ""}, torchvision_swin},
});
// clang-format on

/// Numbers and the rest of a name that fits KeyRule::from.
struct KeyMatch {
  std::array<int, 2> numbers{};
  std::size_t count = 0;
  std::string_view rest;
};

inline std::optional<KeyMatch> match_key(std::string_view pattern, std::string_view name) {
  KeyMatch match;
  while (!pattern.empty()) {
    const char c = pattern.front();
    pattern.remove_prefix(1);
    if (c == '*') {
      match.rest = name;
      return name.empty() ? std::nullopt : std::optional(match);
    }
    if (c == '#') {
      std::size_t digits = 0;
      int number = 0;
      for (; digits < name.size() && name[digits] >= '0' && name[digits] <= '9'; ++digits) {
        if (digits == 6) return std::nullopt;
        number = 10 * number + (name[digits] - '0');
      }
      if (digits == 0 || (digits > 1 && name[0] == '0')) return std::nullopt;  // one name, one number
      match.numbers[match.count++] = number;
      name.remove_prefix(digits);
      continue;
    }
    if (name.empty() || name.front() != c) return std::nullopt;
    name.remove_prefix(1);
  }
  return name.empty() ? std::optional(match) : std::nullopt;
}

/// The name that a rule gives, or nothing when it does not fit.
inline std::optional<std::string> renamed_key(const KeyRule& rule, std::string_view name) {
  auto match = match_key(rule.from, name);
  if (!match) return std::nullopt;
  if (match->count > 0) {
    int& first = match->numbers[0];
    if (first < rule.less || (first - rule.less) % rule.over != 0) return std::nullopt;
    first = (first - rule.less) / rule.over;
  }
  std::string out;
  std::size_t number = 0;
  for (const char c : rule.to) {
    if (c == '#') out += std::to_string(match->numbers[number++]);
    else if (c == '*') out += match->rest;
    else out += c;
  }
  return out;
}

inline std::string_view without_prefix(const KeyNaming& naming, std::string_view name) {
  for (const std::string_view prefix : naming.prefixes)
    if (!prefix.empty() && name.starts_with(prefix)) return name.substr(prefix.size());
  return name;
}

/// Joins the three parts along their first axis; nothing when they do not go together.
inline std::optional<TensorInfo> joined(const std::string& name, const std::array<const TensorInfo*, 3>& parts) {
  TensorInfo out;
  for (const TensorInfo* const part : parts) {
    if (part == nullptr || part->shape.empty() || part->shape != parts[0]->shape || part->dtype != parts[0]->dtype)
      return std::nullopt;
    if (part->shape[0] > std::numeric_limits<Index>::max() / 3) return std::nullopt;  // an empty tensor may claim any extent
    out.parts.push_back(*part);
    out.size += part->size;
    out.bytes += part->bytes;
  }
  out.name = name;
  out.dtype = parts[0]->dtype;
  out.shape = parts[0]->shape;
  out.shape[0] *= 3;
  return out;
}

}  // namespace detail

/// The naming of these tensors, or null for our own and unknown ones.
inline const detail::KeyNaming* naming_of(std::span<const TensorInfo> tensors) {
  for (const detail::KeyNaming& naming : detail::key_namings) {
    const auto holds = [&](std::string_view name) {
      return std::ranges::any_of(tensors,
                                 [&](const TensorInfo& t) { return detail::without_prefix(naming, t.name) == name; });
    };
    if (holds(naming.has[0]) && holds(naming.has[1]) && (naming.has_not.empty() || !holds(naming.has_not))) return &naming;
  }
  return nullptr;
}

/// The tensors under our names. Those that a classifier does not use are left out; names that are not known stay, as do
/// queries, keys and values that are incomplete or do not go together. Two tensors may get the same name: whoever takes the
/// list must look.
inline std::vector<TensorInfo> with_our_names(std::vector<TensorInfo> tensors, const detail::KeyNaming& naming) {
  std::map<std::string, std::array<const TensorInfo*, 3>> split;  // "blocks.0.attn.qkv.weight": its parts
  std::vector<std::optional<std::string>> names(tensors.size());  // "": left out; nothing: a part
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    names[i] = tensors[i].name;
    const std::string_view name = detail::without_prefix(naming, tensors[i].name);
    for (const detail::KeyRule& rule : naming.rules) {
      auto to = detail::renamed_key(rule, name);
      if (!to) continue;
      if (rule.part < 0) {
        names[i] = std::move(*to);
      } else {
        auto& place = split[*to][static_cast<std::size_t>(rule.part)];
        if (place == nullptr) {  // else a name that is there twice: it stays and is seen
          place = &tensors[i];
          names[i] = std::nullopt;
        }
      }
      break;
    }
  }
  std::map<const TensorInfo*, TensorInfo> wholes;  // in place of the first part
  for (const auto& [name, parts] : split) {
    auto whole = detail::joined(name, parts);
    if (whole) wholes.emplace(parts[0], std::move(*whole));
    for (const TensorInfo* const part : parts)
      if (part != nullptr && !whole) names[static_cast<std::size_t>(part - tensors.data())] = part->name;
  }
  std::vector<TensorInfo> out;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (names[i] && names[i]->empty()) continue;
    if (const auto whole = wholes.find(&tensors[i]); whole != wholes.end()) out.push_back(std::move(whole->second));
    else if (names[i]) out.push_back(tensors[i]), out.back().name = std::move(*names[i]);
  }
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA
