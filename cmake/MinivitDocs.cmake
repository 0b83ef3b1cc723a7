# SPDX-License-Identifier: MIT
# Target `docs`: the site of docs/Doxyfile in <build>/docs/html. There is none without Doxygen (Debian: doxygen).
find_program(MINIVIT_DOXYGEN doxygen DOC "Makes the documentation's site")
mark_as_advanced(MINIVIT_DOXYGEN)
if(NOT MINIVIT_DOXYGEN)
  return()
endif()

file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/docs/Doxyfile" @ONLY CONTENT "@INCLUDE = \"@PROJECT_SOURCE_DIR@/docs/Doxyfile\"
PROJECT_NUMBER = @PROJECT_VERSION@
OUTPUT_DIRECTORY = \"@PROJECT_BINARY_DIR@/docs\"
")
add_custom_target(docs
  COMMAND "${MINIVIT_DOXYGEN}" "${PROJECT_BINARY_DIR}/docs/Doxyfile"
  COMMAND "${CMAKE_COMMAND}" -E echo "The site begins at ${PROJECT_BINARY_DIR}/docs/html/index.html"
  WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" VERBATIM)
