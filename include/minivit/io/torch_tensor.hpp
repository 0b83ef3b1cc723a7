// SPDX-License-Identifier: MIT
// How PyTorch writes a tensor into a pickle: a call of a rebuilding function with storage, offset, shape and strides.
// Recognises those calls in a pickle::Object and says what they claim; whether it can be true is checked where the storage
// is known (torch_file.hpp). Source: torch/_utils.py and torch/serialization.py of PyTorch 0.4 to 2.x.
#pragma once

#include <minivit/io/dtype.hpp>
#include <minivit/io/pickle.hpp>
#include <minivit/io/tensor_info.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {

/// A type of storage, or of tensor, by its name in Python. Without `dtype`: elements that we can step over but not read.
struct TorchType {
  std::string_view name;
  std::optional<DType> dtype;
  /// Of one element: what `dtype` says; types without one state it.
  std::uint64_t bytes = dtype ? static_cast<std::uint64_t>(bits_of(*dtype)) / 8 : 0;
};

// clang-format off
inline constexpr auto storage_types = std::to_array<TorchType>({
    {"FloatStorage", DType::F32}, {"DoubleStorage", DType::F64}, {"HalfStorage", DType::F16}, {"BFloat16Storage", DType::BF16},
    {"LongStorage", DType::I64}, {"IntStorage", DType::I32}, {"ShortStorage", DType::I16}, {"CharStorage", DType::I8},
    {"ByteStorage", DType::U8}, {"BoolStorage", DType::BOOL}, {"UntypedStorage", DType::U8}, {"ComplexFloatStorage", DType::C64},
    {"ComplexDoubleStorage", {}, 16}, {"QInt8Storage", {}, 1}, {"QUInt8Storage", {}, 1}, {"QInt32Storage", {}, 4},
});
/// Types that came after the storages of their own ("UntypedStorage" and a type beside it), and those that may be named that way, too.
inline constexpr auto tensor_types = std::to_array<TorchType>({
    {"float32", DType::F32}, {"float64", DType::F64}, {"float16", DType::F16}, {"bfloat16", DType::BF16}, {"int64", DType::I64},
    {"int32", DType::I32}, {"int16", DType::I16}, {"int8", DType::I8}, {"uint8", DType::U8}, {"bool", DType::BOOL},
    {"uint16", DType::U16}, {"uint32", DType::U32}, {"uint64", DType::U64}, {"float8_e4m3fn", DType::F8_E4M3}, {"float8_e5m2", DType::F8_E5M2},
    {"float8_e4m3fnuz", DType::F8_E4M3FNUZ}, {"float8_e5m2fnuz", DType::F8_E5M2FNUZ}, {"float8_e8m0fnu", DType::F8_E8M0},
});
// clang-format on

/// The type that a name in the pickle stands for, or null.
template <std::size_t N>
const TorchType* torch_type(const pickle::Object& object, const pickle::Value& value,
                            const std::array<TorchType, N>& types) {
  if (value.kind != pickle::Kind::name) return nullptr;
  const std::string_view module = object.text(object.items(value)[0]), name = object.text(object.items(value)[1]);
  if (module != "torch" && module != "torch.cuda" && module != "torch.storage") return nullptr;
  for (const TorchType& type : types)
    if (type.name == name) return &type;
  return nullptr;
}

/// A number of a pickle that cannot be negative.
inline std::optional<std::uint64_t> count_of(const pickle::Value& value) {
  if (value.kind != pickle::Kind::integer || value.number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value.number);
}

/// ("storage", type, key, device, elements[, view]): numbers outside of the pickle.
struct StorageClaim {
  std::string_view key;
  const TorchType* type = nullptr;
  std::uint64_t elements = 0;
  bool view = false;  ///< a part of another storage, as versions before 0.4 wrote them
};

/// What the parts of a storage's tuple say, or nothing when they say something else: `why` then says what is wrong.
inline std::optional<StorageClaim> storage_of(const pickle::Object& object, std::span<const pickle::Value> parts,
                                              std::string& why) {
  using pickle::Kind;
  if (parts.size() < 5 || parts.size() > 6 || !object.is_text(parts[0], "storage") || parts[2].kind != Kind::text ||
      !count_of(parts[4])) {
    why = "its storage is described in an unknown way";
    return std::nullopt;
  }
  StorageClaim claim{object.text(parts[2]), torch_type(object, parts[1], storage_types), *count_of(parts[4]),
                     parts.size() == 6 && parts[5].kind != Kind::none};
  if (claim.type != nullptr) return claim;
  why = "its storage has the unknown type " + object.describe(parts[1]);
  return std::nullopt;
}

/// The same of the persistent value around the tuple.
inline std::optional<StorageClaim> storage_claim(const pickle::Object& object, const pickle::Value& value,
                                                 std::string& why) {
  if (value.kind == pickle::Kind::persistent) return storage_of(object, object.items(object.items(value)[0]), why);
  why = "its storage is " + object.describe(value);
  return std::nullopt;
}

/// A tensor as claimed by the pickle, nothing checked but its form.
struct TensorClaim {
  StorageClaim storage;
  DType dtype = DType::F32;
  std::uint64_t offset = 0;  ///< in elements, as strides
  std::vector<std::uint64_t> shape, strides;
};

/// Shape or strides: a tuple of at most 8 numbers, or torch.Size of one.
inline std::optional<std::vector<std::uint64_t>> extents_of(const pickle::Object& object, pickle::Value value) {
  if (value.kind == pickle::Kind::call && object.is_name(object.items(value)[0], "torch", "Size")) {
    const auto arguments = object.items(object.items(value)[1]);
    if (arguments.size() == 1) value = arguments[0];
  }
  const auto numbers = object.items(value);
  if ((value.kind != pickle::Kind::tuple && value.kind != pickle::Kind::list) || numbers.size() > 8) return std::nullopt;
  std::vector<std::uint64_t> extents;
  for (const pickle::Value& number : numbers) {
    const auto extent = count_of(number);
    if (!extent) return std::nullopt;
    extents.push_back(*extent);
  }
  return extents;
}

/// What the arguments of _rebuild_tensor, version 1 to 3, say.
inline std::optional<TensorClaim> rebuilt_tensor(const pickle::Object& object, std::span<const pickle::Value> arguments,
                                                 int version, std::string& why) {
  using pickle::Kind;
  const auto refuse = [&](std::string reason) {
    why = std::move(reason);
    return std::nullopt;
  };
  if (arguments.size() < (version == 1 ? 4u : version == 2 ? 6u : 7u)) return refuse("too few arguments");
  const auto storage = storage_claim(object, arguments[0], why);
  if (!storage) return std::nullopt;
  const auto offset = count_of(arguments[1]);
  const auto shape = extents_of(object, arguments[2]), strides = extents_of(object, arguments[3]);
  if (!offset || !shape || !strides || shape->size() != strides->size())
    return refuse("offset, shape and strides are no numbers of 0 or more, one per axis, for at most 8 axes");
  const TorchType* const type = version == 3 ? torch_type(object, arguments[6], tensor_types) : storage->type;
  if (type == nullptr || !type->dtype)
    return refuse("its numbers are " + (type ? std::string(type->name) : object.describe(arguments[6])));
  const std::size_t metadata = version == 3 ? 7 : 6;  // says that the numbers are to be negated or conjugated
  if (arguments.size() > metadata && !object.items(arguments[metadata]).empty())
    return refuse("it is a negated or conjugated view");
  TensorClaim claim{*storage, *type->dtype, *offset, *shape, *strides};
  if (claim.storage.type->name == "UntypedStorage") {  // counts bytes
    if (claim.storage.elements % type->bytes != 0) return refuse("its storage ends inside a number");
    claim.storage.elements /= type->bytes;
    claim.storage.type = type;
  }
  return claim;
}

/// The tensor that `value` describes, or nothing when it is no tensor that we read; `why` then says what it is.
inline std::optional<TensorClaim> tensor_claim(const pickle::Object& object, pickle::Value value, std::string& why) {
  using pickle::Kind;
  for (int depth = 0; depth < 4; ++depth) {  // a parameter of a subclass of a tensor
    why = object.describe(value);
    if (value.kind != Kind::call) return std::nullopt;
    const pickle::Value& what = object.items(value)[0];
    const auto arguments = object.items(object.items(value)[1]);
    if (object.is_name(what, "torch._utils", "_rebuild_tensor_v2")) return rebuilt_tensor(object, arguments, 2, why);
    if (object.is_name(what, "torch._utils", "_rebuild_tensor_v3")) return rebuilt_tensor(object, arguments, 3, why);
    if (object.is_name(what, "torch._utils", "_rebuild_tensor")) return rebuilt_tensor(object, arguments, 1, why);
    const bool parameter = object.is_name(what, "torch._utils", "_rebuild_parameter") ||
                           object.is_name(what, "torch._utils", "_rebuild_parameter_with_state");
    if (parameter && !arguments.empty()) {
      value = arguments[0];
    } else if (object.is_name(what, "torch._tensor", "_rebuild_from_type_v2") && arguments.size() >= 3) {
      const auto inner = object.items(arguments[2]);  // (function, type, its arguments, state)
      if (!object.is_name(arguments[0], "torch._utils", "_rebuild_tensor_v2")) return std::nullopt;
      return rebuilt_tensor(object, inner, 2, why);
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
