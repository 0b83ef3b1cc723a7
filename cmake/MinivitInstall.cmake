# SPDX-License-Identifier: MIT
# Installs headers and the package files. Each component has its own targets file, so that find_package(minivit
# COMPONENTS core) asks for nothing that core does not need. All of it is text, hence the data folder.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(minivit_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/minivit")

foreach(component IN LISTS MINIVIT_FOUND_COMPONENTS)
  install(TARGETS minivit_${component} EXPORT minivit-${component} FILE_SET HEADERS INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  if(component STREQUAL "core")
    install(TARGETS minivit_native EXPORT minivit-core)
  endif()
  install(EXPORT minivit-${component} NAMESPACE minivit:: FILE minivit-${component}-targets.cmake DESTINATION "${minivit_package_dir}")
endforeach()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/minivit-config.cmake.in" "${PROJECT_BINARY_DIR}/minivit-config.cmake"
  INSTALL_DESTINATION "${minivit_package_dir}" NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/minivit-config-version.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
    "${PROJECT_BINARY_DIR}/minivit-config.cmake"
    "${PROJECT_BINARY_DIR}/minivit-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/MinivitComponents.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/MinivitImageDecoders.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindMinivitXsimd.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindMinivitStb.cmake"
  DESTINATION "${minivit_package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
