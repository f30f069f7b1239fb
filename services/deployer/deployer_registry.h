/*
 * deployer_registry - what the deployer asks the registry: which version, and may it serve.
 */
#ifndef DEPLOYER_REGISTRY_H
#define DEPLOYER_REGISTRY_H

#include <valion/v1/registry.pb-c.h>

#include "vln_client.h"

/* `version` is one, or "@alias". The reply is to be wiped in every case; on VLN_OK `*out` lies in it. */
vln_err_t deployer_registry_version(vln_client_t *client, const char *model, const char *version,
                                    vln_reply_t *reply, Valion__V1__Version **out);

/* The same rollout gets the same grant. */
vln_err_t deployer_registry_open_grant(vln_client_t *client, const Valion__V1__Version *version,
                                       const char *environment, const vln_id_t *rollout,
                                       vln_reply_t *reply, const Valion__V1__Grant **out);
vln_err_t deployer_registry_close_grant(vln_client_t *client, ProtobufCBinaryData grant,
                                        const vln_id_t *rollout, vln_reply_t *reply);

#endif
