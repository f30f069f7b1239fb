#include "vln_endpoint_url.h"

#include <criterion/criterion.h>
#include <string.h>

static char why[VLN_MODEL_WHY];

static vln_endpoint_url_t
must_parse(const char *text)
{
    vln_endpoint_url_t url;
    cr_assert(vln_endpoint_url_parse(text, &url, why), "%s: %s", text, why);
    cr_expect_str_eq(why, "");
    return url;
}

Test(vln_endpoint_url, is_taken_apart_and_put_together_again)
{
    static const char *const same[][2] = {
        {"http://models.example/v2/models/a", "http://models.example:80/v2/models/a/infer"},
        {"https://Models.EXAMPLE", "https://models.example:443/infer"},
        {"http://10.0.0.1:8080/", "http://10.0.0.1:8080/infer"},
        {"http://[::1]:7/A/b_c-d.e~f/", "http://[::1]:7/A/b_c-d.e~f/infer"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char out[VLN_ENDPOINT_URL];
        vln_endpoint_url_t url = must_parse(same[i][0]);
        vln_endpoint_url_write(&url, "/infer", out);
        cr_expect_str_eq(out, same[i][1]);
    }
}

Test(vln_endpoint_url, is_refused_where_servers_and_people_might_read_it_apart)
{
    static const char *const wrong[] = {
        "",
        "models.example/v2",
        "ftp://models.example/",
        "file:///etc/passwd",
        "gopher://a/",
        "HTTP://a/",
        "http:/a",
        "http://",
        "http:///path",
        "http://:80/",
        "http://user@host/",
        "http://user:secret@host/",
        "http://allowed.example@evil.example/",
        "http://allowed.example\\@evil.example/",
        "http://a b/",
        "http://a:0/",
        "http://a:65536/",
        "http://a:/",
        "http://a:80x/",
        "http://a:99999999999/",
        "http://.a/",
        "http://-a/",
        "http://[::1/",
        "http://[]/",
        "http://[::1]x/",
        "http://a/../b",
        "http://a/./b",
        "http://a/b/..",
        "http://a//b",
        "http://a/%2e%2e/b",
        "http://a/b?c",
        "http://a/b#c",
        "http://a?b",
        "http://a#b",
        "http://a/b c",
        "http://a/b\r\nHost: c",
        "http://a\n/",
        "http://ä/",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        vln_endpoint_url_t url;
        cr_expect_not(vln_endpoint_url_parse(wrong[i], &url, why), "%s", wrong[i]);
        cr_expect_neq(why[0], '\0');
    }
}

Test(vln_endpoint_url, has_an_end)
{
    char text[4096] = "http://";
    vln_endpoint_url_t url;
    memset(text + 7, 'a', 300);
    cr_expect_not(vln_endpoint_url_parse(text, &url, why));
    memcpy(text, "http://a/", sizeof "http://a/");
    memset(text + 9, 'b', VLN_ENDPOINT_PATH);
    text[9 + VLN_ENDPOINT_PATH] = '\0';
    cr_expect_not(vln_endpoint_url_parse(text, &url, why));
    text[9 + VLN_ENDPOINT_PATH - 2] = '\0';
    cr_expect(vln_endpoint_url_parse(text, &url, why));
    memset(text + 7, 'a', sizeof text - 8);
    cr_expect_not(vln_endpoint_url_parse(text, &url, why));
}

Test(vln_endpoint_url, knows_a_models)
{
    static const struct {
        const char *text;
        bool is_model;
    } cases[] = {
        {"http://a/v2/models/prices", true},
        {"http://a/team/v2/models/prices/versions/1.0.0", true},
        {"http://a/v2/models/v2/models/x", true},
        {"http://a", false},
        {"http://a/v2/models", false},
        {"http://a/v2/models/prices/infer", false},
        {"http://a/v2/models/prices/versions", false},
        {"http://a/v2/models/prices/versions/1/infer", false},
        {"http://a/v1/models/prices", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vln_endpoint_url_t url = must_parse(cases[i].text);
        cr_expect_eq(vln_endpoint_url_is_model(&url), cases[i].is_model, "%s", cases[i].text);
    }
}

Test(vln_endpoint_url, is_allowed_by_scheme_host_port_and_whole_segments)
{
    static const char allowed[] = "http://models.example:8080/team, https://secure.example";
    static const struct {
        const char *text;
        bool allowed;
    } cases[] = {
        {"http://models.example:8080/team", true},
        {"http://MODELS.example:8080/team/v2/models/a", true},
        {"http://models.example:8080/teammate/v2", false},
        {"http://models.example:8080/", false},
        {"http://models.example:80801/team", false},
        {"http://models.example/team", false},
        {"http://models.example:808/team", false},
        {"https://models.example:8080/team", false},
        {"http://models.example.evil:8080/team", false},
        {"http://evil-models.example:8080/team", false},
        {"https://secure.example/any", true},
        {"https://secure.example:443", true},
        {"http://secure.example:443", false},
        {"https://secure.example.evil/", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vln_endpoint_url_t url;
        bool good = vln_endpoint_url_parse(cases[i].text, &url, why);
        cr_expect_eq(good && vln_endpoint_is_allowed(allowed, &url), cases[i].allowed, "%s",
                     cases[i].text);
        cr_expect_not(good && vln_endpoint_is_allowed(NULL, &url));
        cr_expect_not(good && vln_endpoint_is_allowed("", &url));
    }
}

Test(vln_endpoint_url, of_a_list_is_checked)
{
    cr_expect(vln_endpoint_allowed_check(NULL, why));
    cr_expect(vln_endpoint_allowed_check("", why));
    cr_expect(vln_endpoint_allowed_check("http://a, https://b:1/c", why));
    cr_expect_not(vln_endpoint_allowed_check("http://a,b", why));
    cr_expect(strstr(why, "http://"));
}
