# How the rooms of the house are built: flags, one function a kind of target.

set(VALION_C_FLAGS
    -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wwrite-strings -Wcast-qual -Wformat=2 -Werror
    -fno-omit-frame-pointer -fstack-protector-strong)

# valion_library(NAME SOURCES a.c … LINKS other …): a room, or a domain. What it may use is what it
# links: headers travel with the target.
function(valion_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_compile_options(${name} PRIVATE ${VALION_C_FLAGS})
    target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_LINKS})
endfunction()

# valion_program(NAME SOURCES … LINKS …): an executable in bin/ of the build tree.
function(valion_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_compile_options(${name} PRIVATE ${VALION_C_FLAGS})
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE ${ARG_LINKS})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# Runs a test that needs a PostgreSQL: LAUNCHER ${VALION_WITH_POSTGRES}.
set(VALION_WITH_POSTGRES ${PROJECT_SOURCE_DIR}/tests/support/with_postgres)

# valion_test(NAME SOURCES … LINKS … [LABELS unit] [LAUNCHER program]): one Criterion program, one
# ctest entry.
function(valion_test name)
    cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINKS;LABELS;LAUNCHER" ${ARGN})
    if(NOT VALION_TESTS)
        return()
    endif()
    add_executable(${name} ${ARG_SOURCES})
    target_compile_options(${name} PRIVATE ${VALION_C_FLAGS} -Wno-missing-prototypes -Wno-pedantic
        -Wno-conversion -Wno-write-strings -Wno-cast-qual)
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE ${ARG_LINKS} PkgConfig::criterion)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    if(NOT ARG_LABELS)
        set(ARG_LABELS unit)
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 120)
    endif()
    add_test(NAME ${name} COMMAND ${ARG_LAUNCHER} $<TARGET_FILE:${name}>)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
        SKIP_REGULAR_EXPRESSION "SKIPPED WHOLE")
endfunction()

# valion_fuzz(NAME SOURCES … LINKS …): a libFuzzer target where Clang builds; elsewhere the same
# code replays the corpus, so that a finding stays found.
function(valion_fuzz name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
    if(NOT VALION_TESTS)
        return()
    endif()
    if(VALION_FUZZ)
        add_executable(${name} ${ARG_SOURCES})
        target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        add_executable(${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.c)
    endif()
    target_compile_options(${name} PRIVATE ${VALION_C_FLAGS} -Wno-missing-prototypes)
    target_link_libraries(${name} PRIVATE ${ARG_LINKS})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    if(NOT VALION_FUZZ)
        add_test(NAME ${name} COMMAND ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
        set_tests_properties(${name} PROPERTIES LABELS "unit;fuzz" TIMEOUT 120)
    endif()
endfunction()

# valion_migrations(TARGET SYMBOL FILES MAJOR_MINOR_name.sql …): the files as a table of
# vln_migration_t named SYMBOL, compiled into TARGET; SYMBOL_count rows, in the order of the files.
function(valion_migrations target symbol)
    cmake_parse_arguments(ARG "" "" "FILES" ${ARGN})
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
    set(paths)
    foreach(file ${ARG_FILES})
        list(APPEND paths ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    endforeach()
    string(JOIN "|" joined ${paths})
    add_custom_command(
        OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DSYMBOL=${symbol} "-DFILES=${joined}"
            -P ${PROJECT_SOURCE_DIR}/cmake/EmbedMigrations.cmake
        DEPENDS ${paths} ${PROJECT_SOURCE_DIR}/cmake/EmbedMigrations.cmake
        VERBATIM)
    target_sources(${target} PRIVATE ${out})
endfunction()
