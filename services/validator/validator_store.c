#include "validator_store.h"

#include <stdlib.h>

bool
validator_store_packed(vln_worker_t *worker, vln_task_t *task, const char *what,
                       const uint8_t *bytes, size_t size, uint8_t digest[VLN_DIGEST_BYTES])
{
    char why[VLN_ARTIFACTS_WHY];
    const vln_artifact_t artifact = {bytes, size, "application/x-protobuf"};
    vln_err_t err = vln_artifacts_put(worker->artifacts, &artifact, task->ticket, digest, why);
    if (err != VLN_OK) {
        vln_worker_fail(task, err, what, why);
    }
    return err == VLN_OK;
}

bool
validator_store(vln_worker_t *worker, vln_task_t *task, const char *what,
                const ProtobufCMessage *message, uint8_t digest[VLN_DIGEST_BYTES])
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = vln_calloc(1, size + 1);
    protobuf_c_message_pack(message, bytes);
    bool ok = validator_store_packed(worker, task, what, bytes, size, digest);
    free(bytes);
    return ok;
}

ProtobufCBinaryData
validator_borrow(const uint8_t *bytes, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)bytes};
}
