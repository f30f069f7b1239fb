"""Policies, reports, and what they allow: promotion to a protected stage. Each refusal says what is
missing, and nothing is changed by it."""
import concurrent.futures
import hashlib
import os
import signal
import tempfile
import time
import uuid

from services_case import (ServicesTest, connect, facts_of, people, submit, suite,
                           wait_for_event)
from services_support import Principal, Worker, to_id, wait_until
from suite_support import run_to_end
from valion.v1 import common_pb2, evidence_pb2, registry_pb2, validator_pb2

DATA = b"area,price\n50,210000\n60,250000\n"
PASS, WARN, FAIL, INCONCLUSIVE = (evidence_pb2.CheckStatus.Value("CHECK_STATUS_" + word) for word in
                                  ("PASS", "WARN", "FAIL", "INCONCLUSIVE"))
DEVELOPMENT, STAGING, PRODUCTION, ARCHIVED = (
    registry_pb2.Stage.Value("STAGE_" + word)
    for word in ("DEVELOPMENT", "STAGING", "PRODUCTION", "ARCHIVED"))
REGRESSION, BINARY, MULTICLASS = (common_pb2.TaskType.Value("TASK_TYPE_" + word)
                                  for word in ("REGRESSION", "BINARY", "MULTICLASS"))
HIGH = evidence_pb2.SEVERITY_HIGH
REPORT_MAX = 160 * 1024


def sha256(data):
    return hashlib.sha256(data).digest()


def signature(task=REGRESSION, **fields):
    column = {"name": "area", "type": common_pb2.COLUMN_TYPE_FLOAT64}
    return common_pb2.Signature(inputs=[column], outputs=[{**column, "name": "price"}], task=task,
                                **fields)


def check(name="performance", kind="performance", **fields):
    return evidence_pb2.CheckSpec(name=name, kind=kind, **fields)


def number(key, value):
    return common_pb2.KeyNumber(key=key, value=value)


def service(kind, name):
    """A built-in principal, connected once; the program itself does not run here."""
    if name not in people:
        people[name] = connect(kind, name)
    return people[name]


class EvidenceTest(ServicesTest):
    """With a validator, whose program does not run, in the test's own hands."""

    def setUp(self):
        super().setUp()
        self.model = f"{type(self).__name__}-{self.model}"
        self.validator = service(Worker, "validator")
        self.admin = people["admin"]

    # ---- versions and reports

    def store(self, data):
        """The digest of bytes that are stored."""
        self.make_model("store")
        self.alice.get("CreateVersion", {"model": "store", "artifacts": [
            registry_pb2.Artifact(role="model", inline_bytes=data)]})
        return sha256(data)

    def make_ready(self, version="1.0.0", task=REGRESSION, content=None):
        """A version with bytes of its own, inspected."""
        self.make_model()
        data = (content or f"{self.model} {version}").encode()
        self.make_version(version, artifacts=[registry_pb2.Artifact(role="model",
                                                                    inline_bytes=data)])
        return self.validator.get("SetSignature", {
            "model": self.model, "version": version, "signature": signature(task),
            "ready": True}).version

    def lease(self):
        submit("validate", spec=validator_pb2.ValidateSpec(model=self.model).SerializeToString())
        lease = self.validator.lease_one("validate")
        self.addCleanup(self.validator.end, lease)  # or it would be ready again for other tests
        return lease

    def ticket(self):
        return self.lease().ticket

    def policy(self, name="regression", version=None):
        fields = {"version": version} if version else {}
        return self.vera.get("GetPolicy", {"name": name, **fields}).policy

    def report_of(self, of, policy=None, statuses=None, verdict=PASS, **fields):
        """A report as the validator would make it; `statuses` by the name of the check."""
        policy = policy or self.policy()
        checks = [evidence_pb2.CheckResult(
            name=each.name, kind=each.kind, status=(statuses or {}).get(each.name, PASS),
            severity=each.severity, blocking=each.blocking, required=each.required,
            statistic=0.9, threshold=0.7, statistic_name="r2", n=100, sentence="it is so",
            details=[common_pb2.KeyValue(key="seen", value="yes")], duration_ms=5)
            for each in policy.checks]
        report = evidence_pb2.Report(
            model=of.model, version=of.version, artifact_digest=of.digest,
            data=[evidence_pb2.DataRef(name="houses", digest=self.store(DATA))],
            policy=policy.name, policy_version=policy.version, policy_digest=policy.digest, seed=42,
            engine=evidence_pb2.ENGINE_NATIVE, verdict=verdict, sentence="as the checks say",
            checks=checks, metrics=[number("r2", 0.9)], rows=100, columns=2,
            started_us=1, finished_us=2, duration_ms=1, validator="validator0")
        for name, value in fields.items():
            getattr(report, name)  # a field that there is
            setattr(report, name, value)
        return report

    def put(self, report, ticket=None, **of_header):
        return self.validator.ask("PutReport", {"report": report},
                                  ticket=ticket or self.ticket(), **of_header)

    def validated(self, version, **fields):
        """The id of a report on it that is kept."""
        answer = self.put(self.report_of(version, **fields))
        return answer.read(registry_pb2.PutReportReply).report_id

    # ---- stages

    def promote(self, version, stage, by=None, request_id=None, **fields):
        return (by or self.olga).ask("Promote", {"model": self.model, "version": version,
                                                 "stage": stage, **fields}, request_id=request_id)

    def promoted(self, version, stage, **fields):
        return self.promote(version, stage, **fields).read(registry_pb2.PromoteReply)

    def stage_of(self, version):
        return self.vera.get("GetVersion", {"model": self.model, "version": version}).version.stage

    def expect_state(self, answer, *words, subject=None):
        """Refused for its state, with a sentence that holds these words."""
        self.expect(answer, "FAILED_PRECONDITION", "STATE", subject)
        for word in words:
            self.assertIn(word, answer.header.message)

    def restart_registry(self):
        os.kill(suite.pid("registry0"), signal.SIGKILL)
        wait_until(lambda: self.alice.ask("GetModel", {"name": "honest"}).status == "OK",
                   "the registry is back")


class Policies(EvidenceTest):
    def tearDown(self):
        """What a test put for everybody goes out of force again."""
        for name in getattr(self, "everywhere", []):
            newest = self.policy(name)
            newest.ClearField("version")
            newest.withdrawn = True
            self.admin.get("PutPolicy", {"policy": newest})
        super().tearDown()

    def put_policy(self, **fields):
        fields.setdefault("checks", [check()])
        return self.admin.ask("PutPolicy", {"policy": {"name": self.model, **fields}})

    def stored(self, **fields):
        return self.put_policy(**fields).read(registry_pb2.PutPolicyReply).policy

    def in_force(self, **question):
        return self.vera.get("GetPolicy", question).policy.name

    def test_those_that_are_shipped_are_in_force_for_their_task(self):
        for name, task, check_name, threshold in (
                ("regression", REGRESSION, "r2_threshold", 0.7),
                ("binary", BINARY, "auc_threshold", 0.7),
                ("multiclass", MULTICLASS, "accuracy_threshold", 0.7)):
            reply = self.vera.get("GetPolicy", {"model": "honest", "task": task,
                                                "stage": "production"})
            self.assertEqual((reply.policy.name, reply.policy.version), (name, 1))
            self.assertIn("the task", reply.why)
            self.assertEqual(reply.policy.created_by, "valion")
            self.assertEqual(reply.policy.checks[0].thresholds[0], number(check_name, threshold))
            self.assertTrue(reply.policy.checks[0].blocking)
        self.expect(self.vera.ask("GetPolicy", {"model": "honest"}), "NOT_FOUND", "UNSPECIFIED")
        self.assertEqual(wait_for_event("original", "policy.stored").actor, "valion")

    def test_the_original_is_used_by_name_alone(self):
        policy = self.policy("original")
        found = {each.name: (each.blocking, each.severity,
                             {pair.key: pair.value for pair in each.thresholds})
                 for each in policy.checks}
        medium = evidence_pb2.SEVERITY_MEDIUM
        self.assertEqual(found, {
            "performance": (True, HIGH, {"r2_threshold": 0.7, "mae_threshold": 50000}),
            "data_drift": (False, medium, {"drift_threshold": 0.05, "share_pass": 0.1,
                                           "share_warn": 0.3}),
            "stability": (False, medium, {"cv_threshold": 0.8, "cov_threshold": 0.2, "folds": 5}),
            "bias": (False, HIGH, {"bias_pass": 0.1, "bias_warn": 0.2}),
            "data_quality": (False, medium, {"missing_threshold": 0.05, "outlier_threshold": 0.1,
                                             "duplicate_threshold": 0.01})})
        self.assertTrue(policy.by_name_only)
        self.assertEqual(policy.min_status, evidence_pb2.MIN_STATUS_PASS)
        self.assertEqual(suite.number("SELECT count(*) FROM registry.policy WHERE shipped"), 4)

    def test_those_that_are_shipped_are_what_may_be_put(self):
        for name in ("regression", "binary", "multiclass", "original"):
            policy = self.policy(name)
            again = {"task": policy.task, "checks": policy.checks, "by_name_only": True,
                     "min_status": policy.min_status, "severe_fails": policy.severe_fails}
            self.assertEqual(list(self.stored(**again).checks), list(policy.checks))

    def test_a_registry_that_starts_again_ships_nothing_twice(self):
        before = suite.sql("SELECT name, version, created FROM registry.policy ORDER BY 1, 2")
        self.restart_registry()
        self.assertEqual(suite.sql("SELECT name, version, created FROM registry.policy"
                                   " ORDER BY 1, 2"), before)

    def test_what_an_earlier_program_shipped_gets_its_next_version_and_nothing_else_does(self):
        """As if the stored ones were an earlier program's: another content, the mark of it."""
        self.addCleanup(suite.sql, "DELETE FROM registry.policy WHERE version > 1"
                                   " AND name IN ('binary', 'multiclass')")
        self.addCleanup(suite.sql, "UPDATE registry.policy SET digest = sha256(record)"
                                   " WHERE name IN ('binary', 'multiclass') AND version = 1")
        self.stored(name="multiclass", task=MULTICLASS, by_name_only=True)
        suite.sql("UPDATE registry.policy SET digest = sha256('earlier') WHERE version = 1"
                  " AND name IN ('binary', 'multiclass')")
        self.restart_registry()
        found = suite.sql("SELECT name, max(version), bool_and(shipped) FROM registry.policy WHERE"
                          " name IN ('binary', 'multiclass', 'regression') GROUP BY 1 ORDER BY 1")
        self.assertEqual(found, [["binary", "2", "t"], ["multiclass", "2", "f"],
                                 ["regression", "1", "t"]])
        drift = self.policy("binary").checks[2]
        self.assertEqual([(pair.key, pair.value) for pair in drift.parameters],
                         [("method", "auto")])
        self.restart_registry()
        self.assertEqual(suite.number("SELECT max(version) FROM registry.policy"
                                      " WHERE name = 'binary'"), 2)

    def test_the_most_specific_is_in_force(self):
        self.stored(model=self.model)
        self.stored(name=self.model + "-live", model=self.model, stage="production")
        self.stored(name=self.model + "-edge", model=self.model, environment="edge")
        question = {"model": self.model, "task": REGRESSION}
        self.assertEqual(self.in_force(**question), self.model)
        self.assertEqual(self.in_force(**question, stage="production"), self.model + "-live")
        self.assertEqual(self.in_force(**question, environment="edge"), self.model + "-edge")
        self.assertEqual(self.in_force(**question, environment="production"), self.model)
        self.assertEqual(self.in_force(model="another", task=REGRESSION), "regression")

    def test_one_that_is_put_here_goes_before_one_that_is_shipped(self):
        self.everywhere = [self.model]
        self.stored(task=MULTICLASS)
        self.assertEqual(self.in_force(task=MULTICLASS), self.model)

    def test_the_task_is_that_of_the_versions_signature(self):
        self.make_ready(task=BINARY)
        question = {"model": self.model, "model_version": "1.0.0"}
        self.assertEqual(self.in_force(**question), "binary")
        self.expect(self.vera.ask("GetPolicy", {**question, "model_version": "9.0.0"}),
                    "NOT_FOUND", "UNSPECIFIED")

    def test_versions_of_a_name_are_kept_and_the_newest_counts(self):
        first = self.stored(model=self.model, description="first")
        second = self.stored(model=self.model, description="second")
        self.assertEqual((first.version, second.version), (1, 2))
        self.assertNotEqual(first.digest, second.digest)
        self.assertEqual(self.policy(self.model), second)
        self.assertEqual(self.policy(self.model, 1), first)
        bare = evidence_pb2.Policy.FromString(second.SerializeToString())
        for field in ("digest", "created_us", "created_by", "withdrawn"):
            bare.ClearField(field)
        self.assertEqual(sha256(bare.SerializeToString()), second.digest)
        wait_until(lambda: facts_of(wait_for_event(self.model, "policy.stored"))["version"] == "2",
                   "each version has its event")
        self.assertEqual(wait_for_event(self.model, "policy.stored").actor, "admin")

    def test_the_same_again_is_no_new_version(self):
        """It would make every report under the version before worthless."""
        first = self.stored(model=self.model)
        self.assertEqual(self.stored(model=self.model), first)
        self.assertEqual(self.stored(model=self.model, version=2).version, 2)

    def test_a_version_that_is_not_the_next_one(self):
        self.stored(model=self.model)
        answer = self.put_policy(model=self.model, description="late", version=1)
        self.expect(answer, "ABORTED", "STATE")
        self.assertIn("is 2, not 1", answer.header.message)

    def test_a_request_repeated_is_answered_again(self):
        request_id = uuid.uuid4().bytes
        message = {"policy": {"name": self.model, "model": self.model, "checks": [check()]}}
        first = self.admin.ask("PutPolicy", message, request_id=request_id)
        self.stored(model=self.model, description="in between")
        again = self.admin.ask("PutPolicy", message, request_id=request_id, attempt=2)
        self.assertEqual((again.status, again.body), ("OK", first.body))
        self.assertEqual(self.policy(self.model).version, 2)

    def test_a_policy_of_the_future_waits_for_its_time(self):
        self.stored(model=self.model, description="today")
        tomorrow = int((time.time() + 86400) * 1e6)
        self.stored(model=self.model, description="tomorrow", in_force_from_us=tomorrow)
        found = self.vera.get("GetPolicy", {"model": self.model}).policy
        self.assertEqual((found.version, found.description), (1, "today"))
        self.assertEqual(self.policy(self.model).version, 1)
        self.assertEqual(self.policy(self.model, 2).description, "tomorrow")

    def test_a_policy_that_is_withdrawn_is_not_in_force(self):
        self.stored(model=self.model, task=REGRESSION)
        question = {"model": self.model, "task": REGRESSION}
        self.assertEqual(self.in_force(**question), self.model)
        self.stored(model=self.model, task=REGRESSION, withdrawn=True)
        self.assertEqual(self.in_force(**question), "regression")
        self.assertTrue(self.policy(self.model).withdrawn)

    def test_policies_that_cannot_be(self):
        nan, infinite = float("nan"), float("inf")
        performance = [check(thresholds=[number("r2_threshold", 0.5)] * 2)]
        custom = check(kind="check:mine", thresholds=[number("anything", 5)])
        wrong = {
            "policy.name": [{"name": "../x"}, {"name": ""}, {"name": "x" * 129}],
            "policy.checks": [{"checks": []}, {"checks": [check(f"c{i}") for i in range(65)]},
                              {"checks": [check(timeout_ms=0)]},
                              {"checks": [check(baseline="x" * 251)]}],
            "policy.checks.name": [{"checks": [check("Upper")]}, {"checks": [check("")]},
                                   {"checks": [check("-a")]}, {"checks": [check("x" * 129)]},
                                   {"checks": [check("a"), check("a")]}],
            "policy.checks.kind": [{"checks": [check(kind="magic")]},
                                   {"checks": [check(kind="check:")]},
                                   {"checks": [evidence_pb2.CheckSpec(name="none")]}],
            "policy.checks.thresholds": [
                {"checks": [check(thresholds=[number("r2_threshold", value)])]}
                for value in (nan, infinite, -infinite, 1.01)] + [
                {"checks": [check(thresholds=[number("r2_treshold", 0.7)])]},
                {"checks": [check(thresholds=[number("bias_pass", 0.7)])]},
                {"checks": [check(thresholds=[common_pb2.KeyNumber(key="r2_threshold")])]},
                {"checks": [check(kind="check:mine", thresholds=[number("x", nan)])]},
                {"checks": performance}],
            "policy.checks.metrics": [
                {"checks": [check(kind="metric_threshold")]},
                {"checks": [check(kind="metric_threshold", metrics=[{"metric": "r2",
                                                                     "threshold": 1}])]},
                {"checks": [check(kind="metric_threshold", metrics=[
                    {"metric": "r2", "threshold": nan, "greater_is_better": True}])]},
                {"checks": [check(kind="metric_threshold", metrics=[
                    {"metric": "r2", "min_relative_change": nan, "greater_is_better": True}])]}],
            "policy.checks.significance": [
                {"checks": [check(significance={"alpha": value})]} for value in (0, 1, nan)] + [
                {"checks": [check(significance={"resamples": 99})]}],
            "policy.checks.expression": [{"checks": [check(kind="expression")]},
                                         {"checks": [check(expression="r2 > 0")]},
                                         {"checks": [check(kind="expression",
                                                           expression="r2 > (0")]},
                                         {"checks": [check(kind="expression",
                                                           expression="r2 + 1")]},
                                         {"checks": [check(kind="expression",
                                                           expression="x" * 1001)]}],
            "policy.checks.columns": [{"checks": [check(columns=[""])]}],
            "policy.checks.parameters": [
                {"checks": [check(parameters=[common_pb2.KeyValue(key="a")] * 2)]}],
            "policy.stage": [{"stage": "live"}, {"stage": ""}],
            "policy.model": [{"model": "a b"}], "policy.environment": [{"environment": "a/b"}],
            "policy.max_age_ms": [{"max_age_ms": 0}, {"max_age_ms": -1}],
            "policy.min_rows": [{"min_rows": 2**63}],
            "policy.in_force_from_us": [{"in_force_from_us": -1}, {"in_force_from_us": 2**62}],
            "policy.source": [{"source": "x" * 65537}],
            "policy.description": [{"description": "x" * 5001}]}
        for field, messages in wrong.items():
            for number_of, fields in enumerate(messages):
                with self.subTest(field=field, case=number_of):
                    self.expect_field(self.put_policy(**fields), field)
        self.expect_field(self.admin.ask("PutPolicy", {}), "policy")
        for field in (b"\x20\x63", b"\x40\x63"):  # task and min_status: 99
            body = evidence_pb2.Policy(name=self.model, checks=[check()]).SerializeToString() + field
            answer = self.admin.ask("PutPolicy", body=b"\x0a" + bytes([len(body)]) + body)
            self.expect(answer, "INVALID_ARGUMENT", "FIELD")
        self.expect(self.vera.ask("GetPolicy", {"name": self.model}), "NOT_FOUND", "UNSPECIFIED")
        self.assertEqual(self.stored(model=self.model, checks=[custom]).version, 1)

    def test_a_policy_that_would_not_fit_a_reply(self):
        wide = [check(f"c{i}", columns=[f"column {j}" for j in range(60)]) for i in range(60)]
        answer = self.put_policy(checks=wide)
        self.assertGreater(self.expect(answer, "INVALID_ARGUMENT", "TOO_LARGE").limit, 0)

    def test_questions_that_cannot_be(self):
        for field, message in (("environment", {"stage": "staging", "environment": "edge"}),
                               ("stage", {"stage": "live"}), ("version", {"version": 1}),
                               ("model_version", {"model_version": "1.0.0"}),
                               ("name", {"name": "../x"})):
            with self.subTest(field):
                self.expect_field(self.vera.ask("GetPolicy", message), field)
        for version in (77, 2**64 - 1):
            answer = self.vera.ask("GetPolicy", {"name": "regression", "version": version})
            self.expect(answer, "NOT_FOUND", "UNSPECIFIED")

    def test_only_administrators_put_policies(self):
        for who in (self.alice, self.olga, self.validator):
            answer = who.ask("PutPolicy", {"policy": {"name": self.model, "checks": [check()]}})
            self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")

    def test_all_versions_are_listed_page_by_page(self):
        for i in range(5):
            self.stored(model=self.model, description=str(i))
        seen, token = [], b""
        while token or not seen:
            page = common_pb2.Page(size=2, token=token)
            reply = self.vera.get("ListPolicies", {"page": page})
            seen += [(each.name, -each.version) for each in reply.policies]
            token = reply.next_token
        self.assertEqual(seen, sorted(seen))
        self.assertEqual([-version for name, version in seen if name == self.model],
                         [5, 4, 3, 2, 1])
        self.assertIn(("original", -1), seen)
        for token in (b"no token", b"a@0", b"@1", b"\xff"):
            answer = self.vera.ask("ListPolicies", {"page": common_pb2.Page(token=token)})
            self.expect_field(answer, "page.token")


    YAML = '''# stricter than the default
name: written
task: regression
checks:
  - name: r2
    kind: performance
    blocking: true
    thresholds: {r2_threshold: .75, mae_threshold: 50000}
'''

    def test_a_policy_as_people_write_it(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(self.YAML)
            file.flush()
            self.assertEqual(suite.cli("policy", "put", "@" + file.name).returncode, 0)
        self.addCleanup(suite.sql, "DELETE FROM registry.policy WHERE name = 'written'")
        stored = self.policy("written")
        self.assertEqual(stored.source, self.YAML)
        self.assertEqual([(each.key, each.value) for each in stored.checks[0].thresholds],
                         [("r2_threshold", 0.75), ("mae_threshold", 50000)])
        again = suite.cli("policy", "put", self.YAML.replace("blocking", "bloking"))
        self.assertEqual(again.returncode, 2)
        self.assertIn("checks[0].bloking: no such field; did you mean blocking?", again.stderr)


class Reports(EvidenceTest):
    def test_a_report_is_kept_as_it_was_made(self):
        version = self.make_ready()
        lease = self.lease()
        report = self.report_of(version)
        report_id = self.put(report, lease.ticket).read(registry_pb2.PutReportReply).report_id
        kept = self.vera.get("GetReport", {"report_id": report_id}).report
        self.assertEqual((kept.report_id, kept.task_id, kept.submitter),
                         (report_id, lease.task_id, "alice"))
        bare = evidence_pb2.Report.FromString(kept.SerializeToString())
        for field in ("report_id", "task_id", "submitter", "digest"):
            bare.ClearField(field)
        self.assertEqual(bare, report)
        for field in ("validator", "started_us", "finished_us", "duration_ms"):
            bare.ClearField(field)
        for each in bare.checks:
            each.ClearField("duration_ms")
        self.assertEqual(sha256(bare.SerializeToString()), kept.digest)
        event = wait_for_event(f"{self.model}@1.0.0", "report.recorded")
        self.assertEqual(event.actor, f"task:{to_id(lease.task_id)} for alice")
        facts = facts_of(event)
        self.assertEqual((facts["report"], facts["verdict"], facts["policy"]),
                         (to_id(report_id), "PASS", "regression"))

    def test_a_rerun_of_the_task_gets_the_same_report(self):
        version = self.make_ready()
        ticket, request_id = self.ticket(), uuid.uuid4().bytes
        first = self.put(self.report_of(version), ticket, request_id=request_id)
        later = self.report_of(version, finished_us=99)
        self.assertEqual(self.put(later, ticket, request_id=request_id).body, first.body)
        suite.sql(f"DELETE FROM registry.request WHERE request_id = '\\x{request_id.hex()}'")
        again = self.put(later, ticket, request_id=request_id).read(registry_pb2.PutReportReply)
        made = first.read(registry_pb2.PutReportReply)
        self.assertEqual((again.report_id, again.existed, again.digest), (made.report_id, True, b""))
        self.assertFalse(made.existed)
        kept = self.vera.get("GetReport", {"report_id": made.report_id}).report
        self.assertEqual((kept.digest, kept.finished_us), (made.digest, 2))
        self.assertEqual(len(self.vera.get("ListReports", {"model": self.model}).reports), 1)

    def test_what_a_server_answered_is_evidence_of_nothing(self):
        version = self.make_ready()
        self.validated(version, engine=evidence_pb2.ENGINE_ENDPOINT)
        self.promoted("1.0.0", STAGING)
        answer = self.promote("1.0.0", PRODUCTION)
        self.assertEqual(answer.status, "FAILED_PRECONDITION")
        self.assertIn("what a server answered", answer.header.message)
        self.validated(version)
        self.promoted("1.0.0", PRODUCTION)

    def test_a_short_appendix_comes_along_and_is_stored_with_its_report(self):
        version = self.make_ready()
        appendix = evidence_pb2.Appendix(plots=[evidence_pb2.Plot(name="roc", y=[0, 1])] * 20)
        bytes_ = appendix.SerializeToString()
        report = self.report_of(version, appendix_digest=sha256(bytes_))
        answer = self.validator.ask("PutReport", {"report": report, "appendix": bytes_ + b" "},
                                    ticket=self.ticket())
        self.expect(answer, "DATA_LOSS", "CORRUPT")
        bare = self.report_of(version)
        self.expect(self.validator.ask("PutReport", {"report": bare, "appendix": bytes_},
                                       ticket=self.ticket()), "DATA_LOSS", "CORRUPT")
        for wrong in (b"", bytes(64 * 1024 + 1)):
            answer = self.validator.ask("PutReport", {"report": report, "appendix": wrong},
                                        ticket=self.ticket())
            self.expect_field(answer, "appendix")
        self.expect(self.put(report), "NOT_FOUND", "FIELD", "report.appendix_digest")
        for _ in range(2):
            self.assertEqual(self.validator.ask("PutReport", {"report": report, "appendix": bytes_},
                                                ticket=self.ticket()).status, "OK")
        rows = suite.sql("SELECT size_bytes FROM registry.blob WHERE digest = "
                         f"'\\x{sha256(bytes_).hex()}'")
        self.assertEqual([int(row[0]) for row in rows], [len(bytes_)])
        self.assertEqual(self.put(report).status, "OK")  # by its digest alone, from now on

    def test_the_verdict_is_that_of_the_checks(self):
        version = self.make_ready()
        cases = [({}, WARN, "every check passed"),
                 ({"performance": FAIL}, PASS, "a blocking check failed"),
                 ({"bias": FAIL}, WARN, "high severity"),
                 ({"data_quality": FAIL}, PASS, "neither blocking nor severe"),
                 ({"data_drift": INCONCLUSIVE}, PASS, "could say nothing"),
                 ({"performance": INCONCLUSIVE}, INCONCLUSIVE, "a required check"),
                 ({"data_drift": WARN}, FAIL, "a check warns")]
        for statuses, claimed, why in cases:
            with self.subTest(statuses):
                answer = self.put(self.report_of(version, statuses=statuses, verdict=claimed))
                self.expect_state(answer, why, subject="report.verdict")
        good = [({}, PASS), ({"performance": FAIL}, FAIL), ({"bias": FAIL}, FAIL),
                ({"data_quality": FAIL}, WARN), ({"data_drift": INCONCLUSIVE}, INCONCLUSIVE),
                ({"performance": INCONCLUSIVE}, FAIL), ({"data_drift": WARN}, WARN)]
        for statuses, verdict in good:
            self.validated(version, statuses=statuses, verdict=verdict)
        self.assertEqual(len(self.vera.get("ListReports", {"model": self.model}).reports),
                         len(good))

    def test_the_checks_are_those_of_the_policy(self):
        version = self.make_ready()
        for change in ("fewer", "more", "order", "kind", "severity", "blocking"):
            report = self.report_of(version)
            if change == "fewer":
                del report.checks[-1]
            elif change == "more":
                report.checks.add(name="extra", kind="bias", status=PASS)
            elif change == "order":
                checks = list(report.checks)[::-1]
                del report.checks[:]
                report.checks.extend(checks)
            elif change == "kind":
                report.checks[0].kind = "stability"
            elif change == "severity":
                report.checks[0].severity = evidence_pb2.SEVERITY_LOW
            else:
                report.checks[0].blocking = False
            with self.subTest(change):
                self.expect_state(self.put(report), "asks for 4 checks", subject="report.checks")

    def test_a_report_is_about_bytes_and_a_policy_that_are_stored(self):
        version = self.make_ready()
        policy = self.policy()
        wrong = {"report.artifact_digest": {"artifact_digest": sha256(b"others")},
                 "report.policy": {"policy_digest": sha256(b"others")}}
        for subject, fields in wrong.items():
            with self.subTest(subject):
                self.expect_state(self.put(self.report_of(version, **fields)), subject=subject)
        for number_of in (policy.version + 1, 0, 2**64 - 1):
            answer = self.put(self.report_of(version, policy_version=number_of))
            self.expect_state(answer, "is not stored here", subject="report.policy")
        unknown = self.report_of(version)
        unknown.policy = "unknown"
        self.expect_state(self.put(unknown), "'unknown'", subject="report.policy")
        report = self.report_of(version)
        report.data[0].digest = sha256(b"nobody stored this")
        self.expect(self.put(report), "NOT_FOUND", "FIELD", "report.data")
        report = self.report_of(version, appendix_digest=sha256(b"nor this"))
        self.expect(self.put(report), "NOT_FOUND", "FIELD", "report.appendix_digest")
        for message in ({"model": "nobody"}, {"version": "9.0.0"}):
            answer = self.put(self.report_of(version, **message))
            self.expect(answer, "NOT_FOUND", "UNSPECIFIED")
        self.assertEqual(len(self.vera.get("ListReports", {"model": self.model}).reports), 0)

    def test_reports_that_cannot_be(self):
        version = self.make_ready()
        short = self.report_of(version)
        short.data[0].digest = b"short"
        nameless = self.report_of(version)
        nameless.checks[0].ClearField("name")
        silent = self.report_of(version)
        silent.checks[0].ClearField("status")
        wordy = self.report_of(version)
        wordy.checks[0].sentence = "x" * 1001
        none = self.report_of(version)
        del none.data[:]
        cases = [("report.data", short), ("report.data", none), ("report.checks", nameless),
                 ("report.checks", silent), ("report.checks.sentence", wordy),
                 ("report.artifact_digest", self.report_of(version, artifact_digest=b"x")),
                 ("report.verdict", self.report_of(version, verdict=0)),
                 ("report.rows", self.report_of(version, rows=-1)),
                 ("report.sentence", self.report_of(version, sentence="x" * 1001)),
                 ("report.appendix_digest", self.report_of(version, appendix_digest=b"x")),
                 ("name", self.report_of(version, model="../x")),
                 ("version", self.report_of(version, version="latest"))]
        ticket = self.ticket()
        for field, report in cases:
            with self.subTest(field):
                self.expect_field(self.put(report, ticket), field)
        self.expect_field(self.validator.ask("PutReport", {}, ticket=ticket), "report")
        unsaid = self.report_of(version)
        unsaid.ClearField("verdict")
        tomorrow = unsaid.SerializeToString() + b"\x70\x63"  # verdict: 99
        body = registry_pb2.PutReportRequest().SerializeToString()
        body += b"\x0a" + varint(len(tomorrow)) + tomorrow
        self.expect_field(self.validator.ask("PutReport", body=body, ticket=ticket),
                          "report.verdict")

    def test_reports_that_are_too_large(self):
        version = self.make_ready()
        ticket = self.ticket()
        long = self.report_of(version)
        long.warnings.extend(["x" * 2500] * 64)
        self.assertLess(long.ByteSize(), REPORT_MAX - 200)  # with what the registry adds
        self.assertEqual(self.put(long, ticket).status, "OK")
        long.errors.append("x" * (REPORT_MAX - long.ByteSize() + 100))
        self.assertGreater(long.ByteSize(), REPORT_MAX)
        limit = self.expect(self.put(long, ticket), "INVALID_ARGUMENT", "TOO_LARGE").limit
        self.assertEqual(limit, REPORT_MAX)
        huge = self.report_of(version)
        huge.warnings.extend(["x" * 5000] * 40)
        self.expect(self.put(huge, ticket), "INVALID_ARGUMENT", "TOO_LARGE")
        wide = self.report_of(version)
        for each in wide.checks:
            each.numbers.extend(number(f"n{i}", i) for i in range(180))
        limit = self.expect(self.put(wide, ticket), "INVALID_ARGUMENT", "TOO_LARGE").limit
        self.assertEqual(limit, 2000)
        many = self.report_of(version)
        many.recommendations.extend(["do"] * 65)
        self.expect_field(self.put(many, ticket), "report")

    def test_only_the_validator_puts_reports_and_only_for_a_task(self):
        report = self.report_of(self.make_ready())
        for who in (self.alice, self.admin, self.olga):
            answer = who.ask("PutReport", {"report": report})
            self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")
        answer = self.validator.ask("PutReport", {"report": report})
        self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")
        self.assertIn("ticket", answer.header.message)
        for submitter in ("alice", "admin", "validator"):
            with self.subTest(submitter):
                submit(self.kind, by=submitter)
                ticket = self.will.lease_one(self.kind).ticket
                answer = self.will.ask("PutReport", {"report": report}, ticket=ticket)
                self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")

    def test_lists_show_the_newest_first_without_details(self):
        first, second = self.make_ready("1.0.0"), self.make_ready("1.1.0")
        ids = [self.validated(first), self.validated(second), self.validated(first)]
        reply = self.vera.get("ListReports", {"model": self.model})
        self.assertEqual([each.report_id for each in reply.reports], ids[::-1])
        listed = reply.reports[0].checks[0]
        self.assertEqual((listed.name, listed.kind, listed.status),
                         ("performance", "performance", PASS))
        self.assertFalse(listed.details or listed.HasField("statistic") or
                         listed.HasField("sentence"))
        of_first = self.vera.get("ListReports", {"model": self.model, "version": "1.0.0"})
        self.assertEqual([each.report_id for each in of_first.reports], [ids[2], ids[0]])
        page = common_pb2.Page(size=2)
        reply = self.vera.get("ListReports", {"model": self.model, "page": page})
        page.token = reply.next_token
        reply = self.vera.get("ListReports", {"model": self.model, "page": page})
        self.assertEqual([each.report_id for each in reply.reports], ids[:1])
        answer = self.vera.ask("ListReports", {"model": self.model,
                                               "page": common_pb2.Page(token=b"x")})
        self.expect_field(answer, "page.token")

    def test_reports_that_there_are_not(self):
        answer = self.vera.ask("GetReport", {"report_id": uuid.uuid4().bytes})
        self.expect(answer, "NOT_FOUND", "UNSPECIFIED")
        self.expect_field(self.vera.ask("GetReport", {"report_id": b"short"}), "report_id")


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


class Options(EvidenceTest):
    def test_a_stage_that_there_is_not_cannot_be_protected(self):
        done = run_to_end([os.path.join(suite.programs, "valion-registry"), "--protected-stages",
                           "production,live"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("protected-stages", done.stderr)


class Promotion(EvidenceTest):
    def staged(self, version="1.0.0", **fields):
        made = self.make_ready(version, **fields)
        self.promoted(version, STAGING)
        return made

    def produced(self, version="1.0.0"):
        """In production, on evidence."""
        self.validated(self.staged(version))
        return self.promoted(version, PRODUCTION)

    def wait_for_change(self, version, stage):
        """The event of its last change, once that is the one to this stage."""
        def found():
            event = wait_for_event(f"{self.model}@{version}", "version.stage_changed")
            return event if facts_of(event)["to"] == stage else None
        return wait_until(found, f"{version} goes to {stage}")

    def productions(self):
        return suite.number(f"SELECT count(*) FROM registry.version WHERE model = '{self.model}'"
                            " AND stage = 3")

    def test_the_way_of_a_version(self):
        version = self.make_ready()
        staged = self.promoted("1.0.0", STAGING, reason="to be tried").version
        self.assertEqual((staged.stage, staged.revision), (STAGING, version.revision + 1))
        report_id = self.validated(version)
        reply = self.promoted("1.0.0", PRODUCTION)
        self.assertEqual((reply.version.stage, reply.report_id), (PRODUCTION, report_id))
        self.assertIn(f"PASS under the policy 'regression' version 1 (report {to_id(report_id)}",
                      reply.evidence)
        self.assertEqual(self.promoted("1.0.0", ARCHIVED).version.stage, ARCHIVED)
        self.expect_state(self.promote("1.0.0", STAGING), "say restore")
        self.assertEqual(self.promoted("1.0.0", STAGING, restore=True).version.stage, STAGING)
        history = self.vera.get("GetHistory", {"model": self.model}).changes
        self.assertEqual([(getattr(each, "from"), each.to) for each in history],
                         [(ARCHIVED, STAGING), (PRODUCTION, ARCHIVED), (STAGING, PRODUCTION),
                          (DEVELOPMENT, STAGING)])
        self.assertEqual({each.actor for each in history}, {"olga"})
        self.assertEqual((history[2].report_id, history[2].evidence), (report_id, reply.evidence))
        self.assertEqual((history[3].reason, history[3].report_id), ("to be tried", b""))

    def test_what_is_shown_is_the_stage_it_has(self):
        self.produced("1.0.0")
        self.make_ready("1.1.0")

        def listed(**fields):
            found = self.vera.get("ListVersions", {"model": self.model, **fields})
            return [each.version for each in found.versions]
        self.assertEqual(listed(stage=PRODUCTION), ["1.0.0"])
        self.assertEqual(listed(stage=DEVELOPMENT), ["1.1.0"])
        models = self.vera.get("ListModels", {"stage": PRODUCTION, "text": self.model}).models
        self.assertEqual([each.name for each in models], [self.model])
        models = self.vera.get("ListModels", {"stage": ARCHIVED, "text": self.model}).models
        self.assertEqual(len(models), 0)

    def test_each_change_has_its_event_in_the_log(self):
        reply = self.produced()
        event = self.wait_for_change("1.0.0", "production")
        facts = facts_of(event)
        self.assertEqual(event.actor, "olga")
        self.assertEqual((facts["from"], facts["report"], facts["evidence"]),
                         ("staging", to_id(reply.report_id), reply.evidence))
        newest = wait_until(lambda: (found := self.vera.get("GetHistory", {
            "model": self.model, "page": common_pb2.Page(size=1)})) and
            found.changes[0].position and found, "the change is in the log")
        self.assertEqual(newest.changes[0].position, event.position)
        rest = self.vera.get("GetHistory", {"model": self.model,
                                            "page": common_pb2.Page(token=newest.next_token)})
        self.assertEqual(len(rest.changes), 1)

    def test_moves_that_there_are_not(self):
        self.make_ready()
        self.expect_state(self.promote("1.0.0", PRODUCTION), "is in development",
                          "only to staging or archived")
        self.promoted("1.0.0", ARCHIVED)
        for stage in (PRODUCTION, DEVELOPMENT):
            self.expect_state(self.promote("1.0.0", stage), "is in archived", "only to staging")
        self.assertEqual(self.promoted("1.0.0", ARCHIVED).version.stage, ARCHIVED)
        self.assertEqual(len(self.vera.get("GetHistory", {"model": self.model}).changes), 1)

    def test_promotions_that_cannot_be(self):
        self.make_ready()
        for field, message in (("stage", {"stage": 0}), ("report_id", {"report_id": b"short"}),
                               ("version", {"version": "latest"}), ("name", {"model": "../x"}),
                               ("reason", {"reason": "x" * 1001})):
            fields = {"model": self.model, "version": "1.0.0", "stage": STAGING, **message}
            with self.subTest(field):
                self.expect_field(self.olga.ask("Promote", fields), field)
        body = registry_pb2.PromoteRequest(model=self.model, version="1.0.0").SerializeToString()
        self.expect_field(self.olga.ask("Promote", body=body + b"\x18\x63"), "stage")
        self.expect_field(self.olga.ask("Promote", body=body + b"\x18\x02\x20\x63"), "on_conflict")
        minus = b"\x18" + b"\xff" * 9 + b"\x01"
        self.expect_field(self.olga.ask("Promote", body=body + minus), "stage")
        for message in ({"model": "nobody"}, {"version": "9.0.0"}):
            answer = self.olga.ask("Promote", {"model": self.model, "version": "1.0.0",
                                               "stage": STAGING, **message})
            self.expect(answer, "NOT_FOUND", "UNSPECIFIED")
        for who in (self.vera, self.alice, self.validator):
            answer = self.promote("1.0.0", STAGING, by=who)
            self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")
        self.expect(self.vera.ask("GetHistory", {"model": "nobody"}), "NOT_FOUND", "UNSPECIFIED")
        self.assertEqual(self.stage_of("1.0.0"), DEVELOPMENT)

    def test_a_version_that_is_not_inspected_stays_where_it_is(self):
        self.make_model()
        self.make_version("1.0.0")
        self.expect_state(self.promote("1.0.0", STAGING), "its signature is still to come")
        self.validator.get("SetSignature", {"model": self.model, "version": "1.0.0",
                                            "error": "the tree is cut"})
        self.expect_state(self.promote("1.0.0", STAGING), "failed its inspection",
                          "the tree is cut")
        self.assertEqual(self.promoted("1.0.0", ARCHIVED).version.stage, ARCHIVED)

    def test_a_version_that_is_deprecated_does_not_rise(self):
        self.staged()
        self.alice.get("UpdateVersion", {"model": self.model, "version": "1.0.0",
                                         "status": registry_pb2.VERSION_STATUS_DEPRECATED})
        self.expect_state(self.promote("1.0.0", PRODUCTION), "is deprecated")
        self.assertEqual(self.promoted("1.0.0", DEVELOPMENT).version.stage, DEVELOPMENT)

    # ---- what is missing

    def refuse(self, *words, **fields):
        self.expect_state(self.promote("1.0.0", PRODUCTION, **fields), *words, subject="evidence")
        self.assertEqual(self.stage_of("1.0.0"), STAGING)

    def test_without_a_report(self):
        self.staged()
        self.refuse("there is no report on it",
                    f"valion validate {self.model}@1.0.0 --data DATASET --policy regression")

    def test_with_a_report_on_other_bytes(self):
        report_id = self.validated(self.staged())
        suite.sql("UPDATE registry.report SET digest = sha256('tampered')"
                  f" WHERE report_id = '\\x{report_id.hex()}'")
        self.refuse("is about other bytes")

    def test_with_a_version_whose_bytes_were_changed(self):
        self.validated(self.staged())
        suite.sql("UPDATE registry.version SET digest = sha256('tampered')"
                  f" WHERE model = '{self.model}'")
        self.refuse("is about other bytes")

    def test_with_the_report_of_another_version(self):
        self.staged()
        other = self.make_ready("2.0.0")
        report_id = self.validated(other)
        self.refuse("there is no report on it")
        self.refuse("the report that was named is not one on it", report_id=report_id)
        self.refuse("the report that was named is not one on it", report_id=uuid.uuid4().bytes)

    def test_with_a_report_under_another_policy(self):
        version = self.staged()
        self.validated(version, policy=self.policy("original"))
        self.refuse("is under the policy 'original'", "'regression' version 1")

    def test_with_a_report_that_is_not_good_enough(self):
        version = self.staged()
        bad = self.validated(version, statuses={"performance": FAIL}, verdict=FAIL)
        self.refuse("says FAIL, where PASS or WARN is wanted")
        self.validated(version, statuses={"data_drift": INCONCLUSIVE}, verdict=INCONCLUSIVE)
        self.refuse("says INCONCLUSIVE")
        good = self.validated(version, statuses={"data_drift": WARN}, verdict=WARN)
        self.refuse("says FAIL", report_id=bad)
        self.validated(version, statuses={"performance": FAIL}, verdict=FAIL)
        self.assertEqual(self.promoted("1.0.0", PRODUCTION).report_id, good)

    def own_policy(self, **fields):
        policy = {"name": self.model, "model": self.model, "checks": [check()], **fields}
        return self.admin.get("PutPolicy", {"policy": policy}).policy

    def test_with_a_report_under_a_version_that_is_not_in_force_any_more(self):
        version = self.staged()
        self.validated(version, policy=self.own_policy())
        self.own_policy(description="stricter")
        self.refuse("is under its version 1", f"'{self.model}' version 2")
        report_id = self.validated(version, policy=self.policy(self.model))
        self.assertEqual(self.promoted("1.0.0", PRODUCTION).report_id, report_id)

    def test_with_a_report_that_is_too_old(self):
        version = self.staged()
        policy = self.own_policy(max_age_ms=3600 * 1000)
        report_id = self.validated(version, policy=policy)
        suite.sql("UPDATE registry.report SET created = created - interval '2 hours'"
                  f" WHERE report_id = '\\x{report_id.hex()}'")
        self.refuse("older than the 3600 s allowed")
        self.validated(version, policy=policy)
        self.promoted("1.0.0", PRODUCTION)

    def test_without_a_policy_in_force(self):
        self.staged()
        suite.sql("UPDATE registry.policy SET withdrawn = true WHERE name = 'regression'")
        self.addCleanup(suite.sql, "UPDATE registry.policy SET withdrawn = false"
                                   " WHERE name = 'regression'")
        self.refuse("no policy is in force", "valion policy put")

    def test_a_policy_for_another_stage_does_not_count(self):
        version = self.staged()
        self.own_policy(stage="staging")
        report_id = self.validated(version)
        self.assertEqual(self.promoted("1.0.0", PRODUCTION).report_id, report_id)

    # ---- who was there

    def test_the_version_that_was_there_makes_room(self):
        self.produced("1.0.0")
        reply = self.produced("1.1.0")
        self.assertEqual(list(reply.displaced), ["1.0.0"])
        self.assertEqual(self.stage_of("1.0.0"), STAGING)
        self.validated(self.staged("1.2.0"))
        self.expect_state(self.promote("1.2.0", PRODUCTION,
                                       on_conflict=registry_pb2.ON_CONFLICT_REFUSE),
                          "version 1.1.0 holds it")
        self.assertEqual(self.stage_of("1.2.0"), STAGING)
        reply = self.promoted("1.2.0", PRODUCTION, on_conflict=registry_pb2.ON_CONFLICT_ARCHIVE)
        self.assertEqual(list(reply.displaced), ["1.1.0"])
        self.assertEqual(self.stage_of("1.1.0"), ARCHIVED)
        event = self.wait_for_change("1.1.0", "archived")
        self.assertEqual(facts_of(event)["reason"], f"{self.model}@1.2.0 takes its place")
        self.assertEqual(self.productions(), 1)

    def test_a_revision_that_is_not_the_newest(self):
        version = self.make_ready()
        answer = self.promote("1.0.0", STAGING, expected_revision=version.revision + 5)
        self.expect(answer, "ABORTED", "STATE")
        self.promoted("1.0.0", STAGING, expected_revision=version.revision)
        answer = self.promote("1.0.0", DEVELOPMENT, expected_revision=version.revision)
        self.expect(answer, "ABORTED", "STATE")

    def test_a_request_repeated_is_answered_again_also_after_a_restart(self):
        self.validated(self.staged())
        request_id = uuid.uuid4().bytes
        first = self.promote("1.0.0", PRODUCTION, request_id=request_id)
        self.assertEqual(first.status, "OK")
        self.restart_registry()
        again = self.promote("1.0.0", PRODUCTION, request_id=request_id)
        self.assertEqual(again.body, first.body)
        other = self.promote("1.0.0", STAGING, request_id=request_id)
        self.expect(other, "ALREADY_EXISTS", "REQUEST_ID_REUSED")
        self.assertEqual(len(self.vera.get("GetHistory", {"model": self.model}).changes), 2)

    def test_a_refusal_is_not_kept(self):
        """The same request, once what was missing is there, is done."""
        version = self.staged()
        request_id = uuid.uuid4().bytes
        refused = self.promote("1.0.0", PRODUCTION, request_id=request_id)
        self.expect_state(refused, "there is no report")
        self.validated(version)
        self.assertEqual(self.promote("1.0.0", PRODUCTION, request_id=request_id).status, "OK")

    def test_of_many_at_once_exactly_one_holds_production(self):
        versions = [f"1.{i}.0" for i in range(8)]
        for version in versions:
            self.validated(self.staged(version))
        callers = [connect(Principal, "olga") for _ in versions]
        with concurrent.futures.ThreadPoolExecutor(len(versions)) as pool:
            answers = list(pool.map(lambda pair: self.promote(pair[0], PRODUCTION, by=pair[1]),
                                    zip(versions, callers)))
        for caller in callers:
            caller.close()
        self.assertEqual([each.status for each in answers], ["OK"] * len(versions))
        self.assertEqual(self.productions(), 1)
        history = self.vera.get("GetHistory", {"model": self.model}).changes
        came = [each.version for each in history if each.to == PRODUCTION]
        left = [each.version for each in history if getattr(each, "from") == PRODUCTION]
        self.assertEqual(sorted(came), versions)
        self.assertEqual(left, came[1:])
        self.assertEqual(self.stage_of(came[0]), PRODUCTION)
