#!/usr/bin/env python3
"""Registry and orchestrator as people, programs and workers see them, good and bad: real processes,
a real bus, a real record. Each refusal has its status and reason and a sentence for people, and an
honest call right after it is served.

    services_test.py --root CHECKOUT --bin PROGRAMS --python BUILD/python --var FOLDER [unittest …]

One test by itself: services_orchestrator.Leases.test_heartbeats after the options.
"""
import sys
import unittest

import services_case  # first: it reads the options, which say where the contract is
import services_artifacts
import services_calls
import services_datasets
import services_evidence
import services_lists
import services_manager
import services_orchestrator
import services_pipelines
import services_record
import services_registry
import services_search
import services_uploads
import services_versions


def load_tests(loader, _tests, _pattern):
    """The orchestrator last: there a lease has to run out, which it mostly has by then."""
    modules = (services_calls, services_registry, services_uploads, services_artifacts,
               services_datasets, services_manager, services_evidence, services_versions,
               services_lists, services_search, services_record, services_pipelines,
               services_orchestrator)
    return unittest.TestSuite(loader.loadTestsFromModule(module) for module in modules)


def main():
    bad = []
    try:
        services_case.start()
        words = [sys.argv[0], *services_case.rest]
        result = unittest.main(argv=words, exit=False, verbosity=2).result
    finally:
        bad = services_case.stop()
    for line in bad[:20]:
        print(f"in a log: {line}")
    failed = len(result.failures) + len(result.errors) + (1 if bad else 0)
    print(f"{max(result.testsRun - failed, 0)} passed, {failed} failed", flush=True)
    return 0 if failed == 0 and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
