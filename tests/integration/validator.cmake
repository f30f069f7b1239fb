# The validator over a suite of its own: what it says of versions that were trained, and of files that
# were brought.
if(PYTHON3)
    valion_program(validator_models SOURCES validator_models.c
        LINKS valion_ml valion_test_onnx sandbox_models)
    add_test(NAME validator_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/validator_test.py
            --root ${PROJECT_SOURCE_DIR} --bin ${CMAKE_BINARY_DIR}/bin
            --python ${CMAKE_BINARY_DIR}/python --var ${CMAKE_BINARY_DIR}/validator)
    set_tests_properties(validator_test PROPERTIES LABELS integration TIMEOUT 300 RUN_SERIAL TRUE)
    add_test(NAME validator_data_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/validator_data_test.py
            --root ${PROJECT_SOURCE_DIR} --bin ${CMAKE_BINARY_DIR}/bin
            --python ${CMAKE_BINARY_DIR}/python --var ${CMAKE_BINARY_DIR}/validator_data)
    set_tests_properties(validator_data_test PROPERTIES LABELS "integration;data" TIMEOUT 600
        RUN_SERIAL TRUE SKIP_REGULAR_EXPRESSION "SKIPPED WHOLE")
endif()
