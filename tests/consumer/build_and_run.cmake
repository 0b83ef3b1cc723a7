# SPDX-License-Identifier: MIT
# Configures the consumer project in an empty folder, builds and runs it, and checks that no flag of ours reached it.
# With `refusal` set, the configure step must fail with that sentence instead.
# cmake -D source=.. -D binary=.. -D generator=.. -D compiler=.. -D launcher=.. -D options=.. -D refusal=.. -P build_and_run.cmake
cmake_policy(VERSION 3.23)

file(REMOVE_RECURSE "${binary}")
execute_process(
  COMMAND "${CMAKE_COMMAND}" -S "${source}" -B "${binary}" -G "${generator}" "-DCMAKE_CXX_COMPILER=${compiler}"
          "-DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS=-O1
          -DCMAKE_EXPORT_COMPILE_COMMANDS=ON ${options}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)

if(refusal)
  string(REGEX REPLACE "[ \n]+" " " words "${output}")  # CMake breaks long lines
  string(FIND "${words}" "${refusal}" position)
  if(result EQUAL 0 OR position EQUAL -1)
    message(FATAL_ERROR "configure must fail with\n  ${refusal}\nbut:\n${output}")
  endif()
  return()
endif()
if(NOT result EQUAL 0)
  message(FATAL_ERROR "configure failed:\n${output}")
endif()

file(READ "${binary}/compile_commands.json" commands)
string(JSON count LENGTH "${commands}")
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON command GET "${commands}" ${i} command)
  if(command MATCHES " (-W[^ ]*|-O[023s][^ ]*|-ffast-math|-f[a-z-]*math[^ ]*)")
    message(FATAL_ERROR "flag ${CMAKE_MATCH_1} reached the consumer:\n${command}")
  endif()
  if(command MATCHES " -m(arch|tune|avx)" AND NOT command MATCHES "consumer_native")
    message(FATAL_ERROR "a machine flag reached the consumer, which did not ask for minivit::native:\n${command}")
  endif()
  if(command MATCHES "consumer_native" AND NOT command MATCHES " -march=native")
    message(FATAL_ERROR "minivit::native does not give -march=native:\n${command}")
  endif()
  if(command MATCHES "consumer_fixed_order" AND NOT command MATCHES " -ffp-contract=off")
    message(FATAL_ERROR "minivit::fixed_order does not give -ffp-contract=off:\n${command}")
  endif()
  if(command MATCHES "FIXED_ORDER|-ffp-contract" AND NOT command MATCHES "consumer_fixed_order")
    message(FATAL_ERROR "a fixed order reached the consumer, which did not ask for minivit::fixed_order:\n${command}")
  endif()
endforeach()

execute_process(COMMAND "${CMAKE_COMMAND}" --build "${binary}" RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "build failed:\n${output}")
endif()
foreach(program consumer consumer_native consumer_fixed_order)
  execute_process(COMMAND "${binary}/${program}" COMMAND_ECHO STDOUT RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${program} failed: ${result}")
  endif()
endforeach()
