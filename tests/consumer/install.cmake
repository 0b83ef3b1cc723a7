# SPDX-License-Identifier: MIT
# cmake -D build=<build folder> -D config=.. -D prefix=<folder, emptied first> -P install.cmake
cmake_policy(VERSION 3.23)

file(REMOVE_RECURSE "${prefix}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${build}" --config "${config}" --prefix "${prefix}"
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
foreach(file include/minivit/core/view.hpp include/minivit/simd/batch.hpp share/cmake/minivit/minivit-config.cmake
             share/cmake/minivit/minivit-config-version.cmake share/cmake/minivit/MinivitDispatch.cmake share/pkgconfig/minivit.pc share/doc/minivit/LICENSE)
  if(NOT EXISTS "${prefix}/${file}")
    message(FATAL_ERROR "${file} was not installed")
  endif()
endforeach()

file(GLOB_RECURSE installed "${prefix}/share/cmake/*.cmake")
foreach(file IN LISTS installed)
  file(STRINGS "${file}" lines REGEX "${build}|${prefix}")
  if(lines)
    message(FATAL_ERROR "${file} names a folder of this machine, so the install cannot be moved:\n${lines}")
  endif()
endforeach()
