"""Jobs as people see them, leases as workers do."""
import os
import time
import uuid

from services_case import (LEASE_S, MAX_READY, SILENT_KIND, ServicesTest, connect, facts_of, job,
                           people, silent, submit, suite, wait_for_event, wait_for_state)
from services_support import Pages, Principal, Worker, pairs, state, state_of, to_id, wait_until
from valion.v1 import common_pb2, orchestrator_pb2

SPEC_MAX = 16 * 1024
DAY_MS = 24 * 60 * 60 * 1000


class Jobs(ServicesTest):
    def test_a_job_from_submission_to_result(self):
        label = common_pb2.KeyValue(key="team", value="blue")
        job_id = submit(self.kind, spec=b"spec", labels=[label], priority=2)
        found = job(job_id)
        self.assertEqual((state_of(found), found.submitter, found.priority, list(found.labels)),
                         ("READY", "alice", 2, [label]))
        lease = self.will.lease_one(self.kind)
        self.assertEqual((lease.task_id, lease.spec, lease.attempt), (job_id, b"spec", 1))
        self.assertEqual(state_of(job(job_id)), "RUNNING")
        self.assertEqual(self.will.end(lease, result=b"result"), "DONE")
        found = job(job_id)
        self.assertEqual((state_of(found), found.result, found.attempts), ("DONE", b"result", 1))
        event = wait_for_event(to_id(job_id), "job.finished")
        self.assertEqual((facts_of(event)["state"], event.actor), ("done", "will"))

    def test_a_repeated_submission_is_one_job(self):
        request_id = uuid.uuid4().bytes
        message = {"kind": self.kind, "spec": b"once"}
        ids = {self.alice.get("SubmitJob", message, request_id=request_id).job_id
               for _ in range(3)}
        self.assertEqual(len(ids), 1)
        other = self.alice.ask("SubmitJob", {"kind": self.kind, "spec": b"twice"},
                               request_id=request_id)
        self.expect(other, "ALREADY_EXISTS", "REQUEST_ID_REUSED")
        self.assertEqual(len(self.will.lease(self.kind, 64)), 1)

    def test_any_kind_may_be_submitted_and_waits_for_its_worker(self):
        job_id = submit("user.nobody-works-on-this:v2")
        self.assertEqual(state_of(job(job_id)), "READY")

    def test_jobs_that_are_wrong(self):
        wrong = {"kind": [{"kind": bad} for bad in ("", "Upper", "a b", "x" * 65, "../x", "ação")],
                 "spec": [{"spec": bytes(SPEC_MAX + 1)}],
                 "priority": [{"priority": 0}, {"priority": 6}, {"priority": 2**32 - 1}],
                 "deadline_ms": [{"deadline_ms": bad}
                                 for bad in (-1, 0, 999, DAY_MS + 1, 2**63 - 1)],
                 "delay_ms": [{"delay_ms": bad} for bad in (-1, DAY_MS + 1, -2**63)],
                 "max_attempts": [{"max_attempts": 0}, {"max_attempts": 101}],
                 "labels": [{"labels": pairs(17)}, {"labels": [common_pb2.KeyValue(value="x")]},
                            {"labels": pairs(1, value="x" * 5001)}]}
        for field, messages in wrong.items():
            for message in messages:
                with self.subTest(field=field, message=str(message)[:60]):
                    self.expect_field(self.alice.ask("SubmitJob", {"kind": self.kind, **message}),
                                      field)
        self.assertEqual(self.will.lease(self.kind, 64), [])

    def test_the_largest_job_that_may_be(self):
        job_id = submit(self.kind, spec=os.urandom(SPEC_MAX), labels=pairs(16, value="x" * 5000))
        self.will.end(self.will.lease_one(self.kind), result=os.urandom(SPEC_MAX))
        done = suite.cli("-o", "json", "job", "show", to_id(job_id))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_job_that_there_is_not(self):
        for method in ("GetJob", "CancelJob", "RequeueJob"):
            with self.subTest(method):
                self.expect(self.olga.ask(method, {"job_id": os.urandom(16)}), "NOT_FOUND",
                            "UNSPECIFIED")
                self.expect_field(self.olga.ask(method, {"job_id": b"short"}), "job_id")
                self.expect_field(self.olga.ask(method, {}), "job_id")

    def test_a_delay_is_waited_for(self):
        submit(self.kind, delay_ms=DAY_MS, deadline_ms=DAY_MS)
        soon = submit(self.kind, delay_ms=500)
        self.assertEqual(self.will.lease(self.kind, 64), [])
        self.assertEqual(self.will.lease_one(self.kind).task_id, soon)

    def test_a_deadline_ends_a_job_that_nobody_takes(self):
        job_id = submit(self.kind, deadline_ms=1000)
        found = wait_for_state(job_id, "FAILED")
        self.assertIn("deadline", found.error)

    def test_a_watcher_is_told_when_the_state_changes(self):
        job_id = submit(self.kind)
        watcher = connect(Principal, "vera")
        self.addCleanup(watcher.close)
        message = orchestrator_pb2.GetJobRequest(job_id=job_id, wait_while=state("READY"))
        watcher.socket.send_multipart([watcher.header("GetJob", remaining_ms=30000),
                                       message.SerializeToString()])
        self.assertFalse(watcher.socket.poll(100))
        self.alice.get("CancelJob", {"job_id": job_id})
        self.assertTrue(watcher.socket.poll(20000))
        reply = orchestrator_pb2.GetJobReply.FromString(watcher.socket.recv_multipart()[1])
        self.assertEqual(state_of(reply.job), "CANCELLED")

    def test_jobs_are_listed_by_kind_state_and_submitter(self):
        mine = [submit(self.kind) for _ in range(5)]
        bobs = submit(self.kind, by="bob")
        self.will.end(self.will.lease_one(self.kind))

        def ids(**message):
            reply = self.vera.get("ListJobs", {"kind": self.kind, **message})
            return [each.job_id for each in reply.jobs]
        self.assertEqual(ids(), [bobs, *reversed(mine)])
        self.assertEqual(ids(submitter="bob"), [bobs])
        self.assertEqual(ids(state=state("DONE")), [mine[0]])
        self.assertEqual(ids(state=state("POISONED")), [])
        first = self.vera.get("ListJobs", {"kind": self.kind, "page": common_pb2.Page(size=4)})
        rest_of_it = ids(page=common_pb2.Page(size=4, token=first.next_token))
        self.assertEqual([each.job_id for each in first.jobs] + rest_of_it,
                         [bobs, *reversed(mine)])


class Leases(ServicesTest):
    def test_requests_that_are_wrong(self):
        wrong = {"kinds": [{"kinds": [], "free": 1}, {"kinds": ["test.x"] * 33, "free": 1}],
                 "free": [{"kinds": [self.kind], "free": 0}, {"kinds": [self.kind], "free": 65},
                          {"kinds": [self.kind]}],
                 "worker": [{"kinds": [self.kind], "free": 1, "worker": "x" * 129}]}
        for field, messages in wrong.items():
            for message in messages:
                with self.subTest(field=field, message=str(message)[:60]):
                    self.expect_field(self.will.ask("LeaseTasks", message), field)

    def test_kinds_that_the_certificate_does_not_name(self):
        submit("user.secret")
        for kinds in (["user.secret"], ["test.x", "user.secret"], [""], ["test"], ["*"]):
            with self.subTest(kinds=kinds):
                answer = self.will.ask("LeaseTasks", {"kinds": kinds, "free": 1})
                self.expect(answer, "PERMISSION_DENIED", "FORBIDDEN")

    def test_the_most_urgent_and_then_the_oldest_come_first(self):
        jobs = [submit(self.kind, priority=priority) for priority in (5, 3, 1, 3)]
        leases = self.will.lease(self.kind, 64)
        self.assertEqual([each.task_id for each in leases], [jobs[2], jobs[1], jobs[3], jobs[0]])

    def test_a_repeated_call_gets_what_it_got(self):
        submit(self.kind)
        submit(self.kind)
        request_id = uuid.uuid4().bytes
        first = self.will.lease(self.kind, 1, request_id=request_id)
        again = self.will.lease(self.kind, 1, request_id=request_id, attempt=2)
        self.assertEqual([(each.task_id, each.token) for each in first],
                         [(each.task_id, each.token) for each in again])
        thief = self.wanda.lease(self.kind, 1, request_id=request_id, attempt=2)
        self.assertNotEqual(thief[0].task_id, first[0].task_id)

    def test_a_worker_that_waits_is_woken_by_a_job(self):
        waiting = connect(Worker, "wanda")
        self.addCleanup(waiting.close)
        message = orchestrator_pb2.LeaseTasksRequest(kinds=[self.kind], free=1, wait_ms=25000)
        waiting.socket.send_multipart([waiting.header("LeaseTasks", remaining_ms=30000),
                                       message.SerializeToString()])
        self.assertFalse(waiting.socket.poll(100))
        job_id = submit(self.kind)
        self.assertTrue(waiting.socket.poll(20000))
        reply = orchestrator_pb2.LeaseTasksReply.FromString(waiting.socket.recv_multipart()[1])
        self.assertEqual(reply.leases[0].task_id, job_id)

    def test_a_reply_holds_what_fits_a_frame(self):
        """More bytes of specs, over many kinds, than a reply may have: the rest comes next."""
        kinds = [f"{self.kind}.{i}" for i in range(32)]
        self.alice.get_all("SubmitJob", ({"kind": kind, "spec": os.urandom(SPEC_MAX)}
                                         for kind in kinds))
        rounds = []
        while sum(rounds) < len(kinds):
            rounds.append(len(self.will.lease(kinds, 64)))
            self.assertGreater(rounds[-1], 0)
        self.assertGreater(len(rounds), 1)
        self.assertGreater(rounds[0], 8)

    def test_a_lease_is_the_principals_that_got_it(self):
        """Tokens are small numbers: nobody completes the task of another by guessing them."""
        job_id = submit(self.kind)
        lease = self.will.lease_one(self.kind)
        self.assertEqual(self.wanda.beat(lease), "FENCED")
        for outcome in ("DONE", "FAILED", "HANDED_BACK"):
            self.expect(self.wanda.complete(lease, outcome), "ABORTED", "FENCED")
        self.assertEqual(self.will.beat(lease), "CONTINUE")
        self.assertEqual(self.will.end(lease), "DONE")
        self.expect(self.wanda.complete(lease), "ABORTED", "FENCED")
        self.assertEqual(state_of(job(job_id)), "DONE")

    def test_heartbeats(self):
        job_id = submit(self.kind)
        lease = self.will.lease_one(self.kind)
        until = job(job_id).lease_until_us
        self.assertEqual(self.will.beat(lease, progress=0.25, progress_text="a quarter"),
                         "CONTINUE")
        found = job(job_id)
        self.assertGreater(found.lease_until_us, until)
        self.assertEqual((found.progress, found.progress_text), (0.25, "a quarter"))
        for token in (lease.token + 1, lease.token - 1, 2**64 - 1):
            wrong = orchestrator_pb2.Lease(task_id=lease.task_id, token=token)
            self.assertEqual(self.will.beat(wrong), "FENCED")
        stranger = orchestrator_pb2.Lease(task_id=os.urandom(16), token=1)
        self.assertEqual(self.will.beat(stranger), "FENCED")
        self.will.end(lease)
        self.assertEqual(self.will.beat(lease), "FENCED")

    def test_heartbeats_that_are_wrong(self):
        beat = orchestrator_pb2.Beat(task_id=os.urandom(16), token=1)
        wrong = {"beats": [[], [beat] * 257],
                 "beats.task_id": [[orchestrator_pb2.Beat(token=1)]],
                 "beats.progress": [[orchestrator_pb2.Beat(task_id=bytes(16), progress=bad)]
                                    for bad in (-0.1, 1.1, float("nan"), float("inf"))]}
        for field, lists in wrong.items():
            for beats in lists:
                with self.subTest(field=field, count=len(beats)):
                    self.expect_field(self.will.ask("Heartbeat", {"beats": beats}), field)


class Outcomes(ServicesTest):
    def start(self, **fields):
        job_id = submit(self.kind, **fields)
        return job_id, self.will.lease_one(self.kind)

    def test_a_result_is_recorded_once(self):
        job_id, lease = self.start()
        self.assertEqual(self.will.end(lease, result=b"first"), "DONE")
        self.assertEqual(self.will.end(lease, result=b"first"), "DONE")
        self.expect(self.will.complete(lease, result=b"second"), "ABORTED", "FENCED")
        self.expect(self.will.complete(lease, "FAILED"), "ABORTED", "FENCED")
        self.assertEqual(job(job_id).result, b"first")

    def test_tokens_that_are_not_the_last(self):
        job_id, old = self.start()
        self.will.end(old, "HANDED_BACK")
        new = self.will.lease_one(self.kind)
        self.expect(self.will.complete(old, result=b"stale"), "ABORTED", "FENCED")
        ahead = orchestrator_pb2.Lease(task_id=job_id, token=new.token + 1)
        self.expect(self.will.complete(ahead), "ABORTED", "FENCED")
        huge = orchestrator_pb2.Lease(task_id=job_id, token=2**64 - 1)
        self.expect(self.will.complete(huge), "ABORTED", "FENCED")
        self.assertEqual(self.will.end(new, result=b"good"), "DONE")
        self.assertEqual(job(job_id).result, b"good")

    def test_outcomes_that_are_wrong(self):
        _, lease = self.start()
        wait = orchestrator_pb2.Wait
        wrong = {"outcome": [("UNSPECIFIED", {})],
                 "result": [("DONE", {"result": bytes(SPEC_MAX + 1)}),
                            ("WAIT", {"resume": bytes(SPEC_MAX + 1)})],
                 "error": [("FAILED", {"error": "x" * 2001})],
                 "wait": [("WAIT", {}), ("WAIT", {"wait": wait()}),
                          ("WAIT", {"wait": wait(job_ids=[bytes(16)] * 65)})],
                 "wait.job_ids": [("WAIT", {"wait": wait(job_ids=[b"short"])})]}
        for field, cases in wrong.items():
            for outcome, fields in cases:
                with self.subTest(field=field, outcome=outcome):
                    self.expect_field(self.will.complete(lease, outcome, **fields), field)
        message = {"task_id": lease.task_id, "token": lease.token, "outcome": 99}
        body = (orchestrator_pb2.CompleteTaskRequest(task_id=lease.task_id, token=lease.token)
                .SerializeToString() + b"\x18\x63")
        self.assertIn(b"\x18\x63", body, message)
        self.expect_field(self.will.ask("CompleteTask", body=body), "outcome")
        stranger = orchestrator_pb2.Lease(task_id=os.urandom(16), token=1)
        for outcome in ("DONE", "FAILED"):
            self.expect(self.will.complete(stranger, outcome), "NOT_FOUND", "UNSPECIFIED")
        self.assertEqual(self.will.beat(lease), "CONTINUE")

    def test_many_end_in_one_call_each_by_itself(self):
        for _ in range(4):
            submit(self.kind)
        leases = self.will.lease(self.kind, 4)
        self.assertEqual(len(leases), 4)
        done, failed = (orchestrator_pb2.Outcome.Value("OUTCOME_" + each)
                        for each in ("DONE", "FAILED"))
        tasks = [{"task_id": each.task_id, "token": each.token, "outcome": done,
                  "result": each.task_id} for each in leases]
        tasks[1]["token"] += 1
        tasks[2].update(outcome=failed, error="as said")
        tasks[3]["outcome"] = 0
        tasks.append({"task_id": b"short", "token": 1, "outcome": done})
        for _ in range(2):  # repeated, it says the same
            answers = self.will.get("CompleteTasks", {"tasks": tasks}).answers
            self.assertEqual([common_pb2.Status.Name(each.status) for each in answers],
                             ["STATUS_OK", "STATUS_ABORTED", "STATUS_OK",
                              "STATUS_INVALID_ARGUMENT", "STATUS_INVALID_ARGUMENT"])
            self.assertEqual([each.state for each in answers][:3:2],
                             [orchestrator_pb2.TASK_STATE_DONE, orchestrator_pb2.TASK_STATE_FAILED])
            self.assertIn("lease", answers[1].message)
        self.assertEqual(job(leases[0].task_id).result, leases[0].task_id)
        self.assertEqual(job(leases[2].task_id).error, "as said")
        for each in (leases[1], leases[3]):
            self.assertEqual(self.will.complete(each).status, "OK")
        for wrong in ([], tasks[:1] * 65):
            self.expect_field(self.will.ask("CompleteTasks", {"tasks": wrong}), "tasks")

    def test_a_failure_for_good(self):
        job_id, lease = self.start()
        self.assertEqual(self.will.end(lease, "FAILED", error="no such column"), "FAILED")
        self.assertEqual(self.will.end(lease, "FAILED", error="no such column"), "FAILED")
        found = job(job_id)
        self.assertEqual((state_of(found), found.error), ("FAILED", "no such column"))
        facts = facts_of(wait_for_event(to_id(job_id), "job.finished"))
        self.assertEqual((facts["state"], facts["error"]), ("failed", "no such column"))

    def test_a_failure_that_may_pass_is_tried_again_later(self):
        job_id, lease = self.start()
        self.assertEqual(self.will.end(lease, "FAILED", error="busy", retryable=True), "READY")
        found = job(job_id)
        backoff_us = found.not_before_us - found.started_us
        self.assertGreaterEqual(backoff_us, 500_000)
        self.assertEqual(self.will.lease(self.kind), [])
        again = self.will.lease_one(self.kind)
        self.assertEqual((again.task_id, again.attempt), (job_id, 2))
        self.assertGreater(again.token, lease.token)

    def test_attempts_come_to_an_end(self):
        _, lease = self.start(max_attempts=1)
        self.assertEqual(self.will.end(lease, "FAILED", error="busy", retryable=True), "FAILED")

    def test_a_task_that_kills_its_process_twice_is_poisoned(self):
        job_id, lease = self.start()
        self.assertEqual(self.will.end(lease, "CRASHED", error="signal 11"), "READY")
        lease = self.will.lease_one(self.kind)
        self.assertEqual(self.will.end(lease, "CRASHED", error="signal 11 again"), "POISONED")
        found = job(job_id)
        self.assertEqual((state_of(found), found.crashes, found.error),
                         ("POISONED", 2, "signal 11 again"))
        wait_for_event(to_id(job_id), "task.poisoned")
        self.assertEqual(self.will.lease(self.kind), [])

    def test_a_clean_hand_back_counts_for_nothing(self):
        job_id, lease = self.start(max_attempts=1)
        for _ in range(3):
            self.assertEqual(self.will.end(lease, "HANDED_BACK"), "READY")
            lease = self.will.lease_one(self.kind)
        self.assertEqual(lease.attempt, 1)
        self.assertEqual(job(job_id).attempts, 1)

    def test_a_requeued_job_begins_anew(self):
        """Also when its time was over: it would fail again at once."""
        late = submit(self.kind, deadline_ms=1000)
        wait_for_state(late, "FAILED")
        self.expect(self.bob.ask("RequeueJob", {"job_id": late}), "PERMISSION_DENIED", "FORBIDDEN")
        requeued = self.olga.get("RequeueJob", {"job_id": late}).job
        self.assertEqual((state_of(requeued), requeued.attempts, requeued.crashes), ("READY", 0, 0))
        lease = self.will.lease_one(self.kind, 0)
        self.assertEqual(lease.task_id, late)
        self.assertGreater(lease.deadline_ms, 0)
        self.assertEqual(self.will.end(lease), "DONE")
        self.expect(self.olga.ask("RequeueJob", {"job_id": late}), "FAILED_PRECONDITION", "STATE")


class Cancelling(ServicesTest):
    def cancel(self, job_id, by="alice", **fields):
        return people[by].ask("CancelJob", {"job_id": job_id, **fields})

    def test_a_ready_job_ends_at_once_and_says_why(self):
        job_id = submit(self.kind)
        told = self.cancel(job_id, reason="wrong data").read(orchestrator_pb2.CancelJobReply).job
        self.assertEqual((state_of(told), told.cancel_reason), ("CANCELLED", "wrong data"))
        found = job(job_id)
        self.assertEqual((state_of(found), found.cancel_reason), ("CANCELLED", "wrong data"))
        event = wait_for_event(to_id(job_id), "job.finished")
        self.assertEqual((facts_of(event)["reason"], event.actor), ("wrong data", "alice"))
        self.assertEqual(self.will.lease(self.kind), [])

    def test_a_running_job_is_told_through_its_heartbeat(self):
        job_id = submit(self.kind)
        lease = self.will.lease_one(self.kind)
        told = self.cancel(job_id, reason="enough").read(orchestrator_pb2.CancelJobReply).job
        self.assertEqual((state_of(told), told.cancel_requested), ("RUNNING", True))
        self.assertEqual(self.will.beat(lease), "CANCEL")
        self.assertEqual(facts_of(wait_for_event(to_id(job_id), "job.cancelled"))["reason"],
                         "enough")
        self.assertEqual(self.will.end(lease, "CANCELLED"), "CANCELLED")
        self.assertEqual(self.will.end(lease, "CANCELLED"), "CANCELLED")
        facts = facts_of(wait_for_event(to_id(job_id), "job.finished"))
        self.assertEqual((facts["state"], facts["reason"]), ("cancelled", "enough"))
        self.assertEqual(job(job_id).cancel_reason, "enough")

    def test_a_running_job_that_was_cancelled_may_still_be_done(self):
        job_id = submit(self.kind)
        lease = self.will.lease_one(self.kind)
        self.cancel(job_id, reason="too late")
        self.assertEqual(self.will.end(lease, result=b"done"), "DONE")
        self.assertNotIn("reason", facts_of(wait_for_event(to_id(job_id), "job.finished")))

    def test_a_cancelled_job_is_not_tried_again(self):
        job_id = submit(self.kind)
        lease = self.will.lease_one(self.kind)
        self.cancel(job_id)
        self.assertEqual(self.will.end(lease, "FAILED", retryable=True), "CANCELLED")
        self.assertFalse(job(job_id).HasField("cancel_reason"))

    def test_a_job_that_has_ended_stays_as_it_ended(self):
        job_id = submit(self.kind)
        self.will.end(self.will.lease_one(self.kind))
        self.expect(self.cancel(job_id), "FAILED_PRECONDITION", "STATE")
        self.assertEqual(state_of(job(job_id)), "DONE")

    def test_the_reason_goes_with_the_request_when_a_job_begins_anew(self):
        job_id = submit(self.kind)
        lease = self.will.lease_one(self.kind)
        self.cancel(job_id, reason="old reason")
        self.assertEqual(self.will.end(lease, "FAILED", error="for good"), "FAILED")
        self.assertEqual(job(job_id).cancel_reason, "old reason")
        self.olga.get("RequeueJob", {"job_id": job_id})
        found = job(job_id)
        self.assertFalse(found.cancel_requested)
        self.assertFalse(found.HasField("cancel_reason"))

    def test_whose_job_it_is(self):
        job_id = submit(self.kind)
        self.expect(self.cancel(job_id, by="bob"), "PERMISSION_DENIED", "FORBIDDEN")
        self.assertEqual(self.cancel(job_id, by="olga").status, "OK")

    def test_a_reason_that_is_too_long(self):
        job_id = submit(self.kind)
        self.expect_field(self.cancel(job_id, reason="x" * 501), "reason")
        self.assertEqual(self.cancel(job_id, reason="ã" * 250).status, "OK")


class Waiting(ServicesTest):
    """Tasks that wait for something else hold neither lease nor slot."""

    def wait(self, resume=b"", **wait):
        job_id = submit(self.kind)
        lease = self.will.lease_one(self.kind)
        message = orchestrator_pb2.Wait(**wait)
        self.assertEqual(self.will.end(lease, "WAIT", wait=message, resume=resume), "WAITING")
        self.assertEqual(self.will.end(lease, "WAIT", wait=message, resume=resume), "WAITING")
        self.assertEqual(self.will.lease(self.kind), [])
        return job_id

    def test_for_jobs_that_end(self):
        others = [submit(self.kind + ".other") for _ in range(2)]
        job_id = self.wait(b"where I was", job_ids=others, timeout_ms=DAY_MS)
        self.will.end(self.will.lease_one(self.kind + ".other"))
        self.alice.get("CancelJob", {"job_id": others[1]})
        lease = self.will.lease_one(self.kind)
        self.assertEqual((lease.task_id, lease.resume, lease.attempt), (job_id, b"where I was", 1))
        wait_for_event(to_id(job_id), "task.woken")

    def test_for_an_event(self):
        job_id = self.wait(event_type="model.created", event_subject=self.model, timeout_ms=DAY_MS)
        self.make_model("not-" + self.model)
        self.make_model()
        self.assertEqual(self.will.lease_one(self.kind).task_id, job_id)

    def test_until_the_time_is_over(self):
        begin = time.monotonic()
        job_id = self.wait(event_type="never.comes", timeout_ms=300)
        self.assertEqual(self.will.lease_one(self.kind).task_id, job_id)
        self.assertGreaterEqual(time.monotonic() - begin, 0.3)

    def test_until_it_is_cancelled(self):
        job_id = self.wait(event_type="never.comes", timeout_ms=DAY_MS)
        self.alice.get("CancelJob", {"job_id": job_id, "reason": "not needed"})
        found = job(job_id)
        self.assertEqual((state_of(found), found.cancel_reason), ("CANCELLED", "not needed"))


class TheBoundOfWaitingTasks(ServicesTest):
    """As many ready tasks as the orchestrator may have."""

    def setUp(self):
        super().setUp()
        ready = suite.number("SELECT count(*) FROM pipeline.task WHERE state = 1")
        wanted = [{"kind": self.kind, "spec": b"x", "labels": pairs(2)}] * (MAX_READY - ready)
        self.jobs = [each.job_id for each in self.alice.get_all("SubmitJob", wanted)]
        self.addCleanup(self.end_all)

    def end_all(self):
        while leases := self.will.lease(self.kind, 64):
            self.will.get_all("CompleteTask", ({"task_id": each.task_id, "token": each.token,
                                                "outcome": orchestrator_pb2.OUTCOME_DONE}
                                               for each in leases))
        wait_until(lambda: self.bob.ask("SubmitJob", {"kind": "test.beyond"}).status == "OK",
                   "jobs are taken again")

    def test_at_the_bound_jobs_are_refused_and_listed_and_worked_on(self):
        answer = wait_until(lambda: (one := self.bob.ask("SubmitJob", {"kind": "test.beyond"}))
                            .status != "OK" and one, "a job is refused")
        detail = self.expect(answer, "RESOURCE_EXHAUSTED", "QUOTA")
        self.assertEqual(detail.limit, MAX_READY)
        self.assertGreater(detail.retry_after_ms, 0)

        items, pages = Pages(suite, "ListJobs", "jobs", kind=self.kind).all()
        self.assertEqual([each["job_id"] for each in items],
                         [to_id(each) for each in sorted(self.jobs, reverse=True)])
        self.assertGreater(pages, 1)
        done = suite.cli("-o", "json", "job", "list", "--kind", self.kind, "--limit", "1000")
        self.assertEqual(done.returncode, 0, done.stderr)

        self.end_all()


class Silence(ServicesTest):
    """Of the worker that leased a task when the tests began."""

    def test_a_lease_that_runs_out_is_given_again(self):
        leases = []
        until = time.monotonic() + 2 * LEASE_S
        while not leases and time.monotonic() < until:
            leases = self.wanda.lease(SILENT_KIND, 1, wait_ms=5000)
        self.assertEqual([each.task_id for each in leases], [silent["job"]])
        self.assertGreaterEqual(time.monotonic() - silent["since"], LEASE_S - 1)
        self.assertGreater(leases[0].token, silent["lease"].token)
        self.assertEqual(leases[0].attempt, 2)
        self.assertEqual(self.will.beat(silent["lease"]), "FENCED")
        self.expect(self.will.complete(silent["lease"], result=b"late"), "ABORTED", "FENCED")
        self.assertEqual(self.wanda.end(leases[0], result=b"in time"), "DONE")
        facts = facts_of(wait_for_event(to_id(silent["job"]), "task.retried"))
        self.assertIn("silent", facts["why"])
