// SPDX-License-Identifier: MIT
// Replaces the program's operator new and delete, so that a test sees every allocation and may refuse it. Included by one
// source of a program, which defines the two functions declared here.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace replaced {

/// What new returns for size bytes at a multiple of align. A null pointer becomes std::bad_alloc, or null where the caller
/// asked for that.
void* allocate(std::size_t size, std::size_t align);
/// What delete does; p may be null.
void give_back(void* p) noexcept;

/// size bytes of the C library's, at a multiple of align; null where there are none.
inline void* from_library(std::size_t size, std::size_t align) {
  if (align <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(size ? size : 1);
  return std::aligned_alloc(align, (size + align - 1) / align * align);
}

inline void* or_throw(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace replaced

// The array forms end in these. The library's nothrow forms do, too, but those of the sanitizers don't, and our delete must
// not give their memory back. Not inlined, because GCC 12 then takes free for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return replaced::or_throw(replaced::allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t align) {
  return replaced::or_throw(replaced::allocate(size, static_cast<std::size_t>(align)));
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return replaced::allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t align, const std::nothrow_t&) noexcept {
  return replaced::allocate(size, static_cast<std::size_t>(align));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { replaced::give_back(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { replaced::give_back(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { replaced::give_back(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { replaced::give_back(p); }
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept { replaced::give_back(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { replaced::give_back(p); }
