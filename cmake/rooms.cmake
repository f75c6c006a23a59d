# A room is one folder, one static library, and the list of what it may use. The list repeats the
# dependency table of docs/design.md; tests/meta/layers_test.cc checks the #include lines against it.

add_library(rapporteur_flags INTERFACE)
target_compile_options(rapporteur_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 warns of overlapping copies inside std::string's own operator+ at -O3, falsely (GCC bug 105329).
  target_compile_options(rapporteur_flags INTERFACE -Wno-restrict)
endif()
if(RAPPORTEUR_WERROR)
  target_compile_options(rapporteur_flags INTERFACE -Werror)
endif()
if(RAPPORTEUR_SANITIZE)
  target_compile_options(rapporteur_flags INTERFACE
    -fsanitize=${RAPPORTEUR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(rapporteur_flags INTERFACE -fsanitize=${RAPPORTEUR_SANITIZE})
  if(RAPPORTEUR_SANITIZE MATCHES address AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # With these two checks g++ 12 takes twice the time and makes five times the data. Null pointers are stopped by
    # AddressSanitizer as well, and clang's builds (scripts/fuzz) check both.
    target_compile_options(rapporteur_flags INTERFACE -fno-sanitize=null,alignment)
    # Where a sanitizer's tables need no relocation, a program starts in half the time.
    target_link_options(rapporteur_flags INTERFACE -no-pie)
  endif()
endif()

# room(NAME [USES rooms...] [FOREIGN targets...])
# The library is made of every .cc file of the folder. FOREIGN libraries are private to the room.
function(room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "USES;FOREIGN")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_library(room_${name} STATIC ${sources})
  target_include_directories(room_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  foreach(used IN LISTS room_USES)
    target_link_libraries(room_${name} PUBLIC room_${used})
  endforeach()
  target_link_libraries(room_${name} PRIVATE rapporteur_flags ${room_FOREIGN} Threads::Threads)
endfunction()

# room_test(NAME [SOURCES patterns...] [USES rooms...] [FOREIGN targets...] [SERVER fixture] [SHARDS number])
# One test program a room, of every *_test.cc file of the folder, or of those that the patterns name. With SERVER its
# tests need what the fixture of this name starts. ctest runs the program as a whole, because a start under
# AddressSanitizer takes longer than most tests; with SHARDS as so many runs, each of a part of its tests.
function(room_test name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "SERVER;SHARDS" "SOURCES;USES;FOREIGN")
  if(NOT room_SOURCES)
    set(room_SOURCES *_test.cc)
  endif()
  list(TRANSFORM room_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  file(GLOB sources CONFIGURE_DEPENDS ${room_SOURCES})
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name}_test PRIVATE
    SOURCE_ROOT="${PROJECT_SOURCE_DIR}" TEST_ROOT="${PROJECT_SOURCE_DIR}/tests" BUILD_ROOT="${PROJECT_BINARY_DIR}")
  foreach(used IN LISTS room_USES)
    target_link_libraries(${name}_test PRIVATE room_${used})
  endforeach()
  target_link_libraries(${name}_test PRIVATE rapporteur_flags ${room_FOREIGN}
    GTest::gmock GTest::gmock_main Threads::Threads)
  if(NOT room_SHARDS)
    set(room_SHARDS 1)
  endif()
  foreach(shard RANGE 1 ${room_SHARDS})
    set(test ${name})
    if(room_SHARDS GREATER 1)
      set(test ${name}.${shard}of${room_SHARDS})
    endif()
    math(EXPR index "${shard} - 1")
    add_test(NAME ${test} COMMAND ${name}_test)
    set_tests_properties(${test} PROPERTIES
      TIMEOUT 600 ENVIRONMENT "GTEST_BRIEF=1;GTEST_TOTAL_SHARDS=${room_SHARDS};GTEST_SHARD_INDEX=${index}")
    if(room_SERVER)
      set_tests_properties(${test} PROPERTIES FIXTURES_REQUIRED ${room_SERVER})
    endif()
  endforeach()
endfunction()
