# SPDX-License-Identifier: MIT
# An overlay port of the source folder that it lies in: vcpkg install minivit --overlay-ports=<minivit>/cmake/recipes
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(VCPKG_BUILD_TYPE release)  # headers only
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DMINIVIT_BUILD_TESTS=OFF -DMINIVIT_BUILD_EXAMPLES=OFF -DMINIVIT_BUILD_BENCH=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/minivit)
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
