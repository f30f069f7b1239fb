# Registry and orchestrator, good and bad calls through the bus: a suite of its own.
if(PYTHON3)
    add_test(NAME services_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/services_test.py
            --root ${PROJECT_SOURCE_DIR} --bin ${CMAKE_BINARY_DIR}/bin
            --python ${CMAKE_BINARY_DIR}/python --var ${CMAKE_BINARY_DIR}/services_test)
    set_tests_properties(services_test PROPERTIES LABELS integration TIMEOUT 300 RUN_SERIAL TRUE)
endif()
