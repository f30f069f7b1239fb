/*
 * validator_store - artifacts that a task makes: sample rows, profiles, appendices.
 */
#ifndef VALIDATOR_STORE_H
#define VALIDATOR_STORE_H

#include "validator.h"
#include "valion/v1/evidence.pb-c.h"

/* Stores the packed message. False: the task has been ended with a sentence about `what`. */
bool validator_store(vln_worker_t *worker, vln_task_t *task, const char *what,
                     const ProtobufCMessage *message, uint8_t digest[VLN_DIGEST_BYTES]);

/* Of one that is packed already. */
bool validator_store_packed(vln_worker_t *worker, vln_task_t *task, const char *what,
                            const uint8_t *bytes, size_t size, uint8_t digest[VLN_DIGEST_BYTES]);

/* Bytes that stay the caller's. */
ProtobufCBinaryData validator_borrow(const uint8_t *bytes, size_t size);

#endif
