# The endpoint engine against valion-server, and against a server that misbehaves.
if(PYTHON3)
    valion_program(endpoint_probe SOURCES endpoint_probe.c LINKS valion_endpoint valion_proto)
    add_test(NAME endpoint_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/endpoint_test.py
            --bin ${CMAKE_BINARY_DIR}/bin --var ${CMAKE_BINARY_DIR}/endpoint)
    set_tests_properties(endpoint_test PROPERTIES LABELS integration TIMEOUT 300)
    add_test(NAME validator_endpoint_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/validator_endpoint_test.py
            --root ${PROJECT_SOURCE_DIR} --bin ${CMAKE_BINARY_DIR}/bin
            --python ${CMAKE_BINARY_DIR}/python --var ${CMAKE_BINARY_DIR}/validator_endpoint)
    set_tests_properties(validator_endpoint_test PROPERTIES LABELS integration TIMEOUT 300
        RUN_SERIAL TRUE)
endif()
