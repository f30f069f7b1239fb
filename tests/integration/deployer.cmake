# Rollouts over a suite of its own, with servers and HAProxy.
if(PYTHON3)
    add_test(NAME deployer_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/deployer_test.py
            --root ${PROJECT_SOURCE_DIR} --bin ${CMAKE_BINARY_DIR}/bin
            --python ${CMAKE_BINARY_DIR}/python --var ${CMAKE_BINARY_DIR}/deployer)
    set_tests_properties(deployer_test PROPERTIES LABELS integration TIMEOUT 600 RUN_SERIAL TRUE)
endif()
