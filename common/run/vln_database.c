#include "vln_database.h"

#include <poll.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_stop.h"

enum { RETRY_MS = 200 };

vln_err_t
vln_database_await(const char *database, vln_err_t (*migrate)(const char *database))
{
    struct pollfd signals = {.fd = vln_signals_open(), .events = POLLIN};
    vln_err_t err = migrate(database);
    while (err == VLN_UNAVAILABLE) {
        if (poll(&signals, 1, RETRY_MS) > 0) {
            err = VLN_CANCELLED; /* the signal is still pending for whoever reads it next */
            break;
        }
        err = migrate(database);
    }
    close(signals.fd);
    return err;
}
