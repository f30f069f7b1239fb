"""Pipelines and their runs: applied by an operator, submitted by people, worked on step by step."""
import json
import os
import signal
import subprocess
import threading
import time
import uuid

from services_case import (ServicesTest, args, connect, facts_of, job, keys_new, people,
                           read_events, suite)
from services_support import Principal, Worker, state_of, to_id, wait_until
from valion.v1 import common_pb2, evidence_pb2, orchestrator_pb2, trainer_pb2, validator_pb2

DAY_MS = 24 * 60 * 60 * 1000
BUILT_IN = "train,transform,validate,deploy,watch,promote"
second = {}


def setUpModule():
    """A worker for the built-in kinds, and a second orchestrator that serves beside the first."""
    keys_new("bea", "--roles", "worker", "--kinds", BUILT_IN)
    people["bea"] = connect(Worker, "bea")
    start_second()


def tearDownModule():
    stop_second()


def start_second():
    log = open(os.path.join(suite.folder, "log", "orchestrator-second.log"), "ab")
    database = f"host={suite.folder}/pg.sock dbname=valion user=valion_orchestrator"
    second["process"] = subprocess.Popen(
        [os.path.join(args.bin, "valion-orchestrator"), "--bus", suite.bus, "--keys", suite.keys,
         "--instance", "second", "--database", database], stderr=log, stdout=log)
    wait_until(lambda: served_by() >= {"orchestrator0", "second"}, "both orchestrators serve")


def stop_second(how=signal.SIGTERM):
    second["process"].send_signal(how)
    second["process"].wait(timeout=30)


def served_by():
    """Instances that answer; either may be asked, and one that was killed is asked in vain."""
    answers = [people["vera"].ask("GetStats", service="orchestrator") for _ in range(4)]
    return {each.read(common_pb2.GetStatsReply).instance for each in answers
            if each.status == "OK"}


def kill_first():
    """The one under the supervisor, which starts it again."""
    pid = suite.pid("orchestrator0")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: suite.find_pid("orchestrator0") not in (pid, 0), "it is started again")


def kv(**values):
    return [common_pb2.KeyValue(key=key, value=json.dumps(value)) for key, value in values.items()]


def run_state(name):
    return orchestrator_pb2.RunState.Value("RUN_STATE_" + name)


def run_state_of(run):
    return orchestrator_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_")


def step_states(run):
    return {each.name: orchestrator_pb2.StepState.Name(each.state).removeprefix("STEP_STATE_")
            for each in run.steps}


def step_of(run, name):
    return next(each for each in run.steps if each.name == name)


class PipelineTest(ServicesTest):
    """A pipeline and kinds of its own for each test."""

    def setUp(self):
        super().setUp()
        self.admin, self.bea = people["admin"], people["bea"]
        self.name = self.id().rsplit(".", 1)[1].removeprefix("test_")
        self.kind = "test." + uuid.uuid4().hex[:12]  # with a step's name after it

    def step(self, name, needs=(), parameters=None, kind=None, **fields):
        return orchestrator_pb2.Step(
            name=name, kind=kind or f"{self.kind}.{name}", dependencies=list(needs),
            parameters_json=json.dumps(parameters) if parameters is not None else None,
            **{"retry_delay_ms": 50, **fields})

    def pipeline(self, *steps, **fields):
        return orchestrator_pb2.Pipeline(name=self.name, steps=steps, **fields)

    def apply(self, *steps, **fields):
        return self.olga.get("ApplyPipeline", {"pipeline": self.pipeline(*steps, **fields)})

    def submit(self, by="alice", **fields):
        return people[by].get("SubmitRun", {"pipeline": self.name, **fields}).run_id

    def get(self, run_id, **fields):
        return self.vera.get("GetRun", {"run_id": run_id, **fields}).run

    def wait_for(self, run_id, name):
        return wait_until(lambda: (run := self.get(run_id)) and run_state_of(run) == name and run,
                          f"the run is {name}")

    def wait_for_step(self, run_id, name, state):
        return wait_until(
            lambda: (run := self.get(run_id)) and step_states(run)[name] == state and run,
            f"step {name} is {state}")

    def take(self, name, worker=None):
        return (worker or self.will).lease_one(f"{self.kind}.{name}")

    def do(self, name, outcome="DONE", outputs=None, **fields):
        """Takes the step's task and ends it so; what its spec was."""
        lease = self.take(name)
        if outputs is not None:
            fields["result"] = json.dumps(outputs).encode()
        self.assertEqual(self.will.complete(lease, outcome, **fields).status, "OK")
        return json.loads(lease.spec)

    def none_ready(self, *names):
        self.assertEqual(self.will.lease([f"{self.kind}.{name}" for name in names], 8), [])

    def events(self, run_id, kind=None):
        found = [each for each in read_events(subject=to_id(run_id)).events
                 if kind in (None, each.type)]
        return [(each.type, facts_of(each)) for each in found]

    def refused(self, *steps, field, says, by="olga", **fields):
        answer = people[by].ask("ApplyPipeline", {"pipeline": self.pipeline(*steps, **fields)})
        self.expect_field(answer, field)
        self.assertIn(says, answer.header.message)


class Applying(PipelineTest):
    def test_each_instance_has_its_numbers(self):
        done = suite.cli("stats", "orchestrator")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual(sorted(rows[0]), ["instance", "orchestrator0", "second"])
        self.assertTrue(all(len(row) == 3 for row in rows), done.stdout)
        for instance in ("orchestrator0", "second"):
            said = suite.cli("call", f"orchestrator.{instance}.GetHealth", "{}").stdout
            self.assertIn(f'"instance": "{instance}"', said)
        self.assertEqual(suite.cli("stats", "nosuch").returncode, 2)

    def test_a_version_never_changes_and_the_same_again_is_none(self):
        first = self.apply(self.step("a"), description="one")
        self.assertEqual((first.changed, first.pipeline.version, first.pipeline.created_by),
                         (True, 1, "olga"))
        self.assertIn("a kind of your own", first.warnings[0])
        again = self.apply(self.step("a"), description="one")
        self.assertEqual((again.changed, again.pipeline.version), (False, 1))
        dry = self.olga.get("ApplyPipeline", {"dry_run": True,
                                              "pipeline": self.pipeline(self.step("b"))})
        self.assertTrue(dry.changed)
        other = self.apply(self.step("b"))
        self.assertEqual((other.changed, other.pipeline.version), (True, 2))
        get = self.vera.get
        self.assertEqual(get("GetPipeline", {"name": self.name}).pipeline.steps[0].name, "b")
        old = get("GetPipeline", {"name": self.name, "version": 1}).pipeline
        self.assertEqual((old.steps[0].name, old.description, old.version), ("a", "one", 1))
        for message in ({"name": "gone"}, {"name": self.name, "version": 3}, {},
                        {"name": self.name, "version": 2**64 - 1}):
            self.expect(self.vera.ask("GetPipeline", message), "NOT_FOUND", "UNSPECIFIED")
        def applied():
            found = read_events(types=["pipeline.applied"]).events
            return [facts_of(each)["version"] for each in found
                    if facts_of(each)["pipeline"] == self.name]
        wait_until(lambda: applied() == ["1", "2"], "both are told of")

    def test_many_who_apply_at_once_make_versions_without_gaps(self):
        callers = [connect(Principal, "olga") for _ in range(6)]
        for each in callers:
            self.addCleanup(each.close)
        replies = []

        def apply(caller, number):
            message = {"pipeline": self.pipeline(self.step("a"), description=str(number))}
            answer = caller.ask("ApplyPipeline", message)
            while answer.status == "UNAVAILABLE":  # a race that was lost more than thrice
                answer = caller.ask("ApplyPipeline", message)
            replies.append(answer.read(orchestrator_pb2.ApplyPipelineReply).pipeline.version)
        threads = [threading.Thread(target=apply, args=(caller, number))
                   for number, caller in enumerate(callers)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(sorted(replies), [1, 2, 3, 4, 5, 6])

    def test_a_file_may_hold_parameters_as_json(self):
        source = {"name": self.name, "max_concurrent_runs": 2,
                  "parameters": [{"name": "n", "type": "int64", "default": 7}],
                  "steps": [{"name": "a", "kind": self.kind, "stage": "model_training",
                             "parameters": {"n": "${params.n}", "deep": [{"x": 1}]}}]}
        reply = self.olga.get("ApplyPipeline", {"source": "\n " + json.dumps(source, indent=2)})
        step = reply.pipeline.steps[0]
        self.assertEqual(json.loads(step.parameters_json), source["steps"][0]["parameters"])
        self.assertEqual(reply.pipeline.parameters[0].default_json, "7")
        wrong = {"name: x\nsteps: []\n": "JSON", "{": "not JSON", "[]": "JSON", "": "JSON",
                 '{"name": "x", "nmae": 1}': "no such field",
                 '{"name": "x", "name": "y"}': "twice",
                 '{"steps": [{"parameters": {"a": 1, "a": 2}}]}': "twice",
                 '{"steps": [{"parameters": {}, "parameters_json": "{}"}]}': "twice",
                 '{"a":' * 5000 + "1" + "}" * 5000: "levels",
                 "{" + " " * 256 * 1024 + "}": "bytes"}
        for text, says in wrong.items():
            with self.subTest(text=text[:40]):
                answer = self.olga.ask("ApplyPipeline", {"source": text})
                self.expect_field(answer, "source")
                self.assertIn(says, answer.header.message)
        self.expect_field(self.olga.ask("ApplyPipeline", {}), "pipeline")
        self.expect_field(self.olga.ask("ApplyPipeline", {
            "source": "{}", "pipeline": self.pipeline(self.step("a"))}), "pipeline")

    def test_the_file_in_the_documentation_is_one(self):
        with open(os.path.join(args.root, "docs", "pipelines.md")) as page:
            lines = page.read().splitlines()
        begin = lines.index("    {")
        end = lines.index("    }", begin)
        reply = self.olga.get("ApplyPipeline", {"source": "\n".join(lines[begin:end + 1]),
                                                "dry_run": True})
        self.assertEqual([each.name for each in reply.pipeline.steps], ["train", "judge", "report"])

    def test_what_no_pipeline_can_be(self):
        step, refused = self.step, self.refused
        names = "pipeline.steps.name"
        refused(field="pipeline.steps", says="1 to 256")
        refused(*[step(f"s{i}") for i in range(257)], field="pipeline.steps", says="1 to 256")
        refused(step("a"), step("a"), field=names, says="'a'")
        for bad in ("A", "a b", "x" * 65, "-a", "ação"):
            refused(step(bad, kind="test.x"), field=names, says="cannot name a step")
        needs = "pipeline.steps.dependencies"
        refused(step("a", ["b"]), field=needs, says="'b', which is no step")
        refused(step("a", ["a"]), field=needs, says="a -> a")
        refused(step("a", ["c"]), step("b", ["a"]), step("c", ["b"]), step("d", ["c"]),
                field=needs, says="c -> b -> a -> c")
        refused(step("a"), step("b", ["a", "a"]), field=needs, says="twice")
        refused(step("a", finally_step=True), step("b", ["a"]), field=needs, says="runs last")
        for name, value in (("timeout_ms", 999), ("timeout_ms", DAY_MS + 1), ("retry_count", 51),
                            ("retry_delay_ms", -1), ("backoff_factor", 0.5),
                            ("backoff_factor", float("nan")), ("backoff_factor", float("inf")),
                            ("priority", 0), ("priority", 6), ("min_verdict", 1)):
            refused(step("a", **{name: value}), field=f"pipeline.steps.{name}", says="step 'a'")
        refused(step("a", max_delay_ms=-1), field="pipeline.steps.retry_delay_ms", says="step 'a'")
        refused(step("a", non_retryable=["x\ny"]), field="pipeline.steps.non_retryable", says="'a'")
        refused(step("a", kind="Bad Kind"), field="pipeline.steps.kind", says="no kind")
        refused(step("a"), field="pipeline.timeout_ms", says="1 s", timeout_ms=10)
        refused(step("a"), field="pipeline.max_concurrent_runs", says="1 to", max_concurrent_runs=0)
        self.refused(step("a"), field="pipeline.environment", says="twice",
                     environment=kv(a=1) + kv(a=2))
        body = orchestrator_pb2.ApplyPipelineRequest(pipeline=self.pipeline(
            step("a", trigger_rule=12))).SerializeToString()
        unknown = body.replace(b"\x70\x0c", b"\x70\x63")  # field 14: a rule that nobody knows
        self.assertNotEqual(body, unknown)
        self.expect_field(self.olga.ask("ApplyPipeline", body=unknown),
                          "pipeline.steps.trigger_rule")
        for bad in ("", "a b", "x" * 129, "../x"):
            answer = self.olga.ask("ApplyPipeline", {"pipeline": orchestrator_pb2.Pipeline(
                name=bad, steps=[step("a")])})
            self.expect_field(answer, "pipeline.name")
        self.expect(self.vera.ask("GetPipeline", {"name": self.name}), "NOT_FOUND", "UNSPECIFIED")

    def test_parameters_that_are_wrong(self):
        parameter = orchestrator_pb2.Parameter
        field = "pipeline.parameters"
        int64 = common_pb2.COLUMN_TYPE_INT64
        for bad, says in (([parameter()], "cannot name"), ([parameter(name="a b")], "cannot name"),
                          ([parameter(name="a"), parameter(name="a")], "'a'"),
                          ([parameter(name="a", type=int64, default_json="1.5")], "whole number"),
                          ([parameter(name="a", type=int64, default_json='"1"')], "whole number"),
                          ([parameter(name="a", default_json="nope")], "not JSON"),
                          ([parameter(name=f"p{i}") for i in range(65)], "at most 64")):
            self.refused(self.step("a"), field=field, says=says, parameters=bad)

    def test_placeholders_that_name_nothing(self):
        field = "pipeline.steps.parameters_json"
        declared = [orchestrator_pb2.Parameter(name="rate")]

        def refused(text, says, needs=("a",)):
            with self.subTest(text):
                self.refused(self.step("a", kind="train"), self.step("x"), self.step("other"),
                             self.step("b", needs, {"v": text}), field=field, says=says,
                             parameters=declared)
        refused("${params.rte}", "did you mean rate")
        refused("${params.gone}", "no such parameter")
        refused("${params}", "no such parameter")
        refused("${steps.c.outputs.x}", "no such step")
        refused("${steps.other.outputs.x}", "does not depend on 'other'")
        refused("${steps.b.outputs.x}", "does not depend on 'b'")
        refused("${steps.a}", "outputs, state and error")
        refused("${steps.a.output.x}", "outputs, state and error")
        refused("${steps.a.outputs.verison}", "no field verison")
        refused("${steps.a.outputs.version.x}", "no field x")
        refused("${steps.a.outputs.metrics.key}", "say which")
        refused("${steps.a.outputs.version[0]}", "no list")
        refused("${run.name}", "id, pipeline and submitter")
        refused("${env.HOME}", "no such key")
        refused("${what.ever}", "begin with")
        refused("${", "does not end")
        self.apply(self.step("a", kind="train"), self.step("b", ["a"]),
                   self.step("c", ["b"], {"v": "${steps.a.outputs.metrics[0].key} ${env.X}"}),
                   environment=[common_pb2.KeyValue(key="X", value="y")])

    def test_json_that_is_too_much(self):
        field = "pipeline.steps.parameters_json"

        def refused(text, says):
            step = self.step("a")
            step.parameters_json = text
            self.refused(step, field=field, says=says)
        refused('{"a": 1, "a": 2}', "twice")
        refused('{"a":' * 17 + "1" + "}" * 17, "levels")
        refused('{"a":' * 2000 + "1" + "}" * 2000, "levels")
        refused('{"a": "%s"}' % ("x" * 16 * 1024), "bytes")
        refused('{"a": [%s]}' % ",".join("1" * 5000), "values")
        refused("[1]", "an object")
        refused("nope", "not JSON")
        steps = [self.step(f"s{i}") for i in range(256)]
        for each in steps:
            each.parameters_json = json.dumps({"a": "x" * 1000})
        answer = self.olga.ask("ApplyPipeline", {"pipeline": self.pipeline(*steps)})
        self.expect_field(answer, "pipeline")

    def test_fields_of_a_built_in_kind_are_checked_where_no_placeholder_hides_them(self):
        field = "pipeline.steps.parameters_json"
        parameters = [orchestrator_pb2.Parameter(name="x")]
        for bad, says in (({"modle": "m"}, "did you mean model"),
                          ({"modle": "${params.x}"}, "did you mean model"),
                          ({"data": {"nmae": "d"}}, "name"),
                          ({"seed": "many"}, "whole number"),
                          ({"algorithms": ["random_forrest"]}, "random_forest")):
            answer = self.olga.ask("ApplyPipeline", {"pipeline": self.pipeline(
                self.step("a", (), bad, kind="train"), parameters=parameters)})
            self.expect_field(answer, field)
            self.assertIn(says.lower(), answer.header.message.lower())
        self.apply(self.step("a", (), {"model": "${params.x}", "data": "${params.x}",
                                       "algorithms": ["${params.x}", "elastic_net"],
                                       "seed": "${params.x}"}, kind="train"), parameters=parameters)

    def test_who_may_apply(self):
        for name in ("alice", "vera", "will"):
            answer = people[name].ask("ApplyPipeline", {"pipeline": self.pipeline(self.step("a"))})
            self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")

    def test_the_largest_pipeline_is_stored_run_and_read(self):
        steps = [self.step(f"s{i:03}", [f"s{i - 1:03}"] if i else []) for i in range(256)]
        for each in steps:
            each.ClearField("retry_delay_ms")
        self.apply(*steps)
        run_id = self.submit()
        done = suite.cli("-o", "json", "call", "orchestrator.GetRun",
                         json.dumps({"run_id": to_id(run_id)}))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(json.loads(done.stdout)["run"]["steps"]), 256)
        done = suite.cli("-o", "json", "call", "orchestrator.GetPipeline",
                         json.dumps({"name": self.name}))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.alice.get("ChangeRun", {"run_id": run_id, "change": 3})
        self.wait_for(run_id, "CANCELLED")

    def test_pipelines_are_listed_by_name_page_by_page(self):
        for i in range(5):
            for version in range(2):
                self.olga.get("ApplyPipeline", {"pipeline": orchestrator_pb2.Pipeline(
                    name=f"listed-{i}", steps=[self.step("a")], description=str(version))})
        found, token = [], b""
        while True:
            reply = self.vera.get("ListPipelines", {"page": common_pb2.Page(size=2, token=token)})
            found += [(each.name, each.version) for each in reply.pipelines]
            token = reply.next_token
            if not token:
                break
        self.assertEqual([each for each in found if each[0].startswith("listed-")],
                         [(f"listed-{i}", 2) for i in range(5)])
        self.assertEqual(found, sorted(found))
        for token in (b"x" * 200, b"a\0b"):
            self.expect_field(self.vera.ask("ListPipelines", {
                "page": common_pb2.Page(size=2, token=token)}), "page.token")

    def test_the_shipped_pipeline_is_there_once_under_both_names(self):
        first = self.vera.get("GetPipeline", {"name": "default"}).pipeline
        self.assertEqual((first.version, first.created_by, len(first.steps)), (1, "valion", 6))
        self.assertEqual([each.stage for each in first.steps], [1, 2, 3, 4, 5, 6])
        alias = self.vera.get("GetPipeline", {"name": "default_ml_pipeline"}).pipeline
        self.assertEqual(alias, first)


class Running(PipelineTest):
    def test_outputs_of_a_step_are_parameters_of_the_next(self):
        self.apply(
            self.step("a", (), {"who": "${params.who}", "n": "${params.n}", "id": "${run.id}",
                                "text": "n=${params.n} $${x}", "env": "${env.MODE}"}),
            self.step("b", ["a"], {"score": "${steps.a.outputs.score}",
                                   "second": "${steps.a.outputs.list[1].x}",
                                   "all": "${steps.a.outputs}", "state": "${steps.a.state}"}),
            parameters=[orchestrator_pb2.Parameter(name="who", type=common_pb2.COLUMN_TYPE_STRING),
                        orchestrator_pb2.Parameter(name="n", type=common_pb2.COLUMN_TYPE_INT64,
                                                   default_json="4")],
            environment=[common_pb2.KeyValue(key="MODE", value="fast")])
        run_id = self.submit(params=kv(who="me"))
        run = self.get(run_id)
        self.assertEqual((run_state_of(run), run.submitter, run.trigger, run.pipeline_version),
                         ("RUNNING", "alice", "manual", 1))
        self.assertEqual({each.key: each.value for each in run.params}, {"who": '"me"', "n": "4"})
        self.assertEqual(step_states(run), {"a": "RUNNING", "b": "PENDING"})
        outputs = {"score": 0.5, "list": [{"x": 1}, {"x": True}]}
        self.assertEqual(self.do("a", outputs=outputs),
                         {"who": "me", "n": 4, "id": to_id(run_id), "text": "n=4 ${x}",
                          "env": "fast"})
        self.assertEqual(self.do("b"), {"score": 0.5, "second": True, "all": outputs,
                                        "state": "succeeded"})
        run = self.wait_for(run_id, "COMPLETED")
        self.assertEqual(json.loads(step_of(run, "a").outputs_json), outputs)
        self.assertEqual(json.loads(step_of(run, "b").outputs_json), {})
        self.assertGreaterEqual(run.finished_us, run.started_us)
        types = [each[0] for each in self.events(run_id)]
        wait_until(lambda: "run.finished" in [each[0] for each in self.events(run_id)], "the event")
        types = [each[0] for each in self.events(run_id)]
        self.assertEqual(types, ["run.submitted", "run.started", "run.step_started",
                                 "run.step_finished", "run.step_started", "run.step_finished",
                                 "run.finished"])
        task = job(step_of(run, "a").task_id)
        self.assertEqual((state_of(task), task.run_id, task.step, task.submitter),
                         ("DONE", run_id, "a", "alice"))

    def test_a_repeated_submission_is_one_run(self):
        self.apply(self.step("a"))
        request_id = uuid.uuid4().bytes
        ids = {self.alice.get("SubmitRun", {"pipeline": self.name}, request_id=request_id).run_id
               for _ in range(3)}
        self.assertEqual(len(ids), 1)
        self.assertEqual(len(self.vera.get("ListRuns", {"pipeline": self.name}).runs), 1)
        other = self.alice.ask("SubmitRun", {"pipeline": self.name, "priority": 1},
                               request_id=request_id)
        self.expect(other, "ALREADY_EXISTS", "REQUEST_ID_REUSED")
        self.assertEqual(len(self.will.lease(f"{self.kind}.a", 8)), 1)

    def test_submissions_that_are_wrong(self):
        int64, text = common_pb2.COLUMN_TYPE_INT64, common_pb2.COLUMN_TYPE_STRING
        self.apply(self.step("a"), parameters=[
            orchestrator_pb2.Parameter(name="n", type=int64),
            orchestrator_pb2.Parameter(name="s", type=text, default_json="null")])

        def refused(field, says, **message):
            answer = self.alice.ask("SubmitRun", {"pipeline": self.name, **message})
            self.expect_field(answer, field)
            self.assertIn(says, answer.header.message)
        pair = common_pb2.KeyValue
        refused("params", "needs a value for 'n'")
        refused("params", "no parameter 'm'", params=kv(n=1, m=2))
        refused("params", "whole number", params=kv(n="1"))
        refused("params", "whole number", params=kv(n=2**63))
        refused("params", "text in quotes", params=kv(n=1, s=2))
        refused("params", "not JSON", params=[pair(key="n", value="one")])
        refused("params", "not JSON", params=[pair(key="n")])
        refused("params", "twice", params=kv(n=1) + kv(n=1))
        refused("params", "twice", params=[pair(key="n", value='{"a":1,"a":2}')])
        refused("params", "levels", params=[pair(key="n", value="[" * 2000 + "]" * 2000)])
        refused("params", "bytes", params=[pair(key="n", value=" " * 5000 + "1")])
        refused("priority", "1 (first)", params=kv(n=1), priority=6)
        refused("from_step", "rerun", params=kv(n=1), from_step="a")
        refused("rerun_of", "16 bytes", params=kv(n=1), rerun_of=b"short")
        for message, says in (({"pipeline": "gone"}, "no pipeline"), ({}, "no pipeline"),
                              ({"pipeline": self.name, "version": 9}, "no version 9"),
                              ({"rerun_of": os.urandom(16)}, "no run")):
            answer = self.alice.ask("SubmitRun", message)
            self.expect(answer, "NOT_FOUND", "UNSPECIFIED")
            self.assertIn(says, answer.header.message)
        self.assertEqual(list(self.vera.get("ListRuns", {"pipeline": self.name}).runs), [])
        self.submit(params=kv(n=-3))
        self.assertEqual(self.do("a"), {})

    def test_a_submitter_needs_the_role_of_every_step(self):
        self.apply(self.step("a", (), {"model": "m"}, kind="train"),
                   self.step("b", ["a"], {"model": "m"}, kind="deploy"))
        for name in ("alice", "olga"):
            answer = people[name].ask("SubmitRun", {"pipeline": self.name})
            self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")
        self.assertIn("publisher", answer.header.message)
        self.expect(self.vera.ask("SubmitRun", {"pipeline": self.name}), "PERMISSION_DENIED",
                    "FORBIDDEN")
        self.expect(self.alice.ask("SubmitJob", {"kind": "deploy"}), "PERMISSION_DENIED",
                    "FORBIDDEN")
        run_id = self.submit(by="admin")
        lease = self.bea.lease_one("train")
        self.assertEqual(lease.submitter, "admin")
        self.assertEqual(trainer_pb2.TrainSpec.FromString(lease.spec).model, "m")
        self.assertEqual(self.bea.end(lease, "HANDED_BACK"), "READY")
        self.admin.get("ChangeRun", {"run_id": run_id, "change": 3})
        self.wait_for(run_id, "CANCELLED")

    def test_specs_and_results_of_built_in_kinds(self):
        digest = os.urandom(32)
        self.apply(
            self.step("prepare", (), {"data": {"name": "d"}}, kind="transform"),
            self.step("train", ["prepare"], {
                "model": "m", "data": {"digest": "${steps.prepare.outputs.outputs[0].digest}"},
                "validation": "${steps.prepare.outputs.outputs[1]}", "seed": 7}, kind="train"),
            self.step("validate", ["train"], {
                "model": "m", "version": "${steps.train.outputs.version}",
                "max_rows": "${steps.train.outputs.rows_held_out}"}, kind="validate"))
        run_id = self.submit()
        lease = self.bea.lease_one("transform")
        refs = [evidence_pb2.DataRef(name="one", digest=digest), evidence_pb2.DataRef(name="two")]
        self.bea.end(lease, result=trainer_pb2.TransformResult(outputs=refs).SerializeToString())
        lease = self.bea.lease_one("train")
        spec = trainer_pb2.TrainSpec.FromString(lease.spec)
        self.assertEqual((spec.data.digest, spec.validation.name, spec.seed), (digest, "two", 7))
        self.bea.end(lease, result=trainer_pb2.TrainResult(
            version="1.2.3", rows_held_out=206).SerializeToString())
        lease = self.bea.lease_one("validate")
        spec = validator_pb2.ValidateSpec.FromString(lease.spec)
        self.assertEqual((spec.version, spec.max_rows), ("1.2.3", 206))
        self.bea.end(lease, result=validator_pb2.ValidateResult(
            verdict=evidence_pb2.CHECK_STATUS_PASS, sentence="good").SerializeToString())
        run = self.wait_for(run_id, "COMPLETED")
        self.assertEqual(json.loads(step_of(run, "validate").outputs_json)["verdict"],
                         "CHECK_STATUS_PASS")

    def test_a_verdict_below_what_is_wanted_fails_the_step(self):
        verdicts = ["PASS", "WARN", "INCONCLUSIVE", "FAIL"]  # from the best to the worst
        wanted = {"": "PASS", "PASS": "PASS", "WARN": "WARN", "INCONCLUSIVE": "INCONCLUSIVE"}
        steps = [self.step(f"v{i}", (), {"model": str(i)}, kind="validate", required=False, **(
            {"min_verdict": evidence_pb2.MinStatus.Value("MIN_STATUS_" + least)} if least else {}))
                 for i, least in enumerate(wanted)]
        self.apply(*steps)
        for verdict in verdicts:
            run_id = self.submit()
            for _ in wanted:
                lease = self.bea.lease_one("validate")
                result = validator_pb2.ValidateResult(
                    verdict=evidence_pb2.CheckStatus.Value("CHECK_STATUS_" + verdict),
                    sentence="r2 is 0.2, below 0.7")
                self.bea.end(lease, result=result.SerializeToString())
            run = self.wait_for(run_id, "COMPLETED")
            for i, least in enumerate(wanted.values()):
                good = verdicts.index(verdict) <= verdicts.index(least)
                found = step_of(run, f"v{i}")
                self.assertEqual(step_states(run)[f"v{i}"], "SUCCEEDED" if good else "FAILED")
                if not good:
                    self.assertIn(f"{verdict}, and {least} is wanted: r2 is 0.2", found.error)

    def test_a_step_whose_parameters_come_to_nothing_fails(self):
        self.apply(self.step("a"), self.step("b", ["a"], {"v": "${steps.a.outputs.gone}"}))
        run_id = self.submit()
        self.do("a", outputs={"here": 1})
        run = self.wait_for(run_id, "FAILED")
        self.assertIn("nothing at '${steps.a.outputs.gone}'", step_of(run, "b").error)
        self.assertIn("the required step 'b' failed", run.error)

    def test_results_that_are_no_json_objects_give_no_outputs(self):
        results = [b"", b"\xff\xfe", b"[1]", b'{"a":1,"a":2}', b'"x"', b"{" * 9000]
        self.apply(*[self.step(f"s{i}") for i in range(len(results))])
        run_id = self.submit()
        for i, result in enumerate(results):
            self.do(f"s{i}", result=result)
        run = self.wait_for(run_id, "COMPLETED")
        self.assertEqual({each.outputs_json for each in run.steps}, {"{}"})

    def test_runs_wait_for_their_turn(self):
        self.apply(self.step("a"), max_concurrent_runs=2)
        runs = [self.submit(priority=priority) for priority in (3, 3, 3, 1)]
        self.assertEqual([run_state_of(self.get(each)) for each in runs],
                         ["RUNNING", "RUNNING", "PENDING", "PENDING"])
        self.do("a")
        self.wait_for(runs[0], "COMPLETED")
        self.wait_for(runs[3], "RUNNING")  # the most urgent first
        self.assertEqual(run_state_of(self.get(runs[2])), "PENDING")
        self.alice.get("ChangeRun", {"run_id": runs[1], "change": 3})
        self.wait_for(runs[2], "RUNNING")
        for _ in range(2):
            self.do("a")
        self.wait_for(runs[2], "COMPLETED")
        self.wait_for(runs[3], "COMPLETED")

    def test_a_watcher_is_told_when_the_state_changes(self):
        self.apply(self.step("a"))
        run_id = self.submit()
        watcher = connect(Principal, "vera")
        self.addCleanup(watcher.close)
        message = orchestrator_pb2.GetRunRequest(run_id=run_id, wait_while=run_state("RUNNING"))
        watcher.socket.send_multipart([watcher.header("GetRun", remaining_ms=30000),
                                       message.SerializeToString()])
        self.assertFalse(watcher.socket.poll(100))
        self.do("a")
        self.assertTrue(watcher.socket.poll(20000))
        reply = orchestrator_pb2.GetRunReply.FromString(watcher.socket.recv_multipart()[1])
        self.assertEqual(run_state_of(reply.run), "COMPLETED")

    def test_runs_are_listed_by_pipeline_and_state(self):
        self.apply(self.step("a"))
        runs = [self.submit() for _ in range(5)]

        def ids(**message):
            reply = self.vera.get("ListRuns", {"pipeline": self.name, **message})
            return [each.run_id for each in reply.runs]
        self.assertEqual(ids(), runs[::-1])
        self.assertEqual(ids(state=run_state("RUNNING")), runs[:1])
        first = self.vera.get("ListRuns", {"pipeline": self.name, "page": common_pb2.Page(size=3)})
        rest = ids(page=common_pb2.Page(size=3, token=first.next_token))
        self.assertEqual([each.run_id for each in first.runs] + rest, runs[::-1])
        for each in runs:
            self.alice.get("ChangeRun", {"run_id": each, "change": 3})
        for message in ({"run_id": os.urandom(16)},):
            self.expect(self.vera.ask("GetRun", message), "NOT_FOUND", "UNSPECIFIED")
        self.expect_field(self.vera.ask("GetRun", {}), "run_id")
        self.expect_field(self.vera.ask("ListRuns", {"page": common_pb2.Page(token=b"x")}),
                          "page.token")

    def test_numbers_have_the_originals_names(self):
        def numbers():
            reply = self.vera.get("GetStats", service="orchestrator")
            return {each.key: each.value for each in reply.numbers}
        before = numbers()
        self.apply(self.step("a"), max_concurrent_runs=5)
        runs = [self.submit() for _ in range(3)]
        self.do("a")
        self.do("a", "FAILED", error="no")
        self.wait_for(runs[1], "FAILED")
        self.wait_for(runs[0], "COMPLETED")
        after = numbers()
        changes = {name: after[name] - before[name] for name in (
            "total_executions", "completed_executions", "failed_executions", "active_executions")}
        self.assertEqual(changes, {"total_executions": 3, "completed_executions": 1,
                                   "failed_executions": 1, "active_executions": 1})
        ended = after["completed_executions"] + after["failed_executions"]
        self.assertAlmostEqual(after["success_rate"], after["completed_executions"] / ended)
        self.assertGreater(after["average_duration_ms"], 0)
        self.assertGreaterEqual(after["jobs_done"], 1)
        self.do("a")


class Failing(PipelineTest):
    def test_a_step_is_tried_again_as_it_says(self):
        self.apply(self.step("a", retry_count=2, retry_delay_ms=400, backoff_factor=1.0))
        run_id = self.submit()
        for attempt in range(3):
            lease = self.take("a")
            self.assertEqual(lease.attempt, attempt + 1)
            self.will.end(lease, "FAILED", error=f"no {attempt}", retryable=True)
            if attempt < 2:
                run = self.get(run_id)
                self.assertEqual(step_states(run), {"a": "RETRYING"})
                self.assertEqual(step_of(run, "a").attempts, attempt + 1)
        run = self.wait_for(run_id, "FAILED")
        self.assertEqual(run.error, "the required step 'a' failed: no 2")
        task = job(step_of(run, "a").task_id)
        self.assertEqual(task.attempts, 3)

    def test_what_is_not_retried(self):
        self.apply(self.step("a", required=False, non_retryable=["bad_input", "bad_data"]),
                   self.step("b", required=False), self.step("c", required=False, retry_count=0))
        run_id = self.submit()
        lease = self.take("a")
        self.assertEqual(self.will.end(lease, "FAILED", error="x", retryable=True,
                                       error_class="bad"), "READY")
        lease = self.take("a")
        self.assertEqual(self.will.end(lease, "FAILED", error="x", retryable=True,
                                       error_class="bad_data"), "FAILED")
        self.assertEqual(self.will.end(self.take("b"), "FAILED", error="x"), "FAILED")
        lease = self.take("c")
        self.expect_field(self.will.complete(lease, "FAILED", error_class="x" * 129), "error_class")
        self.assertEqual(self.will.end(lease, "FAILED", retryable=True), "FAILED")
        self.wait_for(run_id, "COMPLETED")

    def test_auto_retry_off_means_no_step_is_tried_again(self):
        self.apply(self.step("a"), auto_retry=False)
        run_id = self.submit()
        self.do("a", "FAILED", error="x", retryable=True)
        self.wait_for(run_id, "FAILED")

    def test_a_retry_that_cannot_begin_in_time_is_none(self):
        self.apply(self.step("a", retry_delay_ms=60000, timeout_ms=5000))
        run_id = self.submit()
        self.do("a", "FAILED", error="the very reason", retryable=True)
        self.assertIn("the very reason", self.wait_for(run_id, "FAILED").error)

    def test_lost_leases_and_crashes_do_not_spend_retries(self):
        self.apply(self.step("a", retry_count=0))
        run_id = self.submit()
        self.assertEqual(self.will.end(self.take("a"), "CRASHED", error="signal 11"), "READY")
        self.assertEqual(self.will.end(self.take("a"), "HANDED_BACK"), "READY")
        self.do("a")
        self.wait_for(run_id, "COMPLETED")

    def test_a_step_that_poisons_its_task_fails(self):
        self.apply(self.step("a"))
        run_id = self.submit()
        for _ in range(2):
            self.will.end(self.take("a"), "CRASHED", error="signal 11")
        run = self.wait_for(run_id, "FAILED")
        self.assertIn("signal 11", run.error)

    def test_who_depends_on_a_failure_is_skipped_and_says_why(self):
        rules = {"all_success": "SKIPPED", "all_done": "SUCCEEDED", "one_failed": "SUCCEEDED",
                 "none_failed": "SKIPPED", "all_failed": "SUCCEEDED", "all_skipped": "SKIPPED"}
        steps = [self.step(rule, ["a"], trigger_rule=orchestrator_pb2.TriggerRule.Value(
            "TRIGGER_RULE_" + rule.upper())) for rule in rules]
        self.apply(self.step("a", required=False), *steps, self.step("end", ["all_success"]))
        run_id = self.submit()
        self.do("a", "FAILED", error="no")
        for rule, state in rules.items():
            if state == "SUCCEEDED":
                self.do(rule)
        run = self.wait_for(run_id, "COMPLETED")
        self.assertEqual(step_states(run), {"a": "FAILED", **rules, "end": "SKIPPED"})
        self.assertEqual(step_of(run, "all_success").why,
                         "its rule is all_success, and step 'a' failed")
        self.assertEqual(step_of(run, "end").why,
                         "its rule is all_success, and step 'all_success' was skipped")

    def test_a_required_failure_ends_the_run_but_not_what_runs_last(self):
        self.apply(self.step("a"), self.step("b"), self.step("c", ["b"]),
                   self.step("tidy", ["a"], {"a": "${steps.a.state}", "why": "${steps.a.error}"},
                             finally_step=True))
        run_id = self.submit()
        self.do("a", "FAILED", error="out of memory")
        self.none_ready("tidy")
        run = self.get(run_id)
        self.assertEqual(step_states(run), {"a": "FAILED", "b": "RUNNING", "c": "SKIPPED",
                                            "tidy": "PENDING"})
        self.do("b")
        self.assertEqual(self.do("tidy"), {"a": "failed", "why": "out of memory"})
        run = self.wait_for(run_id, "FAILED")
        self.assertEqual(step_of(run, "c").why, "the required step 'a' failed")
        finished = wait_until(lambda: self.events(run_id, "run.finished"), "the event")
        self.assertEqual([each[1]["state"] for each in finished], ["failed"])

    def test_skip_on_failure(self):
        self.apply(self.step("a", skip_on_failure=True), self.step("b", ["a"]),
                   self.step("c", ["a"], trigger_rule=orchestrator_pb2.TRIGGER_RULE_NONE_FAILED))
        run_id = self.submit()
        self.do("a", "FAILED", error="not today")
        self.do("c")
        run = self.wait_for(run_id, "COMPLETED")
        self.assertEqual(step_states(run), {"a": "SKIPPED", "b": "SKIPPED", "c": "SUCCEEDED"})
        self.assertEqual(step_of(run, "a").error, "not today")

    def test_a_run_has_a_time(self):
        self.apply(self.step("a"), self.step("b", ["a"]), self.step("tidy", finally_step=True),
                   timeout_ms=1000)
        run_id = self.submit()
        lease = self.take("a")
        wait_until(lambda: self.will.beat(lease) == "CANCEL", "the worker is told to stop")
        self.assertEqual(self.will.end(lease, "CANCELLED"), "CANCELLED")
        self.do("tidy")
        run = self.wait_for(run_id, "FAILED")
        self.assertEqual(step_states(run), {"a": "CANCELLED", "b": "CANCELLED",
                                            "tidy": "SUCCEEDED"})
        self.assertIn("the run's time, 1000 ms, is over", run.error)

    def test_a_step_has_a_time(self):
        self.apply(self.step("a", timeout_ms=1000))
        run_id = self.submit()
        self.assertIn("deadline", self.wait_for(run_id, "FAILED").error)


class Changing(PipelineTest):
    def change(self, run_id, what, by="alice", **fields):
        return people[by].ask("ChangeRun", {
            "run_id": run_id, "change": orchestrator_pb2.RunChange.Value("RUN_CHANGE_" + what),
            **fields})

    def good(self, *words, **fields):
        return self.change(*words, **fields).read(orchestrator_pb2.ChangeRunReply).run

    def test_a_paused_run_starts_nothing_new(self):
        self.apply(self.step("a"), self.step("b", ["a"]))
        run_id = self.submit()
        lease = self.take("a")
        self.assertEqual(run_state_of(self.good(run_id, "PAUSE")), "PAUSED")
        self.expect(self.change(run_id, "PAUSE"), "FAILED_PRECONDITION", "STATE")
        self.will.end(lease)
        run = self.get(run_id)
        self.assertEqual((run_state_of(run), step_states(run)),
                         ("PAUSED", {"a": "SUCCEEDED", "b": "PENDING"}))
        self.none_ready("b")
        self.assertEqual(run_state_of(self.good(run_id, "RESUME", by="olga")), "RUNNING")
        self.expect(self.change(run_id, "RESUME"), "FAILED_PRECONDITION", "STATE")
        self.do("b")
        self.wait_for(run_id, "COMPLETED")
        self.expect(self.change(run_id, "CANCEL"), "FAILED_PRECONDITION", "STATE")

    def test_one_that_waits_for_its_turn_can_be_paused_and_cancelled(self):
        self.apply(self.step("a"))
        runs = [self.submit() for _ in range(3)]
        self.good(runs[1], "PAUSE")
        run = self.good(runs[2], "CANCEL", reason="not needed")
        self.assertEqual((run_state_of(run), step_states(run)), ("CANCELLED", {"a": "CANCELLED"}))
        self.assertIn("cancelled by alice: not needed", run.error)
        self.do("a")
        self.wait_for(runs[0], "COMPLETED")
        self.none_ready("a")
        self.assertIn(run_state_of(self.good(runs[1], "RESUME")), ("PENDING", "RUNNING"))
        self.do("a")
        self.wait_for(runs[1], "COMPLETED")

    def test_a_cancelled_run_stops_its_steps_and_still_tidies_up(self):
        self.apply(self.step("a"), self.step("b"), self.step("c", ["a"]),
                   self.step("tidy", finally_step=True))
        run_id = self.submit()
        lease = self.take("a")
        run = self.good(run_id, "CANCEL", reason="wrong data")
        self.assertEqual((run_state_of(run), step_states(run)),
                         ("RUNNING", {"a": "RUNNING", "b": "CANCELLED", "c": "CANCELLED",
                                      "tidy": "PENDING"}))
        self.expect(self.change(run_id, "PAUSE"), "FAILED_PRECONDITION", "STATE")
        self.none_ready("b", "c", "tidy")
        self.assertEqual(self.will.beat(lease), "CANCEL")
        self.will.end(lease, "CANCELLED")
        self.do("tidy")
        run = self.wait_for(run_id, "CANCELLED")
        self.assertIn("alice: wrong data", run.error)
        self.assertIn("wrong data", job(step_of(run, "a").task_id).cancel_reason)

    def test_cancelled_twice_it_stops_what_runs_last_too(self):
        self.apply(self.step("a"), self.step("tidy", finally_step=True))
        run_id = self.submit()
        self.good(run_id, "CANCEL")
        self.wait_for_step(run_id, "tidy", "RUNNING")
        run = self.good(run_id, "CANCEL")
        self.assertEqual((run_state_of(run), step_states(run)),
                         ("CANCELLED", {"a": "CANCELLED", "tidy": "CANCELLED"}))

    def test_a_step_may_be_cancelled_as_a_job(self):
        self.apply(self.step("a"), self.step("b", ["a"]))
        run_id = self.submit()
        task_id = step_of(self.get(run_id), "a").task_id
        self.alice.get("CancelJob", {"job_id": task_id, "reason": "no"})
        run = self.wait_for(run_id, "FAILED")
        self.assertEqual(step_states(run), {"a": "CANCELLED", "b": "SKIPPED"})
        self.assertIn("the required step 'a' was cancelled", run.error)

    def test_a_failed_step_is_not_requeued_but_run_again(self):
        self.apply(self.step("a"), self.step("b", ["a"]), self.step("c", ["b"]))
        run_id = self.submit()
        self.do("a", outputs={"x": 1})
        self.do("b", "FAILED", error="no")
        run = self.wait_for(run_id, "FAILED")
        self.expect(self.olga.ask("RequeueJob", {"job_id": step_of(run, "b").task_id}),
                    "FAILED_PRECONDITION", "STATE")

    def test_whose_run_it_is(self):
        self.apply(self.step("a"))
        run_id = self.submit()
        self.expect(self.change(run_id, "CANCEL", by="bob"), "PERMISSION_DENIED", "FORBIDDEN")
        self.expect_field(self.change(run_id, "UNSPECIFIED"), "change")
        self.expect_field(self.change(run_id, "CANCEL", reason="x" * 501), "reason")
        self.expect(self.change(os.urandom(16), "CANCEL"), "NOT_FOUND", "UNSPECIFIED")
        self.expect_field(self.change(b"", "CANCEL"), "run_id")
        self.good(run_id, "CANCEL", by="olga")

    def test_a_repeated_change_is_made_once(self):
        self.apply(self.step("a"))
        run_id = self.submit()
        request_id = uuid.uuid4().bytes
        replies = [self.alice.get("ChangeRun", {"run_id": run_id, "change": 1},
                                  request_id=request_id) for _ in range(3)]
        self.assertEqual([run_state_of(each.run) for each in replies], ["PAUSED"] * 3)
        self.alice.get("ChangeRun", {"run_id": run_id, "change": 3})


class Rerunning(PipelineTest):
    def start(self):
        self.apply(self.step("a", (), {"n": "${params.n}"}),
                   self.step("b", ["a"], {"x": "${steps.a.outputs.x}"}),
                   self.step("c", ["b"], {"y": "${steps.b.outputs.y}"}),
                   self.step("tidy", finally_step=True),
                   parameters=[orchestrator_pb2.Parameter(name="n", default_json="1")])
        run_id = self.submit(params=kv(n=5))
        self.do("a", outputs={"x": "of a"})
        return run_id

    def test_what_succeeded_is_used_again(self):
        first = self.start()
        self.expect(self.alice.ask("SubmitRun", {"rerun_of": first}), "FAILED_PRECONDITION",
                    "STATE")
        self.do("b", "FAILED", error="no")
        self.do("tidy")
        self.wait_for(first, "FAILED")
        again = self.alice.get("SubmitRun", {"rerun_of": first}).run_id
        self.assertEqual(self.do("b", outputs={"y": 2}), {"x": "of a"})
        self.assertEqual(self.do("c"), {"y": 2})
        self.do("tidy")
        run = self.wait_for(again, "COMPLETED")
        self.assertEqual(run.rerun_of, first)
        self.assertEqual({each.name: each.reused for each in run.steps},
                         {"a": True, "b": False, "c": False, "tidy": False})
        self.assertEqual({each.key: each.value for each in run.params}, {"n": "5"})

    def test_from_a_step_on(self):
        first = self.start()
        self.do("b", outputs={"y": 2})
        self.do("c")
        self.do("tidy")
        self.wait_for(first, "COMPLETED")
        again = self.submit(rerun_of=first, from_step="c", params=kv(n=6))
        self.assertEqual(self.do("c"), {"y": 2})
        self.do("tidy")
        run = self.wait_for(again, "COMPLETED")
        self.assertEqual({each.name: each.reused for each in run.steps},
                         {"a": True, "b": True, "c": False, "tidy": False})
        self.expect_field(self.alice.ask("SubmitRun", {"rerun_of": first, "from_step": "x"}),
                          "from_step")
        self.expect_field(self.alice.ask("SubmitRun", {"rerun_of": first, "pipeline": "default"}),
                          "rerun_of")


class Logs(PipelineTest):
    def append(self, lease, *texts, worker=None, **of_header):
        lines = [orchestrator_pb2.LogLine(time_us=1_700_000_000_000_000 + i, level="info", text=text)
                 for i, text in enumerate(texts)]
        return (worker or self.will).ask("AppendLog", {
            "task_id": lease.task_id, "token": lease.token, "lines": lines}, **of_header)

    def read(self, lease, **fields):
        return self.vera.get("ReadLog", {"task_id": lease.task_id, **fields})

    def setUp(self):
        super().setUp()
        self.apply(self.step("a"))
        self.submit()
        self.lease = self.take("a")

    def test_lines_are_read_in_order_from_where_one_was(self):
        request_id = uuid.uuid4().bytes
        for _ in range(2):
            self.assertEqual(self.append(self.lease, "one", "two", request_id=request_id).status,
                             "OK")
        self.append(self.lease, "three")
        reply = self.read(self.lease)
        self.assertEqual([each.text for each in reply.lines], ["one", "two", "three"])
        self.assertEqual((reply.lines[1].time_us, reply.lines[1].level),
                         (1_700_000_000_000_001, "info"))
        first = self.read(self.lease, limit=2)
        rest = self.read(self.lease, after=first.next)
        self.assertEqual([each.text for each in rest.lines], ["three"])
        empty = self.read(self.lease, after=rest.next)
        self.assertEqual((len(empty.lines), empty.next), (0, rest.next))

    def test_a_reader_that_waits_is_told(self):
        reader = connect(Principal, "vera")
        self.addCleanup(reader.close)
        message = orchestrator_pb2.ReadLogRequest(task_id=self.lease.task_id, wait_ms=25000)
        reader.socket.send_multipart([reader.header("ReadLog", remaining_ms=30000),
                                      message.SerializeToString()])
        self.assertFalse(reader.socket.poll(100))
        self.append(self.lease, "at last")
        self.assertTrue(reader.socket.poll(20000))
        reply = orchestrator_pb2.ReadLogReply.FromString(reader.socket.recv_multipart()[1])
        self.assertEqual(reply.lines[0].text, "at last")

    def test_only_who_holds_the_lease_writes(self):
        self.expect(self.append(self.lease, "x", worker=self.wanda), "ABORTED", "FENCED")
        old = orchestrator_pb2.Lease(task_id=self.lease.task_id, token=self.lease.token + 1)
        self.expect(self.append(old, "x"), "ABORTED", "FENCED")
        self.will.end(self.lease)
        self.expect(self.append(self.lease, "x"), "ABORTED", "FENCED")
        self.expect(self.alice.ask("AppendLog", {"task_id": self.lease.task_id}),
                    "PERMISSION_DENIED", "FORBIDDEN")

    def test_what_is_too_much(self):
        self.expect_field(self.append(self.lease), "lines")
        self.expect_field(self.append(self.lease, *["x"] * 257), "lines")
        self.expect_field(self.append(self.lease, "x" * 4097), "lines")
        for fields in ({"limit": 0}, {"limit": 1001}, {"after": 2**64 - 1}):
            self.expect_field(self.vera.ask("ReadLog", {"task_id": self.lease.task_id, **fields}),
                              "limit")
        for _ in range(40):
            self.append(self.lease, *["x"] * 250)
        answer = self.append(self.lease, "one more")
        self.assertEqual(self.expect(answer, "RESOURCE_EXHAUSTED", "QUOTA").limit, 10000)
        pages, after = [], 0
        while (reply := self.read(self.lease, after=after, limit=1000)).lines:
            pages.append(len(reply.lines))
            after = reply.next
        self.assertEqual(sum(pages), 10000)


class Workers(threading.Thread):
    """A worker that takes tasks of these kinds one after the other until it is told to stop. Calls
    are repeated with the same id, as a client does."""

    def __init__(self, name, kinds):
        super().__init__(daemon=True)
        self.worker = connect(Worker, name)
        self.kinds, self.stopped, self.done, self.failure = kinds, False, [], None

    def repeat(self, method, message):
        request_id = uuid.uuid4().bytes
        for attempt in range(1, 200):
            answer = self.worker.ask(method, message, request_id=request_id, attempt=attempt,
                                     remaining_ms=5000)
            if answer.status not in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"):
                return answer
            time.sleep(0.02)
        raise AssertionError(f"{method}: {answer.header.message}")

    def work(self):
        message = {"kinds": self.kinds, "free": 4, "wait_ms": 500, "worker": self.worker.name}
        answer = self.repeat("LeaseTasks", message)
        for lease in answer.read(orchestrator_pb2.LeaseTasksReply).leases:
            end = {"task_id": lease.task_id, "token": lease.token, "outcome": 1,
                   "result": b'{"ok": true}'}
            assert self.repeat("CompleteTask", end).status in ("OK", "ABORTED")
            self.done.append(lease.task_id)

    def run(self):
        try:
            while not self.stopped:
                self.work()
        except Exception as failure:  # shown by who joins it
            self.failure = failure


class Crashing(PipelineTest):
    """Two orchestrators; either may die at any instant."""

    def setUp(self):
        super().setUp()
        self.workers = []

    def start_workers(self, *kinds):
        self.workers = [Workers(name, list(kinds)) for name in ("will", "wanda")]
        for each in self.workers:
            each.start()
        self.addCleanup(self.stop_workers)

    def stop_workers(self):
        for each in self.workers:
            each.stopped = True
        for each in self.workers:
            each.join()
            each.worker.close()
            self.assertIsNone(each.failure)

    def check_record(self, run_id, steps):
        """Each step had one task, each ended once, and the log says so once."""
        hexed = f"'\\x{run_id.hex()}'"
        self.assertEqual(suite.number(f"SELECT count(*) FROM pipeline.task WHERE run_id = {hexed}"),
                         steps)
        self.assertEqual(suite.number("SELECT count(DISTINCT task_id) FROM pipeline.step"
                                      f" WHERE run_id = {hexed} AND state = 4"), steps)
        wait_until(lambda: self.events(run_id, "run.finished"), "the event")
        self.assertEqual(len(self.events(run_id, "run.finished")), 1)
        self.assertEqual(len(self.events(run_id, "run.step_finished")), steps)
        self.assertEqual(len(self.events(run_id, "run.step_started")), steps)

    def wait_long(self, run_id):
        def ended():
            answer = self.vera.ask("GetRun", {"run_id": run_id})
            if answer.status != "OK":
                return None
            run = answer.read(orchestrator_pb2.GetRunReply).run
            return run_state_of(run) == "COMPLETED" and run
        return wait_until(ended, "the run is COMPLETED", 60)

    def test_steps_that_end_at_once_start_what_follows_once(self):
        """Forty that end together, through two orchestrators, and one that waits for all."""
        names = [f"s{i}" for i in range(40)]
        self.apply(*[self.step(name, kind=self.kind) for name in names],
                   self.step("join", names, kind=self.kind), max_concurrent_runs=3)
        self.start_workers(self.kind)
        runs = [self.submit() for _ in range(6)]
        for each in runs:
            self.wait_long(each)
            self.check_record(each, 41)

    def test_two_that_end_in_the_same_instant_start_what_waits_for_one_of_them_once(self):
        """Either end makes the rule come true; without the run's lock both would start the step."""
        pairs = range(40)
        one = orchestrator_pb2.TRIGGER_RULE_ONE_DONE
        steps = [self.step(f"{side}{i}", kind=f"{self.kind}.{side}") for side in "ab" for i in pairs]
        steps += [self.step(f"join{i}", [f"a{i}", f"b{i}"], kind=f"{self.kind}.join",
                            trigger_rule=one) for i in pairs]
        self.apply(*steps)
        run_id = self.submit()
        barrier = threading.Barrier(2, timeout=30)
        failures = []

        def end_all(name, side):
            worker = connect(Worker, name)
            try:
                leases = worker.lease(f"{self.kind}.{side}", 64)
                steps_of = {each.task_id: each for each in leases}
                order = [each.task_id for each in self.get_as(worker, run_id)
                         if each.task_id in steps_of]
                for task_id in order:
                    barrier.wait()
                    assert worker.complete(steps_of[task_id]).status == "OK"
            except Exception as failure:  # shown below
                failures.append(failure)
            finally:
                worker.close()
        threads = [threading.Thread(target=end_all, args=pair)
                   for pair in (("will", "a"), ("wanda", "b"))]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(failures, [])
        self.start_workers(f"{self.kind}.join")
        self.wait_long(run_id)
        self.check_record(run_id, len(steps))

    def get_as(self, caller, run_id):
        return caller.get("GetRun", {"run_id": run_id}).run.steps

    def test_a_run_goes_on_though_orchestrators_are_killed_between_its_steps(self):
        names = [f"s{i}" for i in range(8)]
        self.apply(*[self.step(name, names[i - 1:i], kind=f"{self.kind}.{i}")
                     for i, name in enumerate(names)])
        run_id = self.submit()
        for i in range(len(names)):
            lease = self.take(str(i))
            if i % 2:
                stop_second(signal.SIGKILL)
            else:
                kill_first()
            answer = self.will.complete(lease)
            while answer.status == "UNAVAILABLE":  # it went to the one that was dying
                answer = self.will.complete(lease)
            self.assertEqual(answer.status, "OK")
            if i % 2:
                start_second()
            else:
                wait_until(lambda: served_by() >= {"orchestrator0", "second"}, "both serve")
        self.wait_long(run_id)
        self.check_record(run_id, len(names))

    def test_nothing_is_lost_when_orchestrators_die_at_any_instant(self):
        names = [f"s{i}" for i in range(12)]
        self.apply(*[self.step(name, names[max(0, i - 3):i:2], kind=self.kind)
                     for i, name in enumerate(names)], max_concurrent_runs=4)
        self.start_workers(self.kind)
        runs = []
        for round_ in range(6):
            request_id = uuid.uuid4().bytes
            killer = threading.Timer(0.005 * round_, kill_first)
            killer.start()
            answer = self.alice.ask("SubmitRun", {"pipeline": self.name}, request_id=request_id)
            while answer.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                answer = self.alice.ask("SubmitRun", {"pipeline": self.name},
                                        request_id=request_id)
            runs.append(answer.read(orchestrator_pb2.SubmitRunReply).run_id)
            killer.join()
        self.assertEqual(len(set(runs)), len(runs))
        for each in runs:
            self.wait_long(each)
            self.check_record(each, len(names))
