# SPDX-License-Identifier: MIT
# cmake -D compiler=.. -D compiler_id=.. -D flags=<response file> -D headers=<file> -D source=<file> -P check.cmake
# Fails unless `source` compiles, does not compile with -DBAD or the flag behind `// BAD: ` in it, and the output holds every expected sentence.
cmake_policy(VERSION 3.23)
set(ENV{LC_ALL} C)  # plain quotes in messages

file(STRINGS "${source}" lines REGEX "^// EXPECT(\\(${compiler_id}\\))?: ")
if(NOT lines)
  message(FATAL_ERROR "${source}: no line '// EXPECT: <sentence>' for ${compiler_id}")
endif()

set(bad -DBAD)
set(include -include "${headers}")
file(STRINGS "${source}" flag REGEX "^// BAD: ")
if(flag)
  string(REPLACE "// BAD: " "" bad "${flag}")
  set(include)  # clang refuses headers that were compiled under other flags
endif()

execute_process(COMMAND "${compiler}" "@${flags}" ${include} -fsyntax-only "${source}" RESULT_VARIABLE result ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${source}: must compile without ${bad}, but:\n${output}")
endif()

execute_process(COMMAND "${compiler}" "@${flags}" ${include} -fsyntax-only ${bad} "${source}" RESULT_VARIABLE result ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "${source}: must not compile with ${bad}, but it does")
endif()
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^// EXPECT[^:]*: " "" sentence "${line}")
  string(FIND "${output}" "${sentence}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "${source}: the compiler does not say\n  ${sentence}\nbut:\n${output}")
  endif()
endforeach()
