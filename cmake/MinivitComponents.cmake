# SPDX-License-Identifier: MIT
# What each component consists of and what it needs: the one table for the build and for find_package(minivit).
# The component `minivit` is the umbrella header and everything below.

set(MINIVIT_COMPONENTS core io data train)

set(MINIVIT_core_FLOORS core simd kernels ops layers models testing analysis)
set(MINIVIT_core_PACKAGES MinivitXsimd TBB Threads)

set(MINIVIT_io_FLOORS io)
set(MINIVIT_io_PACKAGES nlohmann_json)

set(MINIVIT_data_FLOORS data)
set(MINIVIT_data_PACKAGES range-v3 MinivitStb)

set(MINIVIT_train_FLOORS train)
set(MINIVIT_train_PACKAGES)

if(MINIVIT_NO_TBB)
  list(REMOVE_ITEM MINIVIT_core_PACKAGES TBB)
endif()

# Per package: arguments of find_package, target to link, and how a message names it.
set(MINIVIT_MinivitXsimd_FIND 8.1 MODULE)
set(MINIVIT_MinivitXsimd_TARGET minivit::xsimd)
set(MINIVIT_MinivitXsimd_NAME "xsimd 8.1 or newer (Debian: libxsimd-dev)")
set(MINIVIT_TBB_FIND)
set(MINIVIT_TBB_TARGET TBB::tbb)
set(MINIVIT_TBB_NAME "oneTBB (Debian: libtbb-dev; or configure with MINIVIT_NO_TBB=ON for a serial build)")
set(MINIVIT_Threads_FIND)
set(MINIVIT_Threads_TARGET Threads::Threads)
set(MINIVIT_Threads_NAME "a thread library")
set(MINIVIT_nlohmann_json_FIND)
set(MINIVIT_nlohmann_json_TARGET nlohmann_json::nlohmann_json)
set(MINIVIT_nlohmann_json_NAME "nlohmann-json (Debian: nlohmann-json3-dev)")
set(MINIVIT_range-v3_FIND)
set(MINIVIT_range-v3_TARGET range-v3::range-v3)
set(MINIVIT_range-v3_NAME "range-v3 (Debian: librange-v3-dev)")
set(MINIVIT_MinivitStb_FIND MODULE)
set(MINIVIT_MinivitStb_TARGET minivit::stb)
set(MINIVIT_MinivitStb_NAME "stb_image (Debian: libstb-dev)")

# Looks for the packages of one component; sets `missing` to the names of those not found, as a sentence part.
# A macro, because find modules set variables that later calls in the same scope rely on.
macro(minivit_find_packages component missing)
  set(${missing})
  foreach(_minivit_package IN LISTS MINIVIT_${component}_PACKAGES)
    if(NOT TARGET ${MINIVIT_${_minivit_package}_TARGET})
      find_package(${_minivit_package} ${MINIVIT_${_minivit_package}_FIND} QUIET)
    endif()
    if(NOT TARGET ${MINIVIT_${_minivit_package}_TARGET})
      list(APPEND ${missing} "${MINIVIT_${_minivit_package}_NAME}")
    endif()
  endforeach()
  list(JOIN ${missing} " and " ${missing})
endmacro()
