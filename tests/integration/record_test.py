"""What is recorded stays, and shows when somebody changed it: the audit of a live database, then
backup and restore. One suite is made, looked at, tampered with, put right and backed up; a second
one is made of the backup in a new PostgreSQL cluster.

Tests run in the order of their names: each leaves the suite as it found it.
"""
import argparse
import hashlib
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

parser = argparse.ArgumentParser()
for word in ("root", "bin", "python", "var"):
    parser.add_argument("--" + word, required=True)
args, rest = parser.parse_known_args()
sys.path[:0] = [args.python, os.path.dirname(os.path.abspath(__file__))]

from suite_support import Suite, run_to_end  # noqa: E402
from valion.v1 import event_pb2, orchestrator_pb2, registry_pb2  # noqa: E402

logged = {}      # "all": entries when the tests begin
JOBS = 6         # that are in the log before it is tampered with
PENDING = 40     # events that the relay has not moved when the backup is made
XIDS_BURNT = 3000
SMALL_FILE = 300 * 1024  # bytes a file may have where the disk is "full"
LEASE_WAIT_MS = 20000
ARTIFACT_BYTES = bytes(range(256)) * 256
# Those that nothing writes to by itself after a restore.
RECORD_TABLES = ("registry.model", "registry.version", "registry.blob", "registry.artifact",
                 "registry.request", "registry.policy", "pipeline.request")

first = Suite(args.root, args.bin, os.path.join(args.var, "first"), 23001)
second = Suite(args.root, args.bin, os.path.join(args.var, "second"), 23201)
backup = os.path.join(args.var, "backup")
keyless = os.path.join(args.var, "keyless")
artifact = os.path.join("registry", "blobs", "some-artifact")
script = {name: os.path.join(args.root, "scripts", name) for name in ("backup", "restore")}
calls = {}  # name: service, method, request, request id, reply body
remembered = {}  # what the record was when it was backed up


def make(caller, name, service, method, request):
    """A call that is repeated after the restore."""
    request_id = uuid.uuid4().bytes
    answer = caller.call(service, method, request, request_id)
    assert answer.status == "OK", answer.header.message
    calls[name] = service, method, request, request_id, answer.body
    return answer


def new_job(text):
    return orchestrator_pb2.SubmitJobRequest(kind="test.noop", spec=text.encode())


def new_version(number):
    artifact = registry_pb2.Artifact(role="model", filename="m.bin",
                                     inline_bytes=bytes([number]) * 5000)
    return registry_pb2.CreateVersionRequest(model="houses", version=f"1.{number}.0",
                                             artifacts=[artifact])


def wait_for_log(suite, count):
    """Until the relay has moved all; through the bus, as everybody waits for it."""
    caller, after, end = suite.caller(), 0, time.monotonic() + 30
    while after < count:
        assert time.monotonic() < end, f"the log has {after} entries, not {count}"
        request = registry_pb2.ReadEventsRequest(after=after, limit=400, wait_ms=1000)
        after = caller.call("registry", "ReadEvents", request).read(
            registry_pb2.ReadEventsReply).last
    caller.close()


def record_of(suite):
    """A digest of each table's rows."""
    return {table: suite.sql(f"SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text))"
                             f" FROM {table} AS t")[0] for table in RECORD_TABLES}


def log_up_to(suite, position):
    """A digest of the log's rows."""
    return suite.sql("SELECT count(*), md5(string_agg(l::text, ',' ORDER BY position))"
                     f" FROM event.log AS l WHERE position <= {position}")[0]


def setUpModule():
    for suite in (first, second):
        suite.remove()
    shutil.rmtree(args.var, ignore_errors=True)
    os.makedirs(args.var)
    unittest.addModuleCleanup(first.down)  # also when what follows fails
    unittest.addModuleCleanup(second.down)
    first.up()
    admin = first.caller()
    make(admin, "model", "registry", "CreateModel", registry_pb2.CreateModelRequest(name="houses"))
    for number in range(3):
        make(admin, f"version{number}", "registry", "CreateVersion", new_version(number))
    for number in range(JOBS):
        make(admin, f"job{number}", "orchestrator", "SubmitJob", new_job(f"job {number}"))
    admin.close()
    os.makedirs(os.path.dirname(os.path.join(first.folder, artifact)), exist_ok=True)
    with open(os.path.join(first.folder, artifact), "wb") as file:
        file.write(ARTIFACT_BYTES)
    logged["all"] = first.number("SELECT (SELECT count(*) FROM event.outbox)"
                                 " + (SELECT count(*) FROM event.log)")
    assert logged["all"] >= 4 + JOBS  # with what the services themselves stored at their start
    wait_for_log(first, logged["all"])


class Record(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.mkdtemp(dir=args.var)

    def export(self, suite, code=0):
        """The log as a file, and what was said."""
        path = os.path.join(self.scratch, "log")
        done = suite.cli("event", "export", "--file", path)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return path, done.stderr

    def verify(self, suite, path, code, heads=None):
        words = ["audit", "verify", "--export", path] + (["--head", heads] if heads else [])
        done = suite.cli(*words)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def heads_elsewhere(self):
        """A copy of the live file of heads, as it is kept on another host."""
        kept = os.path.join(self.scratch, "heads")
        shutil.copy(os.path.join(first.folder, "registry", "heads"), kept)
        return kept


class A_Audit(Record):
    """Of the live database. What a superuser did is undone at the end of each test."""

    def tampered(self):
        """Puts log and heads back afterwards, as they are now; the file of heads too."""
        self.export(first)  # a head over all that is there
        live = os.path.join(first.folder, "registry", "heads")
        kept = self.heads_elsewhere()
        first.sql("CREATE TABLE kept_log AS TABLE event.log; CREATE TABLE kept_head AS"
                  " TABLE event.head")

        def put_back():
            first.sql("BEGIN; TRUNCATE event.log, event.head;"
                      "INSERT INTO event.log TABLE kept_log; INSERT INTO event.head TABLE kept_head;"
                      "DROP TABLE kept_log, kept_head; COMMIT")
            shutil.copyfile(kept, live)
            path, _ = self.export(first)
            self.assertIn("good: ", self.verify(first, path, 0, live))

        self.addCleanup(put_back)
        return kept

    def test_1_finds_a_whole_log_good_with_the_heads_beside_the_artifacts(self):
        path, said = self.export(first)
        self.assertIn(f"{logged['all']} entries exported, signed up to {logged['all']}", said)
        kept = self.heads_elsewhere()
        with open(kept, encoding="ascii") as file:
            self.assertRegex(file.read(), r'^(\{"position":"\d+".*"signature":"[0-9a-f]{128}"\}\n)+$')
        said = self.verify(first, path, 0, kept)
        self.assertIn(f"good: {logged['all']} entries", said)
        self.assertIn(f"signed up to entry {logged['all']}", said)
        self.assertNotIn("no signature", said)

    def test_2_names_an_edited_row(self):
        self.tampered()
        first.sql("UPDATE event.log SET actor = 'somebody' WHERE position = 3")
        path, said = self.export(first, code=1)
        self.assertIn("DATA_LOSS: entry 3 is not what was logged", said)
        said = self.verify(first, path, 1)
        self.assertIn("BAD: log line 4: entry 3 is not what was logged", said)
        self.assertIn("2 entries before it are right", said)

    def test_3_names_a_row_that_is_gone_from_the_middle(self):
        self.tampered()
        first.sql("DELETE FROM event.log WHERE position = 5")
        path, _ = self.export(first, code=1)
        self.assertIn("entry 5 is missing", self.verify(first, path, 1))

    def test_3_names_the_first_of_two_rows_that_changed_places(self):
        self.tampered()
        first.sql("UPDATE event.log SET position = CASE position WHEN 4 THEN -7 ELSE -4 END"
                  " WHERE position IN (4, 7); UPDATE event.log SET position = -position"
                  " WHERE position < 0")
        path, said = self.export(first, code=1)
        self.assertIn("DATA_LOSS: entry 4 is not what was logged", said)
        self.assertIn("entry 4 is not what was logged", self.verify(first, path, 1))

    def test_4_sees_a_tail_that_was_deleted_though_its_heads_are_stored(self):
        self.tampered()
        first.sql(f"DELETE FROM event.log WHERE position > {JOBS}")
        path, said = self.export(first, code=1)
        self.assertIn(f"DATA_LOSS: a head was signed at {logged['all']}, but the log ends at {JOBS}",
                      said)
        self.assertIn("its tail is missing", self.verify(first, path, 1))

    def test_5_sees_a_tail_that_was_deleted_with_its_heads_by_heads_kept_elsewhere(self):
        kept = self.tampered()
        first.sql(f"DELETE FROM event.log WHERE position > {JOBS};"
                  f"DELETE FROM event.head WHERE position > {JOBS}")
        path, _ = self.export(first)
        self.assertIn(f"good: {JOBS} entries", self.verify(first, path, 0))
        said = self.verify(first, path, 1, kept)
        self.assertIn(f"a head was signed at {logged['all']}, but the log ends at {JOBS}", said)

    def rebuild(self):
        """Changes an entry and makes the chain anew, as who has the database and no key can."""
        rows = first.sql("SELECT position, type, subject, actor, encode(payload, 'hex'),"
                         " (extract(epoch FROM time) * 1000000)::bigint FROM event.log"
                         " ORDER BY position")
        previous, changes = bytes(32), ["BEGIN"]
        for position, kind, subject, actor, payload, time_us in rows:
            actor = "somebody" if position == "3" else actor
            entry = event_pb2.LogEntry(type=kind, subject=subject, actor=actor,
                                       time_us=int(time_us), payload=bytes.fromhex(payload))
            previous = hashlib.sha256(previous + struct.pack(">Q", int(position)) +
                                      entry.SerializeToString(deterministic=True)).digest()
            changes.append(f"UPDATE event.log SET actor = '{actor}', hash = '\\x{previous.hex()}'"
                           f" WHERE position = {position}")
        first.sql("; ".join(changes + ["COMMIT"]))

    def test_6_sees_a_chain_that_was_made_anew_without_the_key(self):
        kept = self.tampered()
        self.rebuild()
        path, _ = self.export(first)
        self.assertIn("is of another log", self.verify(first, path, 1))
        first.sql("DELETE FROM event.head")
        path, _ = self.export(first)
        self.assertIn("good: ", self.verify(first, path, 0))  # alone it looks whole
        said = self.verify(first, path, 1, kept)
        self.assertIn("entries up to there were changed and the chain was made again", said)

    def test_7_goes_on_after_a_head_that_a_crash_cut_in_half(self):
        self.export(first)
        live = os.path.join(first.folder, "registry", "heads")
        with open(live, "rb") as file:
            whole = file.read()
        line = whole.splitlines(keepends=True)[-1]
        with open(live, "ab") as file:
            file.write(line[:len(line) // 2])
        path, _ = self.export(first)  # signs a head, which is appended
        with open(live, "rb") as file:
            lines = file.read()[len(whole):].splitlines(keepends=True)
        self.assertEqual(len(lines), 2)
        self.assertEqual(lines[0], line[:len(line) // 2] + b"\n")
        said = self.verify(first, path, 0, live)
        self.assertIn("1 lines of the heads file end in their middle", said)
        with open(live, "ab") as file:
            file.write(b'{"position":"1"}\n')  # whole, and no head: that is no crash
        self.assertIn("lacks position, hash or signature", self.verify(first, path, 1, live))
        with open(live, "wb") as file:
            file.write(whole)


def run_script(name, *words, small_files=False):
    """A finished process; with small_files, no file can grow beyond a bound."""
    def bound():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes fail, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_FILE, SMALL_FILE))
    return run_to_end([script[name], *words], preexec_fn=bound if small_files else None,
                         restore_signals=not small_files)


class B_Backup(Record):
    def refuses(self, name, words, sentence, code=1, small_files=False):
        before = sorted(os.listdir(args.var))
        done = run_script(name, *words, small_files=small_files)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn(sentence, done.stderr)
        self.assertEqual(sorted(os.listdir(args.var)), before)

    def test_1_helps_and_refuses(self):
        for name in script:
            done = run_script(name, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertTrue(done.stdout.startswith(f"usage: scripts/{name} "), done.stdout)
            self.refuses(name, ["one"], "usage: ", code=2)
        self.refuses("backup", [self.scratch, backup], "there is no suite in")
        self.refuses("backup", [first.folder, self.scratch], "exists; a backup goes into a new")
        self.refuses("backup", [first.folder, args.var + "/none/x"], "there is no folder")
        self.refuses("restore", [self.scratch, second.folder], "is no backup made by scripts/backup")

    def test_2_leaves_nothing_where_the_disk_is_full(self):
        blob = "INSERT INTO registry.blob (digest, size_bytes, media_type, bytes) SELECT"
        first.sql(f"{blob} sha256(i::text::bytea), 1, 'x', string_agg(sha256((i * 100000 + j)::text"
                  "::bytea), ''::bytea) FROM generate_series(1, 30) i, generate_series(1, 600) j"
                  " GROUP BY i")
        self.refuses("backup", [first.folder, backup], "the database could not be copied",
                     small_files=True)
        self.assertFalse(os.path.exists(backup))

    def lease_one(self, worker):
        request = orchestrator_pb2.LeaseTasksRequest(kinds=["test.noop"], free=1, worker="here",
                                                     wait_ms=1000)
        answer = worker.call("orchestrator", "LeaseTasks", request)
        return answer.read(orchestrator_pb2.LeaseTasksReply).leases[0]

    def test_3_is_made_while_the_suite_works(self):
        path, _ = self.export(first)
        worker, admin = first.caller("worker"), first.caller()
        remembered["lease"] = self.lease_one(worker)
        # Transaction ids far above those of a new cluster.
        subprocess.run(first.psql_words(), input="DO $$ BEGIN FOR i IN 1.."
                       f"{XIDS_BURNT} LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$;",
                       text=True, check=True)
        # The relay cannot write into the log: what is submitted now waits in the outbox.
        holder = subprocess.Popen(first.psql_words(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        holder.stdin.write("BEGIN; LOCK TABLE event.log IN SHARE MODE; SELECT 'held';\n")
        holder.stdin.flush()
        self.assertEqual(holder.stdout.readline(), "held\n")
        for number in range(PENDING):
            make(admin, f"pending{number}", "orchestrator", "SubmitJob", new_job(f"p{number}"))
        remembered["outbox"] = [row[0] for row in
                                first.sql("SELECT subject FROM event.outbox ORDER BY seq")]
        # What a backup that was killed left is in the way of nobody.
        os.makedirs(os.path.join(args.var, ".valion-backup-backup.part", "junk"))
        done = run_script("backup", first.folder, backup)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertFalse(os.path.exists(os.path.join(backup, "junk")))
        remembered["xid"] = first.number("SELECT txid_current()")
        remembered["record"] = record_of(first)
        remembered["end"] = first.number("SELECT max(position) FROM event.log")
        remembered["log"] = log_up_to(first, remembered["end"])
        holder.communicate("COMMIT;\n", timeout=30)
        self.assertEqual(os.stat(backup).st_mode & 0o077, 0)
        # It goes on: what comes now is in no backup.
        admin.call("orchestrator", "SubmitJob", new_job("later"))
        wait_for_log(first, remembered["end"] + PENDING + 1)
        self.export(first)  # signs a head over it
        done = run_script("backup", first.folder, keyless, "--without-keys")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertFalse(os.path.exists(os.path.join(keyless, "keys")))
        self.refuses("backup", [first.folder, backup], "exists; a backup goes into a new folder")
        self.refuses("restore", [backup, first.folder], "a suite runs in")
        worker.close()
        admin.close()

    def test_4_is_checked_before_it_is_used(self):
        self.refuses("restore", [backup, self.scratch + "/none/x"], "there is no folder")
        damaged = os.path.join(self.scratch, "damaged")
        shutil.copytree(backup, damaged)
        with open(os.path.join(damaged, "valion.dump"), "r+b") as file:
            file.seek(-100, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-100, os.SEEK_END)
            file.write(bytes([byte ^ 0xFF]))
        self.refuses("restore", [damaged, second.folder], "is not what was written")
        # Bytes that are what was written, and still no dump: the new cluster runs by then.
        with open(os.path.join(damaged, "valion.dump"), "r+b") as file:
            file.truncate(os.path.getsize(os.path.join(backup, "valion.dump")) * 2 // 3)
        subprocess.run("sha256sum $(cut -c 67- digests) >new; mv new digests", shell=True,
                       cwd=damaged, check=True)
        self.refuses("restore", [damaged, second.folder], "the database could not be restored")
        shutil.rmtree(damaged)
        self.refuses("restore", [keyless, second.folder], "name their folder with --keys")
        self.refuses("restore", [backup, second.folder], "no PostgreSQL cluster could be made",
                     small_files=True)
        busy = os.path.join(self.scratch, "busy")
        os.makedirs(os.path.join(busy, "something"))
        self.refuses("restore", [backup, busy], "is not empty; a restore makes a new folder")


class C_Restore(Record):
    @classmethod
    def setUpClass(cls):
        first.down()
        done = run_script("restore", backup, second.folder)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        # Now, before the relay and the sweeper begin to work.
        words = ["/usr/lib/postgresql/17/bin/pg_controldata", os.path.join(second.folder, "pg")]
        control = run_to_end(words).stdout
        cls.next_xid = int([line for line in control.splitlines() if "NextXID" in line][0]
                           .rsplit(":", 1)[1])
        second.up()

    def test_1_a_lease_of_the_backup_runs_out_and_the_next_has_a_higher_token(self):
        old = remembered["lease"]
        worker = second.caller("worker")
        stale = orchestrator_pb2.CompleteTaskRequest(task_id=old.task_id, token=old.token,
                                                     outcome=orchestrator_pb2.OUTCOME_DONE)
        answer = worker.call("orchestrator", "CompleteTask", stale)
        self.assertEqual((answer.status, answer.reason), ("ABORTED", "FENCED"))
        leases, end = {}, time.monotonic() + 40
        while old.task_id not in leases:
            self.assertLess(time.monotonic(), end, "the task is not leased again")
            request = orchestrator_pb2.LeaseTasksRequest(kinds=["test.noop"], free=64,
                                                         worker="there", wait_ms=LEASE_WAIT_MS)
            answer = worker.call("orchestrator", "LeaseTasks", request, remaining_ms=25000)
            for lease in answer.read(orchestrator_pb2.LeaseTasksReply).leases:
                leases[lease.task_id] = lease
        again = leases[old.task_id]
        self.assertGreater(again.token, old.token + 1000)  # above what was given out since
        done = orchestrator_pb2.CompleteTaskRequest(task_id=again.task_id, token=again.token,
                                                    outcome=orchestrator_pb2.OUTCOME_DONE)
        self.assertEqual(worker.call("orchestrator", "CompleteTask", done).status, "OK")
        self.assertEqual(len(leases), JOBS + PENDING)  # each job of the backup, and no other
        worker.close()

    def test_2_positions_go_on_and_pending_events_come_in_order(self):
        self.assertLess(self.next_xid, remembered["xid"])  # else the new cluster shows nothing
        end = remembered["end"]
        wait_for_log(second, end + PENDING)
        dense = second.sql("SELECT count(*), min(position), max(position) FROM event.log")[0]
        self.assertEqual((dense[0], dense[1]), (dense[2], "1"))
        relayed = second.sql("SELECT subject FROM event.log WHERE type = 'job.submitted'"
                             f" AND position > {end} ORDER BY position")
        self.assertEqual([row[0] for row in relayed], remembered["outbox"])

    def test_3_the_chain_verifies_across_the_boundary(self):
        path, _ = self.export(second)
        said = self.verify(second, path, 0, os.path.join(second.folder, "registry", "heads"))
        self.assertIn("good: ", said)
        self.verify(second, path, 0, os.path.join(backup, "registry", "heads"))

    def test_3b_heads_signed_after_the_backup_tell_what_a_restore_took_away(self):
        path, _ = self.export(second)
        newer = os.path.join(first.folder, "registry", "heads")
        self.assertRegex(self.verify(second, path, 1, newer), "is of another log|tail is missing")

    def test_4_nothing_of_the_record_is_lost_or_changed(self):
        self.assertEqual(record_of(second), remembered["record"])
        self.assertEqual(log_up_to(second, remembered["end"]), remembered["log"])
        admin = second.caller()
        for number in range(3):
            request = registry_pb2.GetVersionRequest(model="houses", version=f"1.{number}.0")
            version = admin.call("registry", "GetVersion", request).read(
                registry_pb2.GetVersionReply).version
            made = registry_pb2.CreateVersionReply.FromString(calls[f"version{number}"][4]).version
            self.assertEqual(version, made)
            chunk = registry_pb2.GetChunkRequest(digest=version.artifacts[0].digest, offset=0,
                                                 size_bytes=262144)
            self.assertEqual(admin.call("registry", "GetChunk", chunk).raw, bytes([number]) * 5000)
        admin.close()
        with open(os.path.join(second.folder, artifact), "rb") as file:
            self.assertEqual(file.read(), ARTIFACT_BYTES)

    def test_5_request_ids_are_remembered(self):
        before = second.number("SELECT count(*) FROM pipeline.task")
        admin = second.caller()
        for name, (service, method, request, request_id, body) in calls.items():
            answer = admin.call(service, method, request, request_id)
            self.assertEqual((answer.status, answer.body), ("OK", body), name)
        _, _, _, request_id, _ = calls["job0"]
        answer = admin.call("orchestrator", "SubmitJob", new_job("another"), request_id)
        self.assertEqual((answer.status, answer.reason), ("ALREADY_EXISTS", "REQUEST_ID_REUSED"))
        self.assertEqual(second.number("SELECT count(*) FROM pipeline.task"), before)
        admin.close()

    def test_6_a_restore_can_be_repeated_and_takes_keys_from_elsewhere(self):
        second.down()
        words = [keyless, second.folder, "--keys", os.path.join(first.folder, "keys")]
        done = run_script("restore", *words)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not empty", done.stderr)
        shutil.rmtree(second.folder)
        done = run_script("restore", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        second.up()
        path, _ = self.export(second)
        newer = os.path.join(first.folder, "registry", "heads")
        self.assertIn("good: ", self.verify(second, path, 0, newer))


unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
