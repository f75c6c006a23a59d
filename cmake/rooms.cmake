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

# room_test(NAME [SOURCES patterns...] [USES rooms...] [FOREIGN targets...] [SERVER fixture])
# One test program a room, of every *_test.cc file of the folder, or of those that the patterns name. With SERVER its
# tests need what the fixture of this name starts.
function(room_test name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "SERVER" "SOURCES;USES;FOREIGN")
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
  set(properties TIMEOUT 120)
  if(room_SERVER)
    list(APPEND properties FIXTURES_REQUIRED ${room_SERVER})
  endif()
  gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES PROPERTIES ${properties})
endfunction()
