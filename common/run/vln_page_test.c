#include "vln_page.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "vln_pb.h"

#include "valion/v1/registry.pb-c.h"

enum { ITEMS = 5000, FRAME_MAX = 320 * 1024 };

static vln_arena_t *arena;

static void
setup(void)
{
    arena = vln_arena_new(0);
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(page, .init = setup, .fini = teardown, .timeout = 60);

static Valion__V1__Model *
model(const char *name, const char *description, size_t tags)
{
    Valion__V1__Model *made = vln_arena_alloc(arena, sizeof *made);
    valion__v1__model__init(made);
    made->name = vln_arena_strdup(arena, name);
    made->description = vln_arena_strdup(arena, description);
    made->n_tags = tags;
    made->tags = vln_arena_alloc(arena, (tags + 1) * sizeof *made->tags);
    for (size_t i = 0; i < tags; i++) {
        made->tags[i] = vln_arena_strdup(arena, "tag");
    }
    return made;
}

/* Fills a page with the same item and scans the reply as a client does: how many there were. */
static size_t
fill_page(Valion__V1__Model *item)
{
    vln_page_t page = {0};
    Valion__V1__ListModelsReply reply = VALION__V1__LIST_MODELS_REPLY__INIT;
    reply.models = vln_arena_alloc(arena, ITEMS * sizeof *reply.models);
    while (reply.n_models < ITEMS && vln_page_take(&page, arena, &item->base)) {
        reply.models[reply.n_models++] = item;
    }
    reply.has_next_token = 1;
    reply.next_token = (ProtobufCBinaryData){strlen(item->name), (uint8_t *)item->name};
    size_t size = 0;
    const uint8_t *packed = vln_pb_pack(&reply.base, arena, &size);
    vln_pb_scan_t scan;
    vln_err_t err = vln_pb_scan(&valion__v1__list_models_reply__descriptor, packed, size, &scan);
    cr_expect(err == VLN_OK, "%s with %zu items", scan.why, reply.n_models);
    cr_expect(size < FRAME_MAX);
    cr_expect(eq(sz, page.count, reply.n_models));
    return reply.n_models;
}

Test(page, ends_where_the_fields_of_a_reply_end)
{
    size_t count = fill_page(model("m", "", 60));
    cr_expect(gt(sz, count, 50));
    cr_expect(lt(sz, count, VLN_PB_MAX_FIELDS / 60));
}

Test(page, ends_where_the_bytes_of_a_frame_end)
{
    char text[5001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    size_t count = fill_page(model("m", text, 0));
    cr_expect(gt(sz, count, 30));
    cr_expect(lt(sz, count, 50));
}

/* Each empty field takes many times its bytes when it is unpacked. */
Test(page, ends_where_the_memory_of_a_client_ends)
{
    cr_expect(gt(sz, fill_page(model("m", "", 0)), 1000));
}

Test(page, takes_the_first_item_whatever_its_size)
{
    Valion__V1__Model *large = model("m", "", VLN_PB_MAX_FIELDS);
    vln_page_t page = {0};
    cr_expect(vln_page_take(&page, arena, &large->base));
    cr_expect(not(vln_page_take(&page, arena, &large->base)));
    cr_expect(not(vln_page_take(&page, arena, &model("m", "", 0)->base)));
    cr_expect(eq(sz, page.count, 1));
}

Test(page, takes_a_smaller_item_after_one_that_did_not_fit)
{
    vln_page_t page = {0};
    cr_assert(vln_page_take(&page, arena, &model("m", "", 3000)->base));
    cr_expect(not(vln_page_take(&page, arena, &model("m", "", 3000)->base)));
    cr_expect(vln_page_take(&page, arena, &model("m", "", 100)->base));
}
