#!/usr/bin/env python3
"""A check of one's own: are predictions in the range that is possible? A worker for policies with

    - {name: possible, kind: "check:in_range", thresholds: {low: 0, high: 1000000}, blocking: true}

Its key is made by `valion keys new checker --roles worker --kinds 'check:*'`.
"""
import csv
import io
import os
import uuid
import zmq
import zmq.auth
from valion.v1 import (common_pb2, evidence_pb2, header_pb2, orchestrator_pb2 as orchestrator,
                       registry_pb2, validator_pb2)

KIND, WAIT_MS, CHUNK = "check:in_range", 10000, 256 * 1024
keys = os.environ.get("VALION_KEYS", "var/keys")
name = os.environ.get("VALION_PRINCIPAL", "checker")
socket = zmq.Context.instance().socket(zmq.REQ)
socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(
    f"{keys}/secret/{name}.key_secret")
socket.curve_serverkey = zmq.auth.load_certificate(f"{keys}/bus.key")[0]
socket.linger = 0
socket.connect("tcp://" + os.environ.get("VALION_BUS", "127.0.0.1:7001"))


def call(service, method, request, reply):
    """The reply's message, and its raw bytes where it has some."""
    header = header_pb2.Header(request_id=uuid.uuid4().bytes, service=service, method=method,
                               remaining_ms=2 * WAIT_MS)
    socket.send_multipart([header.SerializeToString(), request.SerializeToString()])
    head, body, *raw = socket.recv_multipart()
    answer = header_pb2.Header.FromString(head)
    if answer.status != common_pb2.STATUS_OK:
        raise RuntimeError(f"{method}: {answer.message}")
    return reply.FromString(body), raw[0] if raw else b""


def load(digest):
    """The bytes of an artifact."""
    data, total = b"", 1
    while len(data) < total:
        reply, raw = call("registry", "GetChunk", registry_pb2.GetChunkRequest(
            digest=digest, offset=len(data), size_bytes=CHUNK), registry_pb2.GetChunkReply)
        data, total = data + raw, reply.total_bytes
    return data


def check(spec):
    limits = {each.key: each.value for each in spec.check.thresholds}
    rows = csv.DictReader(io.StringIO(load(spec.predictions_digest).decode()))
    values = [float(row["prediction"]) for row in rows if row["prediction"]]
    outside = sum(not limits["low"] <= value <= limits["high"] for value in values)
    passed = outside == 0
    return evidence_pb2.CheckResult(
        status=evidence_pb2.CHECK_STATUS_PASS if passed else evidence_pb2.CHECK_STATUS_FAIL,
        statistic_name="outside", statistic=outside, threshold=0, n=len(values),
        sentence=f"{outside} of {len(values)} predictions are not between {limits['low']:g} and "
                 f"{limits['high']:g}.",
        recommendation="" if passed else "Look at the rows that are out of range.")


def finish(lease):
    """A check that raises has failed: it can never pass a report."""
    done = orchestrator.CompleteTaskRequest(task_id=lease.task_id, token=lease.token)
    try:
        result = check(validator_pb2.CustomCheckSpec.FromString(lease.spec))
        done.outcome = orchestrator.OUTCOME_DONE
        done.result = validator_pb2.CustomCheckResult(result=result).SerializeToString()
    except Exception as error:  # whatever it is, the one who validates is told
        done.outcome = orchestrator.OUTCOME_FAILED
        done.error = f"{type(error).__name__}: {error}"
    call("orchestrator", "CompleteTask", done, orchestrator.CompleteTaskReply)


while True:
    for lease in call("orchestrator", "LeaseTasks", orchestrator.LeaseTasksRequest(
            kinds=[KIND], free=1, wait_ms=WAIT_MS, worker=name),
            orchestrator.LeaseTasksReply)[0].leases:
        finish(lease)
