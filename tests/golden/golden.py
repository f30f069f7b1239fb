#!/usr/bin/env python3
"""Golden bytes of the contract, made by an implementation that is not ours.

Fills every message type of valion.v1 in the same way each time and writes, one line each:

    Name <TAB> packed bytes as hex <TAB> JSON as docs/wire-protocol.md describes it

    golden.py --python BUILD/python --write contract.txt    after a change of the contract
    golden.py --python BUILD/python --check contract.txt    exit 1 and the difference
"""
import argparse
import base64
import importlib
import json
import sys
import uuid
from google.protobuf.descriptor import FieldDescriptor as F

FILES = ["common", "deployer", "event", "evidence", "header", "orchestrator", "registry",
         "trainer", "validator"]


def bytes_of(field, index):
    """As many bytes as the field's name lets one expect."""
    size = 5
    if field.name.endswith(("_id", "_ids")) or field.name == "rerun_of":
        size = 16
    elif field.name.endswith(("digest", "digests")) or field.name == "hash":
        size = 32
    elif field.name == "signature":
        size = 64
    return bytes((field.number + index + 7 * i) % 256 for i in range(size))


def value_of(field, index, depth):
    number = field.number + 100 * index
    kind = field.type
    if kind == F.TYPE_STRING:
        return field.name[:3] if depth else f'{field.name} {index} "é€😀"\n\\'
    if kind == F.TYPE_BYTES:
        return bytes_of(field, index)
    if kind == F.TYPE_BOOL:
        return True
    if kind == F.TYPE_ENUM:
        return field.enum_type.values[-1].number
    if kind == F.TYPE_DOUBLE:
        return number + 0.5
    return {
        F.TYPE_INT32: -number, F.TYPE_SINT32: -number, F.TYPE_UINT32: 2**31 + number,
        F.TYPE_FIXED32: 2**31 + number, F.TYPE_INT64: -(2**40) - number,
        F.TYPE_SINT64: -(2**40) - number, F.TYPE_UINT64: 2**63 + number,
        F.TYPE_FIXED64: 2**63 + number,
    }[kind]


def fill(message, depth):
    """Every field set; lists hold two values at the top and one below."""
    for field in message.DESCRIPTOR.fields:
        repeated = field.label == F.LABEL_REPEATED
        for index in range(2 if repeated and depth == 0 else 1):
            if field.type == F.TYPE_MESSAGE:
                target = getattr(message, field.name)
                child = target.add() if repeated else target
                child.SetInParent()
                fill(child, depth + 1)
            elif repeated:
                getattr(message, field.name).append(value_of(field, index, depth))
            else:
                setattr(message, field.name, value_of(field, index, depth))


def json_value(field, value):
    if field.type == F.TYPE_MESSAGE:
        return json_of(value)
    if field.type == F.TYPE_ENUM:
        return field.enum_type.values_by_number[value].name
    if field.type in (F.TYPE_INT64, F.TYPE_SINT64, F.TYPE_UINT64, F.TYPE_FIXED64):
        return str(value)
    if field.type == F.TYPE_BYTES:
        if len(value) == 16:
            return str(uuid.UUID(bytes=value))
        return value.hex() if len(value) >= 32 else base64.b64encode(value).decode()
    return value


def json_of(message):
    out = {}
    for field in sorted(message.DESCRIPTOR.fields, key=lambda f: f.number):
        value = getattr(message, field.name)
        if field.label == F.LABEL_REPEATED:
            out[field.name] = [json_value(field, one) for one in value]
        else:
            out[field.name] = json_value(field, value)
    return out


def lines():
    found = {}
    for name in FILES:
        module = importlib.import_module(f"valion.v1.{name}_pb2")
        for message in module.DESCRIPTOR.message_types_by_name:
            found[message] = getattr(module, message)
    for name in sorted(found):
        message = found[name]()
        fill(message, 0)
        text = json.dumps(json_of(message), ensure_ascii=False, separators=(",", ":"))
        yield f"{name}\t{message.SerializeToString(deterministic=True).hex()}\t{text}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="folder of the generated modules")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="FILE")
    what.add_argument("--check", metavar="FILE")
    args = parser.parse_args()
    sys.path.insert(0, args.python)
    made = list(lines())
    if args.write:
        with open(args.write, "w", encoding="utf-8", newline="\n") as out:
            out.writelines(made)
        return 0
    with open(args.check, encoding="utf-8", newline="\n") as kept:
        before = kept.readlines()
    names = {line.split("\t")[0] for line in set(before) ^ set(made)}
    for name in sorted(names):
        print(f"{name}: differs from {args.check}")
    print(f"{len(made)} messages, {len(names)} differ")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
