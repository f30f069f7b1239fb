"""What the record says in the end of a kill test over the main job, read by SQL as a superuser, and
what stands under the supervisor and on disk beside it."""
import glob
import os
import re
import uuid

from valion.v1 import deployer_pb2, evidence_pb2, orchestrator_pb2, registry_pb2

DONE = orchestrator_pb2.TASK_STATE_DONE
STAGING = registry_pb2.STAGE_STAGING
# Why a run may fail here: each names a bound that kills can use up. Anything else is a bug.
BOUNDS = (r"killed its process", r"at every attempt", r"deadline", r"timeout")


def count(items):
    found = {}
    for each in items:
        found[each] = found.get(each, 0) + 1
    return found


def at_most_one(name, effects, tasks):
    """Effects of tasks: each that is done has one, each that is not has one at most."""
    number = count(effects)
    twice = sum(n > 1 for n in number.values())
    without = sum(state == DONE and task not in number for task, state in tasks.items())
    strange = len(number.keys() - tasks.keys())
    return [(f"{name}, made", len(effects), len(effects) > 0),
            (f"{name}: twice for a task", twice, twice == 0),
            (f"{name}: none for a task that is done", without, without == 0),
            (f"{name}: for no task", strange, strange == 0)]


def longest(spans):
    return "%.1f" % max(spans, default=0.0)


class Record:
    def __init__(self, suite, pipeline):
        self.suite, self.pipeline = suite, pipeline

    # ---- reading ----

    def ids(self, query):
        return [bytes.fromhex(row[0]) for row in self.suite.sql(query)]

    def messages(self, table, kind):
        return [kind.FromString(each) for each in
                self.ids(f"SELECT encode(record, 'hex') FROM {table}")]

    def read(self):
        self.read_runs()
        self.read_tasks()
        self.versions = self.messages("registry.version", registry_pb2.Version)
        self.reports = self.messages("registry.report", evidence_pb2.Report)
        self.rollouts = self.messages("deployment.rollout", deployer_pb2.Rollout)
        self.revisions = self.suite.sql("SELECT model, version, encode(rollout_id, 'hex')"
                                        " FROM deployment.revision WHERE environment = 'staging'")
        self.stagings = self.suite.sql("SELECT model, version FROM registry.stage_change"
                                       f" WHERE to_stage = {STAGING}")
        self.log = [int(each) for each in self.suite.sql(
            "SELECT count(*), coalesce(max(position), 0) FROM event.log")[0]]
        self.unsent = self.suite.number("SELECT count(*) FROM event.outbox")

    def read_runs(self):
        rows = self.suite.sql(
            "SELECT encode(id, 'hex'), state, coalesce(error, ''), extract(epoch FROM submitted),"
            " extract(epoch FROM finished) FROM pipeline.run WHERE pipeline ="
            f" '{self.pipeline}'")
        self.runs = {bytes.fromhex(row[0]): int(row[1]) for row in rows}
        self.errors = [row[2] for row in rows
                       if int(row[1]) != orchestrator_pb2.RUN_STATE_COMPLETED]
        self.run_times = {bytes.fromhex(row[0]): (float(row[3]), float(row[4]))
                          for row in rows if row[4]}

    def read_tasks(self):
        rows = self.suite.sql(
            "SELECT encode(id, 'hex'), kind, state, coalesce(encode(run_id, 'hex'), ''),"
            " coalesce(step, ''), extract(epoch FROM submitted), extract(epoch FROM finished),"
            " run_outs, coalesce(error, '') FROM pipeline.task")
        self.tasks = {bytes.fromhex(row[0]): int(row[2]) for row in rows}
        self.kinds = {bytes.fromhex(row[0]): row[1] for row in rows}
        self.jobs = {bytes.fromhex(row[0]): int(row[2]) for row in rows
                     if not row[3] and row[1] == "validate"}
        self.job_errors = [row[8] for row in rows if not row[3] and int(row[2]) != DONE]
        self.steps = [(row[3], row[4]) for row in rows if row[3]]
        self.task_times = [(float(row[5]), float(row[6]), int(row[7])) for row in rows if row[6]]
        self.job_times = [(float(row[5]), float(row[6])) for row in rows if row[6] and not row[3]]

    def of_kind(self, kind):
        return {task: state for task, state in self.tasks.items() if self.kinds[task] == kind}

    # ---- what stands beside it ----

    def left_behind(self):
        """What is still there though the record has nothing that is served from it, by name."""
        known = {str(uuid.UUID(bytes=each)) for each in
                 self.ids("SELECT encode(id, 'hex') FROM deployment.instance")}
        stable = {str(uuid.UUID(bytes=each)) for each in self.ids(
            "SELECT encode(i.id, 'hex') FROM deployment.instance i JOIN deployment.endpoint e"
            " USING (environment, model) WHERE i.rollout_id = e.stable")}
        folders = set(os.listdir(os.path.join(self.suite.folder, "runner", "instances")))
        links = {name.removeprefix("server-") for name in
                 os.listdir(os.path.join(self.suite.folder, "s6")) if name.startswith("server-")}
        sockets = {os.path.basename(path).removesuffix(".sock") for path in
                   glob.glob(os.path.join(self.suite.folder, "runner", "s", "*.sock"))}
        grants = self.ids(
            "SELECT encode(grant_id, 'hex') FROM registry.serving_grant WHERE closed IS NULL AND"
            " rollout_id NOT IN (SELECT rollout_id FROM deployment.instance)")
        return {
            "instances that are neither stable nor gone": known - stable,
            "folders of instances that the record does not know": folders - known,
            "links of the supervisor that the record does not know": links - known,
            "sockets of servers that the record does not know":
                sockets - {each.replace("-", "")[-12:] for each in known},
            "processes of servers that the record does not know": self.processes() - known,
            "instances of the record that have no folder or link":
                known - (folders & links),
            "grants that are open, and nothing serves": {each.hex() for each in grants}}

    def processes(self):
        """Instances of which a server runs."""
        found = set()
        inside = os.path.join(self.suite.folder, "runner", "instances") + "/"
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
            except OSError:
                continue  # it has just ended
            if words[0].endswith("valion-server"):
                found.update(word.removeprefix(inside) for word in words
                             if word.startswith(inside))
        return found

    # ---- judging ----

    def checks(self):
        train, validate = self.of_kind("train"), self.of_kind("validate")
        deploy, promote = self.of_kind("deploy"), self.of_kind("promote")
        again = sum(n > 1 for n in count(self.steps).values())
        staged = count(map(tuple, self.stagings))
        promoted = sum(state == DONE for state in promote.values())
        served = count(row[2] for row in self.revisions)
        open_tasks = sum(state < DONE for state in self.tasks.values())
        open_rollouts = [each for each in self.rollouts if not each.finished_us]
        bad = self.errors_that_name_no_bound()
        return [
            ("tasks, of them not ended", f"{len(self.tasks)}, {open_tasks}", not open_tasks),
            ("steps that have more than one task", again, again == 0),
            *at_most_one("versions", [each.lineage.task_id for each in self.versions], train),
            *at_most_one("reports", [each.task_id for each in self.reports], validate),
            *at_most_one("rollouts", [each.task_id for each in self.rollouts], deploy),
            ("rollouts that have not ended", len(open_rollouts), not open_rollouts),
            ("revisions, made", len(self.revisions), len(self.revisions) > 0),
            ("revisions: twice for a rollout", sum(n > 1 for n in served.values()),
             all(n == 1 for n in served.values())),
            ("versions that came to staging, promotions done", f"{len(staged)}, {promoted}",
             len(staged) >= promoted),
            ("versions that came to staging twice", sum(n > 1 for n in staged.values()),
             all(n == 1 for n in staged.values())),
            ("runs failed", len(self.errors), True),
            ("jobs failed", len(self.job_errors), True),
            ("failures that name no bound", len(bad), not bad),
            ("log entries, last position, waiting", "%d, %d, %d" % (*self.log, self.unsent),
             self.log[0] == self.log[1] and self.unsent == 0)]

    def errors_that_name_no_bound(self):
        return [each for each in self.errors + self.job_errors
                if not any(re.search(bound, each) for bound in BOUNDS)]

    def failures(self):
        """Sentences and how often, without what differs from one to the next."""
        plain = (re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+\.\d+\.\d+", "…", each) or "(no sentence)"
                 for each in self.errors + self.job_errors)
        return sorted(count(plain).items(), key=lambda item: -item[1])

    def check_answers(self, answered):
        """Whatever answered under a model's name was a version that the record made stable."""
        stable = {(row[0], row[1]) for row in self.revisions}
        strange = {(model, version) for model, versions in answered.items()
                   for version in versions} - stable
        return [("versions that answered, of them never stable",
                 f"{sum(map(len, answered.values()))}, {len(strange)}", not strange)]

    def times(self, first):
        """`first`: runs that nothing disturbed."""
        ends = sorted(finished for _, finished, _ in self.task_times)
        spans = {run: finished - submitted for run, (submitted, finished) in self.run_times.items()}
        still = [after - before for before, after in zip(ends, ends[1:])]
        return [
            ("longest run before the first kill, s",
             longest(span for run, span in spans.items() if run in first), True),
            ("longest run, from submitted to ended, s",
             longest(span for run, span in spans.items() if run not in first), True),
            ("longest job, s", longest(end - begin for begin, end in self.job_times), True),
            ("longest recovery: no task ended for, s", longest(still), True),
            ("most leases that ran out under a task",
             max(lost for _, _, lost in self.task_times), True)]

    def recoveries(self, killed):
        """Longest time from a kill until a task that lived then had ended, by name."""
        found = {}
        for at, _, name in killed:
            felt = [finished - at for submitted, finished, _ in self.task_times
                    if submitted <= at < finished]
            found[name] = max([found.get(name, 0.0), *felt])
        return [(f"longest recovery from a kill of {name}, s", "%.1f" % found[name], True)
                for name in sorted(found)]
