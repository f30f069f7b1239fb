# What a developer does, each a line over CMake presets and scripts. Runs on Debian 13 or in the box.
.PHONY: help build test check lint format asan tsan fuzz up down status soak clean

help:            ## this list
	@grep -E '^[a-z ]+:.*## ' Makefile | sed -E 's/^([a-z ]+):.*## (.*)/  make \1\t\2/' | expand -t 26

build:           ## GCC with ASan and UBSan, in build/dev
	scripts/box scripts/build dev

check: build     ## format, warnings as errors, unit tests: under three minutes
	scripts/box bash -c 'scripts/lint --only format build/dev && scripts/lint --only banned build/dev && ctest --test-dir build/dev -L unit --output-on-failure -j 2'

test:            ## everything that CI runs
	scripts/test

lint: build      ## clang-format, clang-tidy, cppcheck, banned functions
	scripts/box scripts/lint build/dev

format:          ## write the format
	scripts/box scripts/lint --fix --only format

asan tsan:       ## Clang with the sanitizer of that name
	scripts/box scripts/build $@

fuzz:            ## every fuzz target with libFuzzer for a minute
	FUZZ_SECONDS=60 scripts/soak fuzz

soak:            ## the long tests
	scripts/soak

up down status:  ## the suite under ./var
	scripts/$@

clean:           ## what was built; ./var stays
	rm -rf build
