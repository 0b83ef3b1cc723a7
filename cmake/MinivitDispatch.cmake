# SPDX-License-Identifier: MIT
# One program for many processors: sources compiled once for each instruction set (minivit/core/dispatch.hpp chooses between them).

# minivit_add_dispatch(<target> SOURCES <files> [LIBRARIES <targets>] [ISAS <names>])
#
# Compiles SOURCES once for each of ISAS and links all of it into <target>, which itself keeps its own flags. LIBRARIES, such as
# minivit::minivit, are linked to both; minivit::native must not be among them. ISAS: avx512_bf16, avx512_vnni, avx512, avx2, sse2 on
# x86-64 (default: avx512_bf16 avx512 avx2 sse2); elsewhere the sources are compiled once, as they are.
#
# The objects of one instruction set are joined and every symbol that does not carry its name is made local. Else the linker would
# keep one copy of, say, std::vector<float>::push_back for the whole program, perhaps the one with AVX-512 in it, and the program would
# die on older processors. GNU ld and objcopy are needed for that.
function(minivit_add_dispatch target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES;ISAS")
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "minivit_add_dispatch(<target> SOURCES <files> [LIBRARIES <targets>] [ISAS <names>]): wrong arguments '${ARGN}'.")
  endif()
  if("minivit::native" IN_LIST arg_LIBRARIES)
    message(FATAL_ERROR "minivit_add_dispatch: minivit::native would compile every version for this machine.")
  endif()
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES})
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    target_sources(${target} PRIVATE ${arg_SOURCES})
    return()
  endif()

  set(flags_avx512_bf16 -march=x86-64-v4 -mavx512vnni -mavx512bf16)
  set(flags_avx512_vnni -march=x86-64-v4 -mavx512vnni)
  set(flags_avx512 -march=x86-64-v4)
  set(flags_avx2 -march=x86-64-v3)
  set(flags_sse2 -march=x86-64)
  if(NOT arg_ISAS)
    set(arg_ISAS avx512_bf16 avx512 avx2 sse2)
  endif()

  execute_process(COMMAND "${CMAKE_LINKER}" --help OUTPUT_VARIABLE help ERROR_QUIET)
  if(NOT help MATCHES "force-group-allocation" OR NOT CMAKE_OBJCOPY)
    message(FATAL_ERROR "minivit_add_dispatch needs GNU ld and objcopy (Debian: binutils); found '${CMAKE_LINKER}' and '${CMAKE_OBJCOPY}'.")
  endif()
  foreach(isa IN LISTS arg_ISAS)
    if(NOT DEFINED flags_${isa})
      message(FATAL_ERROR "minivit_add_dispatch: expected avx512_bf16, avx512_vnni, avx512, avx2 or sse2 in ISAS, found '${isa}'.")
    endif()
    set(objects ${target}_${isa})
    add_library(${objects} OBJECT EXCLUDE_FROM_ALL ${arg_SOURCES})
    target_link_libraries(${objects} PRIVATE ${arg_LIBRARIES})
    # objcopy leaves unique symbols global
    target_compile_options(${objects} PRIVATE ${flags_${isa}} -fno-lto $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
    get_target_property(position_independent ${target} POSITION_INDEPENDENT_CODE)
    if(position_independent)
      set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    endif()
    set(joined "${CMAKE_CURRENT_BINARY_DIR}/${objects}.o")
    add_custom_command(OUTPUT "${joined}"
      COMMAND "${CMAKE_LINKER}" -r --force-group-allocation -o "${joined}.all" $<TARGET_OBJECTS:${objects}>
      COMMAND "${CMAKE_OBJCOPY}" --wildcard "--keep-global-symbol=*isa_${isa}*" "${joined}.all" "${joined}"
      COMMAND "${CMAKE_COMMAND}" -E rm "${joined}.all"
      DEPENDS ${objects} $<TARGET_OBJECTS:${objects}>
      COMMENT "Joining the ${isa} version for ${target}" COMMAND_EXPAND_LISTS VERBATIM)
    set_source_files_properties("${joined}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
    target_sources(${target} PRIVATE "${joined}")
  endforeach()
endfunction()
