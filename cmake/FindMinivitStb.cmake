# SPDX-License-Identifier: MIT
# Finds stb_image.h and stb_image_write.h, which come without a CMake file, and wraps their folder as minivit::stb.
# Debian and Conan have stb/stb_image.h or stb_image.h, vcpkg has stb_image.h; the includer asks __has_include.

find_path(MinivitStb_INCLUDE_DIR NAMES stb/stb_image_write.h stb_image_write.h DOC "Folder of stb/stb_image.h or stb_image.h")
mark_as_advanced(MinivitStb_INCLUDE_DIR)

if(NOT MinivitStb_INCLUDE_DIR)
  find_package(stb CONFIG QUIET)  # Conan
  if(TARGET stb::stb)
    get_target_property(MinivitStb_INCLUDE_DIR stb::stb INTERFACE_INCLUDE_DIRECTORIES)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MinivitStb REQUIRED_VARS MinivitStb_INCLUDE_DIR)

if(MinivitStb_FOUND AND NOT TARGET minivit::stb)
  add_library(minivit::stb INTERFACE IMPORTED)
  set_target_properties(minivit::stb PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${MinivitStb_INCLUDE_DIR}")
endif()
