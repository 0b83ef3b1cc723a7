# SPDX-License-Identifier: MIT
# Finds the xsimd headers and wraps them as minivit::xsimd, an include folder and nothing else. Debian's own target
# `xsimd` (8.1) passes -lxtl to the linker, a library that its package does not bring, so it is never linked.
# Debian, vcpkg and plain installs are found by folder; a Conan install may be known only through its config file.

find_path(MinivitXsimd_INCLUDE_DIR NAMES xsimd/xsimd.hpp DOC "Folder that holds xsimd/xsimd.hpp")
mark_as_advanced(MinivitXsimd_INCLUDE_DIR)

if(NOT MinivitXsimd_INCLUDE_DIR)
  find_package(xsimd CONFIG QUIET)
  foreach(target xsimd xsimd::xsimd)
    if(TARGET ${target})
      get_target_property(MinivitXsimd_INCLUDE_DIR ${target} INTERFACE_INCLUDE_DIRECTORIES)
    endif()
  endforeach()
endif()

set(MinivitXsimd_VERSION)
if(EXISTS "${MinivitXsimd_INCLUDE_DIR}/xsimd/config/xsimd_config.hpp")
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS "${MinivitXsimd_INCLUDE_DIR}/xsimd/config/xsimd_config.hpp" line REGEX "define XSIMD_VERSION_${part} +[0-9]+")
    string(REGEX MATCH "[0-9]+$" number "${line}")
    list(APPEND MinivitXsimd_VERSION ${number})
  endforeach()
  list(JOIN MinivitXsimd_VERSION "." MinivitXsimd_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MinivitXsimd REQUIRED_VARS MinivitXsimd_INCLUDE_DIR VERSION_VAR MinivitXsimd_VERSION)

if(MinivitXsimd_FOUND AND NOT TARGET minivit::xsimd)
  add_library(minivit::xsimd INTERFACE IMPORTED)
  set_target_properties(minivit::xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${MinivitXsimd_INCLUDE_DIR}")
endif()
