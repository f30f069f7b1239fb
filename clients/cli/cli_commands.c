#include "cli_commands.h"

#include "cli_change.h"

/* clang-format off */
const cli_option_t cli_globals[] = {
    /* name     letter  value             many   help */
    {"bus",       0,   "HOST:PORT[,…]",   false, "brokers; VALION_BUS [127.0.0.1:7001]"},
    {"keys",      0,   "FOLDER",          false, "folder of keys; VALION_KEYS [./var/keys]"},
    {"as",        0,   "PRINCIPAL",       false, "who calls; VALION_PRINCIPAL [admin]"},
    {"output",    'o', "FORM",            false, "json, table or text; VALION_OUTPUT [table on a terminal, else text]"},
    {"timeout",   0,   "DURATION",        false, "of a call, as 500ms, 10s, 2m; VALION_TIMEOUT [10s]"},
    {"help",      'h', NULL,              false, "this text"},
    {"version",   0,   NULL,              false, "the program's version"},
    {0},
};

static const cli_option_t call_options[] = {
    {"raw",     0, "FILE", false, "sent as the frame of raw bytes, at most 256 KiB"},
    {"raw-out", 0, "FILE", false, "where the reply's raw bytes go"},
    {0},
};
static const cli_option_t ping_options[] = {
    {"count", 'n', "N", false, "how often [1]"},
    {0},
};
static const cli_option_t keys_new_options[] = {
    {"roles", 0, "A,B", false, "viewer, publisher, deployer, operator, approver, admin, worker"},
    {"kinds", 0, "A,B", false, "task kinds that a worker may lease; x:* is all that start so"},
    {0},
};
static const cli_option_t event_watch_options[] = {
    {"after",   0,   "N",    false, "position to go on after [0: from the start]"},
    {"types",   0,   "A,B",  false, "version.created, job.* …; at most 16 [all]"},
    {"subject", 0,   "TEXT", false, "only about this"},
    {"follow",  'f', NULL,   false, "wait for more, through errors, until Ctrl-C"},
    {0},
};
static const cli_option_t event_list_options[] = {
    {"last",    'n', "N",    false, "look at the last N positions [20]"},
    {"types",   0,   "A,B",  false, "of these types only"},
    {"subject", 0,   "TEXT", false, "only about this"},
    {0},
};
static const cli_option_t event_export_options[] = {
    {"file", 0, "FILE", false, "where to; - is standard output"},
    {0},
};
static const cli_option_t audit_options[] = {
    {"export", 0, "FILE", false, "what 'valion event export' wrote"},
    {"head",   0, "FILE", false, "signed heads that were kept elsewhere: the export must contain them"},
    {"key",    0, "FILE", false, "audit.pub of the installation [audit.pub of --keys]"},
    {0},
};
static const cli_option_t job_submit_options[] = {
    {"kind",         0, "KIND",            false, "validate, train … or a worker's own"},
    {"spec",         0, "TEXT|@FILE|-",    false, "JSON of the kind's spec; bytes as they are for a worker's own kind"},
    {"priority",     0, "1..5",            false, "1 is first [3]"},
    {"deadline",     0, "DURATION",        false, "from now, at most 24h [1h]"},
    {"delay",        0, "DURATION",        false, "not before [0]"},
    {"max-attempts", 0, "N",               false, "leases at most [10]"},
    {"label",        0, "KEY=VALUE",       true,  "for finding it"},
    {"wait",         0, NULL,              false, "until it ended; exit 0 only if it is done"},
    {0},
};
static const cli_option_t job_list_options[] = {
    {"kind",      0, "KIND",      false, "of this kind"},
    {"state",     0, "STATE",     false, "ready, running, waiting, done, failed, cancelled, poisoned"},
    {"submitter", 0, "PRINCIPAL", false, "of this principal"},
    {"limit",     0, "N",         false, "at most so many [100]"},
    {0},
};
static const cli_option_t job_cancel_options[] = {
    {"reason", 0, "TEXT", false, "kept with the job"},
    {0},
};
static const cli_option_t model_create_options[] = {
    {"description", 0, "TEXT", false, "for people"},
    {"tag",         0, "TAG",  true,  "for finding it"},
    {"algorithm",   0, "TEXT", false, "default of its versions"},
    {"framework",   0, "TEXT", false, "likewise"},
    {0},
};
static const cli_option_t model_list_options[] = {
    {"text",       0, "WORDS",     false, "beginnings of words of its name, texts and tags"},
    {"tag",        0, "TAG",       false, "with this tag"},
    {"stage",      0, "STAGE",     false, "with a version in development, staging, production, archived"},
    {"author",     0, "PRINCIPAL", false, "made by"},
    {"algorithm",  0, "TEXT",      false, "with this as its default"},
    {"framework",  0, "TEXT",      false, "likewise"},
    {"order",      0, "ORDER",     false, "name, created, updated [name]"},
    {"descending", 0, NULL,        false, "last, or newest, first"},
    {"limit",      0, "N",         false, "at most so many [100]"},
    {0},
};
static const cli_option_t update_options[] = {
    {"description", 0, "TEXT", false, "for people"},
    {"add-tag",     0, "TAG",  true,  "for finding it"},
    {"remove-tag",  0, "TAG",  true,  "no more"},
    {"revision",    0, "N",    false, "only if it is at this revision still"},
    {0},
};
static const cli_option_t lineage_options[] = {
    {"depth", 0, "N", false, "versions before and after [5]"},
    {0},
};
static const cli_option_t at_options[] = {
    {"env",   0, "ENVIRONMENT", false, "where [production]"},
    {"model", 0, "MODEL",       false, "of one model [all]"},
    {0},
};
static const cli_option_t version_update_options[] = {
    {"description", 0, "TEXT",   false, "for people"},
    {"add-tag",     0, "TAG",    true,  "for finding it"},
    {"remove-tag",  0, "TAG",    true,  "no more"},
    {"status",      0, "STATUS", false, "deprecated, or ready again"},
    {"revision",    0, "N",      false, "only if it is at this revision still"},
    {0},
};
static const cli_option_t version_create_options[] = {
    {"model",        0, "MODEL",      false, "its name"},
    {"version",      0, "X.Y.Z",      false, "semantic version [by --bump from the latest]"},
    {"bump",         0, "PART",       false, "major, minor, patch, prerelease, auto: computed [patch]"},
    CLI_CHANGE_OPTIONS,
    {"backport",     0, NULL,         false, "may be below the latest of its line"},
    {"artifact",     0, "ROLE=FILE",  true,  "model=model.json, preprocessor=…, reference=…"},
    {"description",  0, "TEXT",       false, "for people"},
    {"tag",          0, "TAG",        true,  "for finding it"},
    {"metric",       0, "NAME=VALUE", true,  "r2=0.93"},
    {"param",        0, "NAME=VALUE", true,  "a hyperparameter"},
    {"dataset-info", 0, "NAME=VALUE", true,  "about the data it was trained on"},
    {"target",       0, "COLUMN",     false, "that it predicts"},
    {"parent",       0, "X.Y.Z",      false, "version of the model that it comes of"},
    {"source",       0, "TEXT",       false, "where it was made: a commit, a notebook"},
    {"trained-on",   0, "DIGEST",     true,  "SHA-256 of data, as 'valion data show' prints it"},
    {"algorithm",    0, "TEXT",       false, "such as RandomForestRegressor"},
    {"framework",    0, "TEXT",       false, "such as xgboost"},
    {"data",         0, "DATASET",    false, "rows that its files are asked for at the inspection [made up]"},
    {"no-inspect",   0, NULL,         false, "register only; 'valion version inspect' makes it ready"},
    {"no-wait",      0, NULL,         false, "do not wait for the inspection"},
    {0},
};
static const cli_option_t data_add_options[] = {
    {"description", 0, "TEXT", false, "for people"},
    {"tag",         0, "TAG",  true,  "for finding it"},
    {"delimiter",   0, "CHAR", false, "between fields [,]"},
    {0},
};
static const cli_option_t data_list_options[] = {
    {"text",  0, "TEXT", false, "in the name"},
    {"limit", 0, "N",    false, "at most so many [100]"},
    {0},
};
static const cli_option_t suggest_options[] = {
    CLI_CHANGE_OPTIONS,
    {"from",         0, "VERSION", false, "to go on from [the model's latest]"},
    {"compare-with", 0, "VERSION", false, "of the model: what changed up to it is computed"},
    {"scheme",       0, "SCHEME", false, "semantic, timestamp, sequential, hybrid [semantic]"},
    {0},
};
static const cli_option_t rule_options[] = {
    {"key",   0, "KEY",  false, "breaking_change, input_removed, performance_improvement …"},
    {"above", 0, "N",    false, "it matches above this; a yes counts as 1 [0]"},
    {"bump",  0, "PART", false, "major, minor, patch, prerelease"},
    {"order", 0, "N",    false, "1 to 9999; the lowest that matches decides"},
    {0},
};
static const cli_option_t check_range_options[] = {
    {"prerelease", 0, NULL, false, "prereleases count like any version"},
    {0},
};
static const cli_option_t compare_options[] = {
    {"model", 0, "MODEL", false, "both are its versions: compare their records too"},
    {"level", 0, "LEVEL", false, "compatible down to major, minor or patch [minor]"},
    {0},
};
static const cli_option_t version_list_options[] = {
    {"model",         0, "MODEL",     false, "of one model, highest first [all, newest first]"},
    {"text",          0, "WORDS",     false, "beginnings of words of its names, texts and tags"},
    {"tag",           0, "TAG",       false, "with this tag"},
    {"stage",         0, "STAGE",     false, "development, staging, production, archived"},
    {"status",        0, "STATUS",    false, "training, ready, deployed, failed, deprecated"},
    {"author",        0, "PRINCIPAL", false, "made by"},
    {"algorithm",     0, "TEXT",      false, "made with"},
    {"framework",     0, "TEXT",      false, "likewise"},
    {"range",         0, "RANGE",     false, "of one model: ^1.2, ~1.2.3, '>=1 <2', 1.x"},
    {"minimum",       0, "X.Y.Z",     false, "of one model: this one or above"},
    {"maximum",       0, "X.Y.Z",     false, "of one model: this one or below"},
    {"order",         0, "ORDER",     false, "precedence, created"},
    {"ascending",     0, NULL,        false, "lowest, or oldest, first"},
    {"no-prerelease", 0, NULL,        false, "leave 1.0.0-rc.1 and its like out"},
    {"limit",         0, "N",         false, "at most so many [100]"},
    {0},
};

static const cli_option_t train_options[] = {
    {"data",         0, "DATASET",    false, "rows to learn from"},
    {"validation",   0, "DATASET",    false, "rows that are held out [a part of --data]"},
    {"target",       0, "COLUMN",     false, "that it predicts"},
    {"algorithm",    0, "NAME",       true,  "gradient_boosting, random_forest, elastic_net; of several the best is kept [gradient_boosting]"},
    {"param",        0, "NAME=VALUE", true,  "a hyperparameter, such as max_depth=6"},
    {"search",       0, "NAME=RANGE", true,  "a hyperparameter to search: max_depth=2..8, learning_rate=0.01..0.5:log, subsample=0.6,0.8,1"},
    {"trials",       0, "N",          false, "of the search, for each algorithm [20]"},
    {"metric",       0, "NAME",       false, "what the trials are compared by: rmse, mae, r2; of classes log_loss, roc_auc, accuracy [the first]"},
    {"folds",        0, "N",          false, "cross-validate with so many parts of the training rows; then a search goes by it"},
    {"feature",      0, "COLUMN",     true,  "to learn from [all but the target]"},
    {"preprocessor", 0, "DIGEST",     false, "runs first, and travels with the version; 'valion data prepare' makes one"},
    {"task",         0, "TASK",       false, "regression, binary, multiclass [by the target's type]"},
    {"positive",     0, "CLASS",      false, "of two classes, the one whose probability is given"},
    {"weight",       0, "COLUMN",     false, "how much a row counts"},
    {"share",        0, "SHARE",      false, "of the rows that are for training, without --validation [0.8]"},
    {"stratify",     0, "COLUMN",     false, "each of its values keeps that share"},
    {"time",         0, "COLUMN",     false, "the rows with the latest times are held out"},
    {"seed",         0, "N",          false, "of everything random [42]"},
    {"threads",      0, "N",          false, "of the fit [1]"},
    {"version",      0, "X.Y.Z",      false, "semantic version [by --bump from the latest]"},
    {"bump",         0, "PART",       false, "major, minor, patch, prerelease [patch]"},
    {"description",  0, "TEXT",       false, "for people"},
    {"tag",          0, "TAG",        true,  "for finding it"},
    {"dry-run",      0, NULL,         false, "fit and measure, register nothing"},
    {"no-wait",      0, NULL,         false, "print the job's id and end"},
    {0},
};
static const cli_option_t data_split_options[] = {
    {"name",     0, "NAME",  false, "of the parts: NAME-train, NAME-test [the data set's]"},
    {"share",    0, "SHARE", false, "of the rows that are for training [0.8]"},
    {"stratify", 0, "COLUMN", false, "each of its values keeps that share"},
    {"time",     0, "COLUMN", false, "the rows with the latest times are held out"},
    {"seed",     0, "N",     false, "of the shuffle [42]"},
    {"in-order", 0, NULL,    false, "the last rows are held out"},
    {"no-wait",  0, NULL,    false, "print the job's id and end"},
    {0},
};
static const cli_option_t data_prepare_options[] = {
    {"target",  0, "COLUMN", false, "left as it is"},
    {"scale",   0, "HOW",    false, "standard, min_max, robust [standard]"},
    {"impute",  0, "HOW",    false, "mean, median, most_frequent [missing stays missing]; of text: most_frequent, else missing is a category"},
    {"encode",  0, "HOW",    false, "text: one_hot, ordinal [text is refused]"},
    {"ordinal", 0, "COLUMN", true,  "text that is encoded so, whatever --encode says"},
    {"max-categories", 0, "N", false, "of a column of text, 2 to 256: the rarest beyond are one [more than 256 are refused]"},
    {"drop",    0, "COLUMN", true,  "left out"},
    {"name",    0, "NAME",   false, "store the prepared rows, too, under this one"},
    {"no-wait", 0, NULL,     false, "print the job's id and end"},
    {0},
};
static const cli_option_t data_profile_options[] = {
    {"more",    0, "DATASET", true,  "a further data set, of the same columns"},
    {"profile", 0, "DIGEST",  true,  "a profile that is stored"},
    {"no-wait", 0, NULL,      false, "print the job's id and end"},
    {0},
};
static const cli_option_t validate_options[] = {
    {"data",        0, "DATASET",     false, "rows to judge it on"},
    {"reference",   0, "DATASET",     false, "what drift is measured against [the version's profile]"},
    {"policy",      0, "POLICY",      false, "what is asked [the one in force; 'original' is the five checks of old]"},
    {"target",      0, "COLUMN",      false, "[the version's]"},
    {"baseline",    0, "VERSION",     false, "to compare with: a version, alias or stage"},
    {"environment", 0, "ENVIRONMENT", false, "whose policy counts"},
    {"stage",       0, "STAGE",       false, "likewise"},
    {"seed",        0, "N",           false, "of everything random [42]"},
    {"threads",     0, "N",           false, "for one large data set; the report is the same [1]"},
    {"engine",      0, "ENGINE",      false, "native, onnxruntime, xgboost, endpoint [native if it can]"},
    {"endpoint-url", 0, "URL",        false, "a server that is asked instead: http://HOST:PORT/v2/models/NAME"},
    {"no-wait",     0, NULL,          false, "print the job's id and end"},
    {0},
};
static const cli_option_t report_options[] = {
    {"html",     0, NULL, false, "a page of its own on standard output, with plots and every column"},
    {"markdown", 0, NULL, false, "likewise as Markdown"},
    {0},
};
static const cli_option_t inspect_options[] = {
    {"data",    0, "DATASET", false, "rows to answer and to profile [made up]"},
    {"target",  0, "COLUMN",  false, "that it predicts"},
    {"no-wait", 0, NULL,      false, "print the job's id and end"},
    {0},
};
static const cli_option_t promote_options[] = {
    {"on-conflict", 0, "WHAT", false, "demote, archive or refuse what holds production [demote]"},
    {"reason",      0, "TEXT", false, "kept in the history"},
    {"restore",     0, NULL,   false, "an archived version comes back to staging"},
    {0},
};
static const cli_option_t alias_options[] = {
    {"remove", 0, NULL, false, "take the alias away"},
    {0},
};
static const cli_option_t limit_options[] = {
    {"limit", 0, "N", false, "at most so many [100]"},
    {0},
};
static const cli_option_t deploy_options[] = {
    {"to",           0, "ENVIRONMENT", false, "where it is to serve"},
    {"replicas",     0, "N",           false, "servers of it [1]"},
    {"memory",       0, "SIZE",        false, "that a model may take, as 512Mi [512Mi]"},
    {"ready-within", 0, "DURATION",    false, "else it is given up [30s]"},
    {"keep-warm",    0, "DURATION",    false, "the version before, for a rollback [30m]"},
    {"reason",       0, "TEXT",        false, "kept with the rollout"},
    {"queue",        0, NULL,          false, "wait for a rollout that is under way"},
    {"dry-run",      0, NULL,          false, "check, and show the steps"},
    {"no-wait",      0, NULL,          false, "print the rollout's id and end"},
    {0},
};
static const cli_option_t artifact_put_options[] = {
    {"media-type", 0, "TYPE", false, "of the content, such as application/json"},
    {0},
};
static const cli_option_t rollback_options[] = {
    {"in",       0, "ENVIRONMENT", false, "where"},
    {"revision", 0, "N",           false, "to go back to [the one before]"},
    {"reason",   0, "TEXT",        false, "kept with the rollout"},
    {"no-wait",  0, NULL,          false, "print the rollout's id and end"},
    {0},
};
static const cli_option_t rollout_list_options[] = {
    {"in",     0, "ENVIRONMENT", false, "of this one"},
    {"model",  0, "MODEL",       false, "of this one"},
    {"active", 0, NULL,          false, "not ended"},
    {"limit",  0, "N",           false, "at most so many [100]"},
    {0},
};
static const cli_option_t reason_options[] = {
    {"reason", 0, "TEXT", false, "why; kept"},
    {0},
};
static const cli_option_t in_options[] = {
    {"in",    0, "ENVIRONMENT", false, "of this one"},
    {"limit", 0, "N",           false, "at most so many [100]"},
    {0},
};
static const cli_option_t apply_options[] = {
    {"dry-run", 0, NULL, false, "check only"},
    {0},
};
static const cli_option_t run_start_options[] = {
    {"param",   0, "NAME=VALUE", true,  "of the pipeline; JSON, or text"},
    {"no-wait", 0, NULL,         false, "print the run's id and end"},
    {0},
};
static const cli_option_t run_list_options[] = {
    {"pipeline", 0, "NAME",  false, "of this one"},
    {"state",    0, "STATE", false, "pending, running, completed, failed, cancelled, paused"},
    {"limit",    0, "N",     false, "at most so many [100]"},
    {0},
};
static const cli_option_t logs_options[] = {
    {"follow", 'f', NULL, false, "wait for more, until Ctrl-C"},
    {0},
};
static const cli_option_t stats_options[] = {
    {"all", 0, NULL, false, "with the counters of every method"},
    {0},
};

static const char call_more[] =
    "REQUEST is JSON, @FILE, or - for standard input; without it the request is empty.\n"
    "The reply is JSON unless -o says otherwise. 'valion methods SERVICE.METHOD' shows what a\n"
    "request may hold.\n\n"
    "  valion call registry.GetModel '{\"name\": \"houses\"}'\n"
    "  valion call registry.GetChunk '{\"digest\": \"…\", \"size_bytes\": 262144}' --raw-out part\n";
static const char watch_more[] =
    "Without --follow it ends where the log ends. Each position is printed once and in order,\n"
    "whatever happens to brokers and services meanwhile; go on later with --after N.\n";
static const char verify_more[] =
    "Needs no bus and no database. Recomputes the chain from the first entry, checks that no\n"
    "position is missing and that signed heads are of this chain and by this key. With --head, a\n"
    "file of heads kept outside the installation, a deleted tail or a chain that was made anew\n"
    "shows too. Exit 1, and the first thing that is wrong, if not all is right.\n";
static const char put_more[] =
    "What is stored already is not sent; an upload that was cut short goes on where it stopped.\n"
    "A good copy of an artifact whose stored bytes are damaged takes their place.\n\n"
    "  valion artifact put model.onnx --media-type application/octet-stream\n";
static const char get_more[] =
    "FILE is there only once it is whole and has its digest. What came before a connection was\n"
    "lost stays in FILE.part, and the same command goes on from there.\n";
static const char submit_more[] =
    "After the job's id is printed it is stored and ends in exactly one recorded result.\n\n"
    "  valion job submit --kind validate --spec '{\"model\": \"houses\"}' --wait\n"
    "  valion job submit --kind user.report --spec @report.txt\n";
static const char rule_more[] =
    "The rule of the lowest order that matches what is known of a change decides the bump; when\n"
    "none does, it is a patch. Rules are the admin's to change; everybody may list them.\n\n"
    "  valion version rule list\n"
    "  valion version rule put big_loss --key performance_regression --above 0.2 \\\n"
    "      --bump major --order 1100\n"
    "  valion version rule remove big_loss\n";
static const char create_more[] =
    "With --bump auto the registry compares the new version with the latest one, asks its rules,\n"
    "and says why: a removed input is a major, a better metric a minor. What it cannot know is\n"
    "said by --breaking, --feature and their like.\n";
static const char suggest_more[] =
    "  valion version suggest 1.2.3 --feature\n"
    "  valion version suggest houses --from 1.0.0 --compare-with 1.1.0\n";

const cli_command_t cli_commands[] = {
    /* path            words                  what it does                                        more         options                 words  function */
    {"call",           "SERVICE.METHOD [REQUEST]", "call any method of the contract",              call_more,   call_options,           1, 2, cmd_call},
    {"methods",        "[SERVICE[.METHOD]]",  "what can be called, and with what",                 NULL,        NULL,                   0, 1, cmd_methods},
    {"status",         "",                    "brokers and the instances behind them",             NULL,        NULL,                   0, 0, cmd_status},
    {"ping",           "",                    "ask a broker for an answer",                        NULL,        ping_options,           0, 0, cmd_ping},
    {"keys init",      "",                    "make what is missing of an installation's keys",    NULL,        NULL,                   0, 0, cmd_keys_init},
    {"keys new",       "NAME",                "a key for somebody who calls",                      NULL,        keys_new_options,       1, 1, cmd_keys_new},
    {"keys list",      "",                    "who may call, and as what",                         NULL,        NULL,                   0, 0, cmd_keys_list},
    {"keys show",      "NAME",                "one of them",                                       NULL,        NULL,                   1, 1, cmd_keys_show},
    {"keys revoke",    "NAME",                "take a key away",                                   NULL,        NULL,                   1, 1, cmd_keys_revoke},
    {"model create",   "NAME",                "a name for versions; one that exists stays",        NULL,        model_create_options,   1, 1, cmd_model_create},
    {"model list",     "",                    "all models",                                        NULL,        model_list_options,     0, 0, cmd_model_list},
    {"model show",     "NAME",                "one model",                                         NULL,        NULL,                   1, 1, cmd_model_show},
    {"model update",   "NAME",                "change what is said of one",                        NULL,        update_options,         1, 1, cmd_model_update},
    {"model delete",   "NAME",                "forget one that has no versions",                   NULL,        NULL,                   1, 1, cmd_model_delete},
    {"version create", "",                    "a version with its files",                          create_more, version_create_options, 0, 0, cmd_version_create},
    {"version list",   "",                    "a model's versions, or all that fit",               NULL,        version_list_options,   0, 0, cmd_version_list},
    {"version show",   "MODEL[@VERSION|@ALIAS|@RANGE]", "one version; the latest if none is said", NULL,        NULL,                   1, 1, cmd_version_show},
    {"version suggest", "MODEL|VERSION",      "what comes next, and why",                          suggest_more, suggest_options,        1, 1, cmd_version_suggest},
    {"version compare", "LEFT RIGHT",         "which is higher, and what differs",                 NULL,        compare_options,        2, 2, cmd_version_compare},
    {"version check-range", "RANGE VERSION…", "which of them are in ^1.2, ~1.2.3, '>=1 <2', 1.x", NULL,        check_range_options,    1, 14, cmd_version_check_range},
    {"version rule",    "list|put NAME|remove NAME", "what asks for which bump",                   rule_more,   rule_options,           1, 2, cmd_version_rule},
    {"version changelog", "MODEL",            "what changed from version to version, as Markdown", NULL,        NULL,                   1, 1, cmd_version_changelog},
    {"version card",   "MODEL[@VERSION|@ALIAS]", "all that is recorded of one, as Markdown",      NULL,        NULL,                   1, 1, cmd_version_card},
    {"version lineage", "MODEL[@VERSION]",    "where it comes from and where it went, as a graph (DOT)", NULL,  lineage_options,        1, 1, cmd_version_lineage},
    {"version inspect", "MODEL@VERSION",      "open its files: signature, sample rows, profile",   NULL,        inspect_options,        1, 1, cmd_version_inspect},
    {"version promote", "MODEL@VERSION STAGE", "what it is allowed to be; production needs evidence", NULL,       promote_options,        2, 2, cmd_version_promote},
    {"version alias",   "MODEL@VERSION ALIAS", "a name that moves",                                NULL,        alias_options,          2, 2, cmd_version_alias},
    {"version update",  "MODEL@VERSION",      "change what is said of one, or deprecate it",       NULL,        version_update_options, 1, 1, cmd_version_update},
    {"version delete",  "MODEL@VERSION",      "forget one that does not serve",                    NULL,        NULL,                   1, 1, cmd_version_delete},
    {"version history", "MODEL",              "which version was in which stage, and why",         NULL,        limit_options,          1, 1, cmd_version_history},
    {"data add",       "NAME FILE",           "a CSV file as the newest content of a data set",    NULL,        data_add_options,       2, 2, cmd_data_add},
    {"data list",      "",                    "all data sets",                                     NULL,        data_list_options,      0, 0, cmd_data_list},
    {"data show",      "NAME",                "the newest content of one",                         NULL,        NULL,                   1, 1, cmd_data_show},
    {"data split",     "NAME",                "part it into rows for training and held-out ones",  NULL,        data_split_options,     1, 1, cmd_data_split},
    {"data prepare",   "NAME",                "fit a preprocessor: fill, scale, encode",           NULL,        data_prepare_options,   1, 1, cmd_data_prepare},
    {"data profile",   "[NAME]",              "what is kept of its rows for drift; of several, one of all", NULL, data_profile_options,  0, 1, cmd_data_profile},
    {"train",          "MODEL",               "fit a model and register it as a version",          NULL,        train_options,          1, 1, cmd_train},
    {"validate",       "MODEL[@VERSION|@ALIAS]", "judge a version; exit 0 also if the verdict is FAIL: see the report", NULL, validate_options,    1, 1, cmd_validate},
    {"report list",    "MODEL[@VERSION]",     "what was found, newest first",                      NULL,        limit_options,          1, 1, cmd_report_list},
    {"report show",    "ID|MODEL[@VERSION]",  "one report, check by check; of a version the newest", NULL,      report_options,         1, 1, cmd_report_show},
    {"report diff",    "ID ID",               "what differs between two reports, or two versions' newest", NULL, NULL,                  2, 2, cmd_report_diff},
    {"report summary", "MODEL[@VERSION]",     "verdicts by policy and by check",                   NULL,        NULL,                   1, 1, cmd_report_summary},
    {"policy list",    "",                    "what versions are judged by",                       NULL,        limit_options,          0, 0, cmd_policy_list},
    {"policy show",    "NAME",                "one policy",                                        NULL,        NULL,                   1, 1, cmd_policy_show},
    {"policy put",     "TEXT|@FILE|-",        "a policy's next version, as YAML or JSON",          NULL,        NULL,                   1, 1, cmd_policy_put},
    {"deploy",         "MODEL@VERSION",       "bring a version into an environment, blue-green",   NULL,        deploy_options,         1, 1, cmd_deploy},
    {"rollback",       "MODEL",               "back to what served before",                        NULL,        rollback_options,       1, 1, cmd_rollback},
    {"rollout list",   "",                    "rollouts, newest first",                            NULL,        rollout_list_options,   0, 0, cmd_rollout_list},
    {"rollout show",   "ID",                  "one rollout with its decisions",                    NULL,        NULL,                   1, 1, cmd_rollout_show},
    {"rollout watch",  "ID",                  "follow it until it serves or has ended",            NULL,        NULL,                   1, 1, cmd_rollout_watch},
    {"rollout abort",  "ID",                  "end it; traffic stays with what served before",     NULL,        reason_options,         1, 1, cmd_rollout_abort},
    {"rollout pause",  "ID",                  "go no further for now",                             NULL,        reason_options,         1, 1, cmd_rollout_pause},
    {"rollout resume", "ID",                  "go on",                                             NULL,        reason_options,         1, 1, cmd_rollout_resume},
    {"endpoint list",  "",                    "what serves where",                                 NULL,        in_options,             0, 0, cmd_endpoint_list},
    {"endpoint history", "MODEL",             "what served when, and why",                         NULL,        in_options,             1, 1, cmd_endpoint_history},
    {"host list",      "",                    "hosts, their environments and servers",             NULL,        NULL,                   0, 0, cmd_host_list},
    {"pipeline apply", "FILE|-",              "a pipeline's next version, as JSON",                NULL,        apply_options,          1, 1, cmd_pipeline_apply},
    {"pipeline list",  "",                    "all pipelines",                                     NULL,        limit_options,          0, 0, cmd_pipeline_list},
    {"pipeline show",  "NAME",                "one pipeline",                                      NULL,        NULL,                   1, 1, cmd_pipeline_show},
    {"run start",      "PIPELINE",            "run a pipeline, and follow it",                     NULL,        run_start_options,      1, 1, cmd_run_start},
    {"run watch",      "ID",                  "follow a run to its end",                           NULL,        NULL,                   1, 1, cmd_run_watch},
    {"run list",       "",                    "runs, newest first",                                NULL,        run_list_options,       0, 0, cmd_run_list},
    {"run show",       "ID",                  "one run with its steps",                            NULL,        NULL,                   1, 1, cmd_run_show},
    {"run cancel",     "ID",                  "end a run",                                         NULL,        reason_options,         1, 1, cmd_run_cancel},
    {"run pause",      "ID",                  "begin no more steps for now",                       NULL,        reason_options,         1, 1, cmd_run_pause},
    {"run resume",     "ID",                  "go on",                                             NULL,        reason_options,         1, 1, cmd_run_resume},
    {"logs",           "ID",                  "what a task wrote for people",                      NULL,        logs_options,           1, 1, cmd_logs},
    {"stats",          "SERVICE",             "a service's numbers, of each instance",              NULL,        stats_options,          1, 1, cmd_stats},
    {"completion",     "bash",                "eval \"$(valion completion bash)\"",                NULL,        NULL,                   1, 1, cmd_completion},
    {"artifact put",   "FILE",                "keep a file's bytes; prints their digest",          put_more,    artifact_put_options,   1, 1, cmd_artifact_put},
    {"artifact get",   "DIGEST FILE",         "the bytes of that digest, checked",                 get_more,    NULL,                   2, 2, cmd_artifact_get},
    {"artifact show",  "DIGEST",              "size, age and uses; whether it is damaged",         NULL,        NULL,                   1, 1, cmd_artifact_show},
    {"job submit",     "",                    "store a piece of work; prints its id",              submit_more, job_submit_options,     0, 0, cmd_job_submit},
    {"job watch",      "ID",                  "follow a job to its end; exit 0 only if it is done", NULL,       NULL,                   1, 1, cmd_job_watch},
    {"job list",       "",                    "jobs, newest first",                                NULL,        job_list_options,       0, 0, cmd_job_list},
    {"job show",       "ID",                  "one job",                                           NULL,        NULL,                   1, 1, cmd_job_show},
    {"job cancel",     "ID",                  "ask a job to end",                                  NULL,        job_cancel_options,     1, 1, cmd_job_cancel},
    {"job requeue",    "ID",                  "a failed or poisoned job, once more",               NULL,        NULL,                   1, 1, cmd_job_requeue},
    {"event watch",    "",                    "everything that happened, in order",                watch_more,  event_watch_options,    0, 0, cmd_event_watch},
    {"event list",     "",                    "the last events",                                   NULL,        event_list_options,     0, 0, cmd_event_list},
    {"event export",   "",                    "the whole log with its signatures, as a file",      NULL,        event_export_options,   0, 0, cmd_event_export},
    {"at",             "[TIME]",              "what served then, by whom, on which evidence",      NULL,        at_options,             0, 1, cmd_at},
    {"audit verify",   "",                    "check an export: nothing changed, nothing missing", verify_more, audit_options,          0, 0, cmd_audit_verify},
};
/* clang-format on */

const size_t cli_command_count = VLN_COUNT(cli_commands);
