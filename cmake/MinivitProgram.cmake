# SPDX-License-Identifier: MIT
# How this project's own programs are built: strict warnings, all into <build>/bin. None of it reaches users.

add_library(minivit_warnings INTERFACE)
target_compile_options(minivit_warnings INTERFACE
  $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang,AppleClang>:-Wall;-Wextra;-Wconversion;-Wshadow>
  # False alarms of GCC 12 at -O3, gone in 13: overlapping copies in "text" + std::string (its bug 105651), overflows in
  # vectorised loops over a vector (100137), members of a temporary made by designated initialisers that are never empty
  $<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict;-Wno-stringop-overflow;-Wno-maybe-uninitialized>)

if(NOT DEFINED CMAKE_COMPILE_WARNING_AS_ERROR)
  set(CMAKE_COMPILE_WARNING_AS_ERROR ON)  # `cmake --compile-no-warning-as-error` turns it off
endif()

# minivit_add_program(<target> SOURCES <files> [LIBRARIES <targets>] [OUTPUT_NAME <name>])
function(minivit_add_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT_NAME" "SOURCES;LIBRARIES")
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} minivit_warnings)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  if(arg_OUTPUT_NAME)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME "${arg_OUTPUT_NAME}")
  endif()
endfunction()
