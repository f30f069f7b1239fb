# A worker's life over a suite of its own.
if(PYTHON3)
    add_test(NAME worker_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/worker_test.py
            --root ${PROJECT_SOURCE_DIR} --bin ${CMAKE_BINARY_DIR}/bin
            --python ${CMAKE_BINARY_DIR}/python --var ${CMAKE_BINARY_DIR}/worker)
    set_tests_properties(worker_test PROPERTIES LABELS "integration;threads" TIMEOUT 300 RUN_SERIAL TRUE)
endif()
