#include "deployer_registry.h"

enum { CALL_MS = 8000 };

vln_err_t
deployer_registry_version(vln_client_t *client, const char *model, const char *version,
                          vln_reply_t *reply, Valion__V1__Version **out)
{
    Valion__V1__GetVersionRequest request = VALION__V1__GET_VERSION_REQUEST__INIT;
    request.model = (char *)(uintptr_t)model;
    *(version[0] == '@' ? &request.alias : &request.version) =
        (char *)(uintptr_t)(version[0] == '@' ? version + 1 : version);
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "GetVersion",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_version_reply__descriptor,
                                  .timeout_ms = CALL_MS};
    vln_err_t err = vln_client_call(client, &spec, reply);
    *out = err == VLN_OK ? ((Valion__V1__GetVersionReply *)(void *)reply->message)->version : NULL;
    return err == VLN_OK && !*out ? VLN_INTERNAL : err;
}

vln_err_t
deployer_registry_open_grant(vln_client_t *client, const Valion__V1__Version *version,
                             const char *environment, const vln_id_t *rollout, vln_reply_t *reply,
                             const Valion__V1__Grant **out)
{
    Valion__V1__OpenGrantRequest request = VALION__V1__OPEN_GRANT_REQUEST__INIT;
    vln_id_t id = vln_id_derive(rollout->bytes, VLN_ID_BYTES, "grant");
    request.model = version->model;
    request.version = version->version;
    request.environment = (char *)(uintptr_t)environment;
    request.has_rollout_id = 1;
    request.rollout_id = (ProtobufCBinaryData){VLN_ID_BYTES, (uint8_t *)(uintptr_t)rollout->bytes};
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "OpenGrant",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__open_grant_reply__descriptor,
                                  .timeout_ms = CALL_MS,
                                  .request_id = &id};
    vln_err_t err = vln_client_call(client, &spec, reply);
    *out = err == VLN_OK ? ((Valion__V1__OpenGrantReply *)(void *)reply->message)->grant : NULL;
    return err == VLN_OK && !*out ? VLN_INTERNAL : err;
}

vln_err_t
deployer_registry_close_grant(vln_client_t *client, ProtobufCBinaryData grant,
                              const vln_id_t *rollout, vln_reply_t *reply)
{
    Valion__V1__CloseGrantRequest request = VALION__V1__CLOSE_GRANT_REQUEST__INIT;
    vln_id_t id = vln_id_derive(rollout->bytes, VLN_ID_BYTES, "grant.close");
    request.has_grant_id = 1;
    request.grant_id = grant;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "CloseGrant",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__close_grant_reply__descriptor,
                                  .timeout_ms = CALL_MS,
                                  .request_id = &id};
    return vln_client_call(client, &spec, reply);
}
