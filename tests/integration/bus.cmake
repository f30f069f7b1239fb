# valion-bus with plain ZeroMQ sockets around it.
find_program(PYTHON3 python3)
if(PYTHON3)
    add_test(NAME bus_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/bus_test.py --bus $<TARGET_FILE:valion-bus>
            --valion $<TARGET_FILE:valion> --python ${CMAKE_BINARY_DIR}/python)
    set_tests_properties(bus_test PROPERTIES LABELS integration TIMEOUT 180)
endif()
