"""What the users of a registry do, each in a thread: make versions, upload, judge and promote. All
remember what they were told, so that the record can be held against it."""
import hashlib
import os
import random
import time

from kill_support import Caller
from main_job_load import User
from valion.v1 import common_pb2, evidence_pb2, orchestrator_pb2, registry_pb2, validator_pb2

CHUNK = 256 * 1024
PAUSE_S = 0.02  # or whoever checks has gigabytes to read
STAGING, PRODUCTION = registry_pb2.STAGE_STAGING, registry_pb2.STAGE_PRODUCTION


def sha256(data):
    return hashlib.sha256(data).digest()


class RegistryUser(User):
    def __init__(self, suite, number):
        super().__init__()
        self.caller, self.number, self.made = Caller(suite), number, 0
        self.chance = random.Random(number)
        self.versions = {}  # content's digest -> (model, version, content's size) as it was told
        self.unknown = {}   # content's digest -> model: nobody answered in time
        self.calls = 0

    def call(self, name, fields=None, **options):
        self.calls += 1
        return self.caller.call(name, fields, **options)

    def content(self, size):
        """New bytes, half of the time such that compressing pays."""
        self.made += 1
        if self.chance.random() < 0.5:
            return os.urandom(size)
        line = f"{self.number} {self.made} {self.chance.random()}\n".encode()
        return (line * (size // len(line) + 1))[:size]

    def create(self, model, data, **artifact):
        """The version that was made of this content; None if nobody knows."""
        digest = sha256(data)
        reply = self.call("registry.CreateVersion", {"model": model, "artifacts": [
            registry_pb2.Artifact(role="model", **artifact)]})
        if reply is None:
            self.unknown[digest] = model
            return None
        self.versions[digest] = (model, reply.version.version, len(data))
        return reply.version


class Creator(RegistryUser):
    """Versions with small contents, all on the same few models."""

    def __init__(self, suite, number, models):
        super().__init__(suite, number)
        self.models = models

    def work(self):
        time.sleep(PAUSE_S)
        data = self.content(self.chance.randrange(1, 20000))
        self.create(self.chance.choice(self.models), data, inline_bytes=data)


class Uploader(RegistryUser):
    """Contents of several chunks; a version names each once it is stored."""

    def __init__(self, suite, number, models):
        super().__init__(suite, number)
        self.models, self.stored = models, {}  # digest -> size

    def work(self):
        data = self.content(self.chance.randrange(CHUNK, 6 * CHUNK))
        if self.upload(data):
            self.stored[sha256(data)] = len(data)
            self.create(self.chance.choice(self.models), data, digest=sha256(data))

    def upload(self, data):
        """Begins again, from what is held, until the content is stored: as a client does."""
        while not self.ending.is_set():
            begun = self.call("registry.BeginUpload", {"digest": sha256(data),
                                                       "size_bytes": len(data)})
            if begun is None:
                continue
            if not begun.upload_id:
                return True
            if self.send(begun, data):
                return True
        return False

    def send(self, begun, data):
        try:
            for offset in range(begun.offset, len(data), CHUNK):
                if self.call("registry.PutChunk", {"upload_id": begun.upload_id, "offset": offset},
                             raw=data[offset:offset + CHUNK]) is None:
                    return False
            return self.call("registry.CommitUpload", {"upload_id": begun.upload_id,
                                                       "digest": sha256(data)}) is not None
        except RuntimeError as failure:  # chunks that were lost with a registry, or a commit that was
            if "put the others first" in str(failure) or "not open" in str(failure):
                return False
            raise


class Reader(RegistryUser):
    """Reads what an uploader stored, piece by piece, and checks it."""

    def __init__(self, suite, number, uploaders):
        super().__init__(suite, number)
        self.uploaders, self.read, self.wrong = uploaders, 0, []

    def work(self):
        stored = [item for user in self.uploaders for item in list(user.stored.items())[-20:]]
        if not stored:
            time.sleep(PAUSE_S)
            return
        digest, size = self.chance.choice(stored)
        hashed = hashlib.sha256()
        for offset in range(0, size, CHUNK):
            if self.call("registry.GetChunk", {"digest": digest, "offset": offset,
                                               "size_bytes": CHUNK}) is None:
                return
            hashed.update(self.caller.raw)
        self.read += 1
        if hashed.digest() != digest:
            self.wrong.append(digest)


class Promoter(RegistryUser):
    """One model, version after version: made, judged by a report, staged, in production."""

    def __init__(self, suite, number, model):
        super().__init__(suite, number)
        self.model, self.validator = model, Caller(suite, "validator")
        self.promoted = []   # versions that production was accepted for, in order
        self.unsure = set()  # versions of which nobody knows
        self.policy = None

    def work(self):
        data = self.content(1000)
        version = self.create(self.model, data, inline_bytes=data)
        if version and self.judge(version) and self.promote(version, STAGING):
            if self.promote(version, PRODUCTION):
                self.promoted.append(version.version)

    def promote(self, version, stage):
        reply = self.call("registry.Promote", {"model": self.model, "version": version.version,
                                               "stage": stage})
        if reply is None:
            self.unsure.add(version.version)
        return reply is not None

    def judge(self, version):
        """Its signature, and a good report under the policy in force, on behalf of a task."""
        column = {"name": "area", "type": common_pb2.COLUMN_TYPE_FLOAT64}
        signature = common_pb2.Signature(inputs=[column], outputs=[{**column, "name": "price"}],
                                         task=common_pb2.TASK_TYPE_REGRESSION)
        self.calls += 2
        if self.validator.call("registry.SetSignature", {
                "model": self.model, "version": version.version, "signature": signature,
                "ready": True}) is None:
            return False
        lease = self.lease()
        return lease is not None and self.report(version, lease)

    def lease(self):
        spec = validator_pb2.ValidateSpec(model=self.model).SerializeToString()
        if self.call("orchestrator.SubmitJob", {"kind": "validate", "spec": spec}) is None:
            return None
        reply = self.validator.call("orchestrator.LeaseTasks", {
            "kinds": ["validate"], "free": 1, "wait_ms": 5000, "worker": "validator-1"}, wait_s=10)
        return reply.leases[0] if reply and reply.leases else None

    def report(self, version, lease):
        policy = self.policy or self.call("registry.GetPolicy", {"name": "regression"}).policy
        self.policy = policy
        checks = [evidence_pb2.CheckResult(
            name=each.name, kind=each.kind, status=evidence_pb2.CHECK_STATUS_PASS,
            severity=each.severity, blocking=each.blocking, required=each.required, statistic=0.9,
            threshold=0.7, statistic_name="r2", n=100, sentence="it is so", duration_ms=1)
            for each in policy.checks]
        report = evidence_pb2.Report(
            model=self.model, version=version.version, artifact_digest=version.digest,
            data=[evidence_pb2.DataRef(name="houses", digest=self.data)], policy=policy.name,
            policy_version=policy.version, policy_digest=policy.digest, seed=1,
            engine=evidence_pb2.ENGINE_NATIVE, verdict=evidence_pb2.CHECK_STATUS_PASS,
            sentence="as the checks say", checks=checks, rows=100, columns=2, started_us=1,
            finished_us=2, duration_ms=1, validator="validator-1")
        kept = self.validator.call("registry.PutReport", {"report": report}, ticket=lease.ticket)
        self.validator.call("orchestrator.CompleteTask", {
            "task_id": lease.task_id, "token": lease.token,
            "outcome": orchestrator_pb2.OUTCOME_DONE})
        return kept is not None
