#!/usr/bin/env python3
"""A model of the registry by its name: a client of Valion with nothing but ZeroMQ and protobuf."""
import os
import sys
import uuid
import zmq
import zmq.auth
from valion.v1 import common_pb2, header_pb2, registry_pb2

keys = os.environ.get("VALION_KEYS", "var/keys")
name = os.environ.get("VALION_PRINCIPAL", "admin")
socket = zmq.Context.instance().socket(zmq.REQ)
socket.curve_publickey, socket.curve_secretkey = zmq.auth.load_certificate(
    f"{keys}/secret/{name}.key_secret")
socket.curve_serverkey = zmq.auth.load_certificate(f"{keys}/bus.key")[0]
socket.linger, socket.rcvtimeo = 0, 5000
socket.connect("tcp://" + os.environ.get("VALION_BUS", "127.0.0.1:7001"))

header = header_pb2.Header(request_id=uuid.uuid4().bytes, service="registry", method="GetModel")
request = registry_pb2.GetModelRequest(name=sys.argv[1])
socket.send_multipart([header.SerializeToString(), request.SerializeToString()])
try:
    head, body = socket.recv_multipart()
except zmq.Again:
    sys.exit("no answer: is the bus running, and is this key one that it knows?")
answer = header_pb2.Header.FromString(head)
if answer.status != common_pb2.STATUS_OK:
    sys.exit(f"{common_pb2.Status.Name(answer.status)}: {answer.message}")
print(registry_pb2.GetModelReply.FromString(body).model)
