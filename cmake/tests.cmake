# SPDX-License-Identifier: Apache-2.0
# Each tests/{unit,ops,engine}/test_*.c is its own program and ctest test, labelled with its folder; other .c files of the
# folder, and the reader of tests/golden, are linked into each. tests/cli/*.sh run
# the program named by $FOVEA; tests/tools/*.sh check the checkers of tools/; tests/fuzz/fuzz_*.c replay their corpus (or
# are libFuzzer programs: FOVEA_FUZZ).
# Exit status 77 means skipped.
set(test_environment "OMP_WAIT_POLICY=passive")        # several tests share the cores
if(FOVEA_SANITIZE MATCHES "thread")
    # libgomp is not instrumented: its barriers would be reported. Our own threads are what this build looks at.
    list(APPEND test_environment "OMP_THREAD_LIMIT=1" "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:allocator_may_return_null=1")
elseif(FOVEA_SANITIZE)
    list(APPEND test_environment "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=1"
        "UBSAN_OPTIONS=print_stacktrace=1" "FOVEA_TEST_OOM_STRIDE=7")        # all of them: 6 minutes by hand
endif()
if(TARGET fovea_program)
    list(APPEND test_environment "FOVEA=$<TARGET_FILE:fovea_program>")
endif()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/test_work)

function(fovea_test name label)
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_BINARY_DIR}/test_work)
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 1200 SKIP_RETURN_CODE 77
        ENVIRONMENT "${test_environment}")
endfunction()

# Tests see the internal headers and every internal symbol (static library).
function(fovea_test_program name)
    add_executable(${name} ${ARGN})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_include_directories(${name} PRIVATE src tests ${GENERATED})
    target_compile_definitions(${name} PRIVATE FOVEA_TESTS_DIR="${CMAKE_SOURCE_DIR}/tests")
    target_compile_options(${name} PRIVATE -ffp-contract=off)
    target_link_libraries(${name} PRIVATE fovea_static)
endfunction()

foreach(folder unit ops engine)
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/test_*.c)
    file(GLOB helpers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/*.c ${CMAKE_SOURCE_DIR}/tests/golden/*.c)
    list(FILTER helpers EXCLUDE REGEX "/test_[^/]*$")
    if(folder STREQUAL "unit")
        set(helpers "")
    endif()
    foreach(path ${found})
        cmake_path(GET path STEM name)
        fovea_test_program(${name} ${path} ${helpers})
        fovea_test(${name} ${folder} ${name})
    endforeach()
endforeach()

if(TARGET fovea_program)
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cli/*.sh)
    foreach(path ${found})
        cmake_path(GET path STEM name)
        fovea_test(cli_${name} cli sh ${path})
    endforeach()
endif()

file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/tools/*.sh)
foreach(path ${found})
    cmake_path(GET path STEM name)
    fovea_test(tools_${name} tools sh ${path} ${CMAKE_SOURCE_DIR})
endforeach()

file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
foreach(path ${found})
    cmake_path(GET path STEM name)
    string(REPLACE "fuzz_" "" subject ${name})
    if(FOVEA_FUZZ)
        fovea_test_program(${name} ${path})
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        fovea_test_program(${name} ${path} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
        fovea_test(${name} fuzz ${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${subject})
    endif()
endforeach()

# Benchmarks: bench_*.c of bench/ and its folders, built by `ninja bench_programs` only.
add_custom_target(bench_programs)
file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/bench_*.c ${CMAKE_SOURCE_DIR}/bench/*/bench_*.c)
foreach(path ${found})
    cmake_path(GET path STEM name)
    fovea_test_program(${name} ${path})
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
    add_dependencies(bench_programs ${name})
endforeach()

# The longest is started first: nothing waits for it at the end.
set_tests_properties(test_parity PROPERTIES COST 1000)
