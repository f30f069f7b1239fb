# The endpoint engine against valion-server, and against a server that misbehaves.
if(PYTHON3)
    valion_program(endpoint_probe SOURCES endpoint_probe.c LINKS valion_endpoint valion_proto)
    add_test(NAME endpoint_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/endpoint_test.py
            --bin ${CMAKE_BINARY_DIR}/bin --var ${CMAKE_BINARY_DIR}/endpoint)
    set_tests_properties(endpoint_test PROPERTIES LABELS integration TIMEOUT 300)
endif()
