# The record, and what programs of other releases understand: suites of their own, in real processes.
if(PYTHON3)
    foreach(name record upgrade)
        add_test(NAME ${name}_test
            COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/${name}_test.py
                --root ${PROJECT_SOURCE_DIR} --bin ${CMAKE_BINARY_DIR}/bin
                --python ${CMAKE_BINARY_DIR}/python --var ${CMAKE_BINARY_DIR}/${name})
        set_tests_properties(${name}_test PROPERTIES LABELS integration TIMEOUT 300 RUN_SERIAL TRUE)
    endforeach()
endif()
