#!/usr/bin/env python3
"""The validator and the engine ENDPOINT: a version is judged by what a server answers as by its own
files, and only a server that is allowed is asked. Real suite, real valion-server.

    validator_endpoint_test.py --root SOURCES --bin PROGRAMS --python BUILD/python --var FOLDER
        [unittest …]
"""
import argparse
import os
import subprocess
import sys
import unittest

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path[:0] = [args.python, os.path.dirname(os.path.abspath(__file__))]

from endpoint_support import NAMES, BadServer, ModelServer, fresh  # noqa: E402
from suite_support import Suite  # noqa: E402
from valion.v1 import evidence_pb2, orchestrator_pb2 as orchestrator  # noqa: E402
from validator_support import Person, as_csv  # noqa: E402

suite = Suite(args.root, args.bin, os.path.join(args.var, "suite"), 26101, validator=1)
admin = model = bad = None
ENDPOINT = evidence_pb2.ENGINE_ENDPOINT


def data(name):
    return evidence_pb2.DataRef(name=name)


def validate(url, **fields):
    return {"model": "houses", "data": [data("rows")], "target": "price", "policy": "kept",
            "engine": ENDPOINT, "endpoint_url": url, **fields}


def judged(**fields):
    return admin.report(admin.done("validate", **fields).report_id)


def by_name(report):
    return {check.name: check for check in report.checks}


class Endpoint(unittest.TestCase):
    def test_judges_as_the_files_do(self):
        here = judged(model="houses", data=[data("rows")], target="price", policy="kept")
        there = judged(**validate(model.url))
        self.assertEqual((there.engine, there.engine_version), (ENDPOINT, "houses 1.0.0"))
        self.assertEqual(here.engine, evidence_pb2.ENGINE_NATIVE)
        self.assertEqual(list(there.metrics), list(here.metrics))
        self.assertEqual(there.verdict, here.verdict)
        self.assertFalse(there.warnings)
        for name in ("stable", "small"):
            self.assertEqual(by_name(there)[name].sentence, by_name(here)[name].sentence)
        again = judged(**validate(model.url))
        self.assertEqual(again.digest, there.digest)

    def test_another_model_than_the_version_is_warned_of(self):
        report = judged(**validate(bad.url("good")))
        self.assertEqual(report.engine_version, "bad 1")
        self.assertIn("served bad 1, and not houses 1.0.0", report.warnings[0])

    def test_addresses_that_are_not_allowed_are_not_asked(self):
        bad.counts.clear()
        other = bad.address.replace("127.0.0.1", "localhost")
        for url in (other + "/v2/models/good", "http://127.0.0.1:1/v2/models/good"):
            sentence = admin.refused("validate", **validate(url))
            self.assertIn("--endpoints", sentence)
        self.assertIn("http://", admin.refused("validate", **validate("file:///etc/passwd")))
        self.assertIn("/v2/models/NAME", admin.refused("validate", **validate(bad.address)))
        self.assertFalse(bad.counts)

    def test_engine_and_address_go_together(self):
        self.assertIn("endpoint_url", admin.refused("validate", **validate("")))
        self.assertIn("ENDPOINT", admin.refused(
            "validate", **validate(model.url, engine=evidence_pb2.ENGINE_NATIVE)))

    def test_a_server_that_fails_fails_the_task(self):
        sentence = admin.refused("validate", **validate(bad.url("error")))
        self.assertIn("HTTP 500", sentence)
        self.assertIn("not of the", admin.refused("validate", **validate(bad.url("few_rows"))))
        self.assertIn("no input", admin.refused("validate", **validate(bad.url("other_model"))))

    def test_a_cancelled_task_leaves_a_server_that_hangs(self):
        job = admin.submit("validate", **validate(bad.url("hang")))
        bad.asked["hang"].wait(30)
        admin.get("CancelJob", "orchestrator", job_id=job)
        self.assertEqual(admin.wait(job).state, orchestrator.TASK_STATE_CANCELLED)
        admin.done("profile", data=data("rows"))  # by the one slot

    def test_the_command_line_asks_for_it(self):
        done = suite.cli("validate", "houses", "--data", "rows", "--target", "price", "--policy",
                         "kept", "--engine", "endpoint", "--endpoint-url", model.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        newest = admin.report(admin.reports("houses")[0].report_id)
        self.assertEqual(newest.engine, ENDPOINT)

    def test_a_validator_with_a_wrong_list_does_not_start(self):
        done = subprocess.run([os.path.join(args.bin, "valion-validator"), "--endpoints",
                               "models.example"], text=True, capture_output=True, timeout=30,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--endpoints: an address begins with http://", done.stderr)


def prepare():
    rows = [row for row in model.rows if all(cell == cell for cell in row)] * 60
    prices = [answers[0] + (i % 7 - 3) / 10
              for i, answers in enumerate([answer for row, answer in
                                           zip(model.rows, model.answers)
                                           if all(cell == cell for cell in row)] * 60)]
    admin.dataset("rows", as_csv([*NAMES, "price"],
                                 [[*row, price] for row, price in zip(rows, prices)]))
    with open(os.path.join(model.folder, "model"), "rb") as file:
        admin.bring("houses", file.read())
    admin.done("inspect", model="houses", version="1.0.0", data=data("rows"), target="price")
    checks = [evidence_pb2.CheckSpec(name="stable", kind="stability"),
              evidence_pb2.CheckSpec(name="small", kind="budget", thresholds=[
                  {"key": "size_bytes", "value": 1e9}])]
    admin.get("PutPolicy", policy=evidence_pb2.Policy(name="kept", checks=checks,
                                                      by_name_only=True))


if __name__ == "__main__":
    fresh(os.path.join(args.var, "models"))
    model = ModelServer(args.bin, os.path.join(args.var, "models"), "regression")
    bad = BadServer()
    os.environ["VALION_SLOTS"] = "1"  # a task that hangs would keep all others waiting
    os.environ["VALION_ENDPOINTS"] = f"{model.relay.address}, {bad.address}/v2/models"
    suite.remove()
    suite.up()
    try:
        admin = Person(suite)
        prepare()
        done = unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2)
        admin.close()
    finally:
        suite.remove()
        bad.stop()
        model.stop()
    sys.exit(0 if done.result.wasSuccessful() and done.result.testsRun > 0 else 1)
