#include "vln_contract.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "vln_json_form.h"

Test(vln_contract, names_every_service_once)
{
    static const char *const names[] = {"bus",    "registry",  "orchestrator", "deployer",
                                        "runner", "validator", "trainer"};
    size_t count = 0;
    const vln_contract_service_t *services = vln_contract_services(&count);
    cr_assert(count == sizeof names / sizeof names[0]);
    for (size_t i = 0; i < count; i++) {
        cr_expect_str_eq(services[i].name, names[i]);
        cr_expect(vln_contract_find_service(names[i]) == services[i].descriptor);
    }
}

Test(vln_contract, finds_one_instance_of_a_service)
{
    cr_expect(vln_contract_find_service("runner.host-7") == vln_contract_find_service("runner"));
    cr_expect_null(vln_contract_find_service("runner."));
    cr_expect(vln_contract_find_service("registry.i-7") == vln_contract_find_service("registry"));
    cr_expect_null(vln_contract_find_service("registry."));
    cr_expect_null(vln_contract_find_service("regis"));
    cr_expect_null(vln_contract_find_service(""));
    cr_expect_null(vln_contract_find_service(NULL));
}

Test(vln_contract, finds_a_method_with_its_messages)
{
    const ProtobufCMethodDescriptor *method = vln_contract_find_method("deployer", "CreateRollout");
    cr_assert_not_null(method);
    cr_expect_str_eq(method->input->short_name, "CreateRolloutRequest");
    cr_expect_str_eq(method->output->short_name, "CreateRolloutReply");
    cr_expect_null(vln_contract_find_method("deployer", "CreateVersion"));
    cr_expect_null(vln_contract_find_method("deployer", NULL));
    cr_expect_null(vln_contract_find_method("nobody", "CreateRollout"));
}

Test(vln_contract, finds_messages_that_no_method_names)
{
    cr_expect_not_null(vln_contract_find_message("ValidateSpec"));
    cr_expect_not_null(vln_contract_find_message("LogEntry"));
    cr_expect_not_null(vln_contract_find_message("TelemetryBins"));
    cr_expect_null(vln_contract_find_message("validate_spec"));
}

Test(vln_contract, every_service_tells_its_health_and_its_counters)
{
    size_t count = 0;
    const vln_contract_service_t *services = vln_contract_services(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_bus = strcmp(services[i].name, "bus") == 0;
        cr_expect(vln_contract_find_method(services[i].name, "GetStats"), "%s", services[i].name);
        cr_expect(is_bus || vln_contract_find_method(services[i].name, "GetHealth"), "%s",
                  services[i].name);
    }
}

static void
check_enum(const ProtobufCEnumDescriptor *type)
{
    const char *zero = vln_form_enum_name(type, 0);
    cr_assert(zero, "%s has no zero", type->name);
    cr_expect_str_eq(vln_form_enum_short(type, zero), "UNSPECIFIED");
    for (unsigned i = 0; i < type->n_values; i++) {
        const char *name = type->values[i].name;
        cr_expect(vln_form_enum_short(type, name) != name, "%s lacks the prefix of its enum", name);
    }
}

static bool
check_rules(const ProtobufCMessageDescriptor *type, void *context)
{
    (*(int *)context)++;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        cr_expect(field->label != PROTOBUF_C_LABEL_REQUIRED, "%s.%s is required", type->name,
                  field->name);
        cr_expect(!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF), "%s.%s is in a oneof", type->name,
                  field->name);
        size_t len = strlen(field->name);
        bool is_time = len > 3 && (strcmp(field->name + len - 3, "_us") == 0);
        cr_expect(!is_time || field->type == PROTOBUF_C_TYPE_INT64, "%s.%s is no int64", type->name,
                  field->name);
        if (field->type == PROTOBUF_C_TYPE_ENUM) {
            check_enum(field->descriptor);
        }
    }
    return true;
}

Test(vln_contract, keeps_the_rules_of_the_contract)
{
    int types = 0;
    vln_contract_each_message(check_rules, &types);
    cr_expect(types > 200, "only %d message types", types);
}
