"""What tests of the validator share: bytes stored, data sets and versions made, jobs submitted and
awaited."""
import csv
import hashlib
import io
import os
import subprocess
import sys
import time
import uuid

from suite_support import Caller
from valion.v1 import (common_pb2, evidence_pb2, header_pb2, orchestrator_pb2 as orchestrator,
                       registry_pb2, trainer_pb2, validator_pb2)

CHUNK = 256 * 1024
JOB_S = 90.0
PASS, WARN, FAIL, INCONCLUSIVE = (evidence_pb2.CheckStatus.Value("CHECK_STATUS_" + word)
                                  for word in ("PASS", "WARN", "FAIL", "INCONCLUSIVE"))
REGRESSION, BINARY, MULTICLASS = (common_pb2.TaskType.Value("TASK_TYPE_" + word)
                                  for word in ("REGRESSION", "BINARY", "MULTICLASS"))
SPECS = {"train": (trainer_pb2.TrainSpec, trainer_pb2.TrainResult),
         "validate": (validator_pb2.ValidateSpec, validator_pb2.ValidateResult),
         "inspect": (validator_pb2.InspectSpec, validator_pb2.InspectResult),
         "profile": (validator_pb2.ProfileSpec, validator_pb2.ProfileResult)}


def sha256(data):
    return hashlib.sha256(data).digest()


def as_csv(names, rows):
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(names)
    out.writerows(rows)
    return text.getvalue().encode()


class Person(Caller):
    """An administrator who stores, submits and reads."""

    def __init__(self, suite, principal="admin"):
        super().__init__(suite, principal)
        self.suite = suite

    def ask(self, method, request, service="registry"):
        return self.call(service, method, request)

    def get(self, method, service="registry", **fields):
        module = registry_pb2 if service == "registry" else orchestrator
        reply = getattr(module, method + "Reply")
        return self.ask(method, getattr(module, method + "Request")(**fields),
                        service).read(reply)

    # ---- bytes

    def put_chunk(self, upload_id, offset, raw):
        header = header_pb2.Header(request_id=uuid.uuid4().bytes, service="registry",
                                   method="PutChunk", remaining_ms=20000)
        body = registry_pb2.PutChunkRequest(upload_id=upload_id, offset=offset)
        self.send(header.SerializeToString(), body.SerializeToString(), raw).read(
            registry_pb2.PutChunkReply)

    def store(self, data):
        """The digest of bytes that are stored."""
        digest = sha256(data)
        begun = self.get("BeginUpload", digest=digest, size_bytes=len(data))
        if begun.upload_id:
            for offset in range(begun.offset, len(data), CHUNK):
                self.put_chunk(begun.upload_id, offset, data[offset:offset + CHUNK])
            self.get("CommitUpload", upload_id=begun.upload_id, digest=digest)
        return digest

    def load(self, digest):
        """The bytes of an artifact."""
        data = b""
        while True:
            answer = self.ask("GetChunk", registry_pb2.GetChunkRequest(
                digest=digest, offset=len(data), size_bytes=CHUNK))
            total = answer.read(registry_pb2.GetChunkReply).total_bytes
            data += answer.raw
            if len(data) >= total:
                return data

    # ---- data sets and versions

    def dataset(self, name, data, **fields):
        self.get("CreateDataset", dataset=registry_pb2.Dataset(
            name=name, digest=self.store(data), format="csv", **fields))
        return evidence_pb2.DataRef(name=name)

    def bring(self, model, data, version="1.0.0", **fields):
        """A version with that file, which nobody has looked into."""
        self.get("CreateModel", name=model)
        return self.get("CreateVersion", model=model, version=version, artifacts=[
            registry_pb2.Artifact(role="model", digest=self.store(data),
                                  filename="model")], **fields).version

    def version(self, model, version="1.0.0"):
        return self.get("GetVersion", model=model, version=version).version

    def reports(self, model, version="1.0.0"):
        return self.get("ListReports", model=model, version=version).reports

    def report(self, report_id):
        return self.get("GetReport", report_id=report_id).report

    # ---- jobs

    def submit(self, kind, **fields):
        spec = SPECS[kind][0](**fields).SerializeToString()
        return self.get("SubmitJob", "orchestrator", kind=kind, spec=spec).job_id

    def job(self, job_id, **fields):
        return self.get("GetJob", "orchestrator", job_id=job_id, **fields).job

    def wait(self, job_id, until=orchestrator.TASK_STATE_DONE):
        """The job in that state or at its end; waits at the orchestrator."""
        deadline = time.monotonic() + JOB_S
        job = self.job(job_id)
        while job.state < until:
            assert time.monotonic() < deadline, orchestrator.TaskState.Name(job.state)
            job = self.job(job_id, wait_while=job.state)
        return job

    def done(self, kind, **fields):
        """The result of a job that ends well."""
        job = self.wait(self.submit(kind, **fields))
        assert job.state == orchestrator.TASK_STATE_DONE, job.error
        return SPECS[kind][1].FromString(job.result)

    def refused(self, kind, **fields):
        """The sentence of a job that fails."""
        job = self.wait(self.submit(kind, **fields))
        assert job.state == orchestrator.TASK_STATE_FAILED, \
            orchestrator.TaskState.Name(job.state) + " " + job.error
        return job.error

    def stats(self):
        reply = self.call("validator", "GetStats", common_pb2.GetStatsRequest()).read(
            common_pb2.GetStatsReply)
        return {number.key: number.value for number in reply.numbers}


def houses(root, *words):
    """The demo's rows, as CSV."""
    return subprocess.run([sys.executable, os.path.join(root, "scripts", "houses"), *words],
                          check=True, stdout=subprocess.PIPE).stdout
