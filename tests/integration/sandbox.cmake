# valion-sandbox with models made by the tests, and with those of VALION_TEST_DATA.
pkg_check_modules(xgboost REQUIRED IMPORTED_TARGET xgboost)
pkg_check_modules(onnxruntime REQUIRED IMPORTED_TARGET libonnxruntime)
valion_test(sandbox_test SOURCES sandbox_test.c
    LINKS valion_ml valion_test_onnx sandbox_models PkgConfig::onnxruntime m
    LABELS integration TIMEOUT 300)
target_compile_definitions(sandbox_test PRIVATE
    VALION_SANDBOX="$<TARGET_FILE:valion-sandbox>")
add_dependencies(sandbox_test valion-sandbox)
valion_test(sandbox_data_test SOURCES sandbox_data_test.c
    LINKS valion_ml valion_test_onnx PkgConfig::yyjson m
    LABELS integration TIMEOUT 300)
target_compile_definitions(sandbox_data_test PRIVATE
    VALION_SANDBOX="$<TARGET_FILE:valion-sandbox>")
add_dependencies(sandbox_data_test valion-sandbox)
valion_test(predictor_test SOURCES predictor_test.c LINKS valion_ml valion_test_onnx m
    LABELS integration TIMEOUT 300)
target_compile_definitions(predictor_test PRIVATE VALION_SANDBOX="$<TARGET_FILE:valion-sandbox>")
add_dependencies(predictor_test valion-sandbox)
valion_test(native_test SOURCES native_test.c
    LINKS trainer_prepare valion_ml valion_test_onnx sandbox_models m
    LABELS integration TIMEOUT 300)
target_compile_definitions(native_test PRIVATE VALION_SANDBOX="$<TARGET_FILE:valion-sandbox>")
add_dependencies(native_test valion-sandbox)
