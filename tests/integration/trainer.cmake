# The trainer over a suite of its own.
if(PYTHON3)
    add_test(NAME trainer_test
        COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/trainer_test.py
            --root ${PROJECT_SOURCE_DIR} --bin ${CMAKE_BINARY_DIR}/bin
            --python ${CMAKE_BINARY_DIR}/python --var ${CMAKE_BINARY_DIR}/trainer)
    set_tests_properties(trainer_test PROPERTIES LABELS integration TIMEOUT 400 RUN_SERIAL TRUE)
endif()
