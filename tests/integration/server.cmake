# valion-server with models made here.
if(PYTHON3)
    add_test(NAME server_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/server_test.py
            --bin ${CMAKE_BINARY_DIR}/bin --python ${CMAKE_BINARY_DIR}/python
            --var ${CMAKE_BINARY_DIR}/server)
    set_tests_properties(server_test PROPERTIES LABELS integration TIMEOUT 300)
endif()
