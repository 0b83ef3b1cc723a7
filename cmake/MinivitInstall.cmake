# SPDX-License-Identifier: MIT
# Installs headers and the package files. Each component has its own targets file, so that find_package(minivit
# COMPONENTS core) asks for nothing that core does not need. All of it is text, hence the data folder.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(minivit_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/minivit")

foreach(component IN LISTS MINIVIT_FOUND_COMPONENTS)
  install(TARGETS minivit_${component} EXPORT minivit-${component} FILE_SET HEADERS INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  if(component STREQUAL "core")
    install(TARGETS minivit_native minivit_fixed_order EXPORT minivit-core)
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
    "${PROJECT_SOURCE_DIR}/cmake/MinivitDispatch.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/MinivitImageDecoders.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindMinivitXsimd.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindMinivitStb.cmake"
  DESTINATION "${minivit_package_dir}")

# For builds without CMake. range-v3 and stb have no pkg-config file everywhere; their headers are looked for in the usual folders.
set(minivit_pc_requires xsimd)
set(minivit_pc_flags)
if(MINIVIT_NO_TBB)
  set(minivit_pc_flags " -DMINIVIT_NO_TBB")
else()
  list(APPEND minivit_pc_requires tbb)
endif()
if("io" IN_LIST MINIVIT_FOUND_COMPONENTS)
  list(APPEND minivit_pc_requires nlohmann_json)
endif()
list(JOIN minivit_pc_requires " " minivit_pc_requires)
configure_file("${PROJECT_SOURCE_DIR}/cmake/minivit.pc.in" "${PROJECT_BINARY_DIR}/minivit.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/minivit.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")

# Everything in one file, in <build>/single_header/minivit/minivit.hpp.
find_program(MINIVIT_AWK awk DOC "Makes the single header")
mark_as_advanced(MINIVIT_AWK)
if(MINIVIT_AWK AND TARGET minivit_minivit)
  minivit_headers(headers core simd kernels ops layers models analysis train)
  list(TRANSFORM headers REPLACE "^${PROJECT_SOURCE_DIR}/include/" "")
  set(single_header "${PROJECT_BINARY_DIR}/single_header/minivit")
  add_custom_target(single_header
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${single_header}"
    COMMAND "${MINIVIT_AWK}" -v "out=${single_header}/minivit.hpp" -f cmake/single_header.awk include ${headers} minivit/minivit.hpp
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" COMMENT "Writing ${single_header}/minivit.hpp" VERBATIM)
endif()

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
