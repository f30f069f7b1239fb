/*
 * broker_zap - answers libzmq's question whether a key may connect (RFC 27), in the broker's loop.
 *
 * Without a handler libzmq lets everybody in; option 93 on each socket turns that around, and
 * zap_self_test() proves at the start that both hold.
 */
#ifndef BROKER_ZAP_H
#define BROKER_ZAP_H

#include "broker_principals.h"

/* ZAP domains: what a socket is for decides who may connect. */
#define ZAP_DOMAIN_CLIENT  "valion.client"  /* every principal */
#define ZAP_DOMAIN_SERVICE "valion.service" /* built-in services */
#define ZAP_DOMAIN_EVENT   "valion.event"   /* built-in services */

/* The socket to poll, before any server socket is bound. VLN_INTERNAL if there is one already. */
VLN_MUST_USE vln_err_t zap_open(void **out);

/* Answer what waits. The User-Id of an accepted connection is its public key as Z85. */
void zap_answer(void *socket, const principals_t *principals);

/*
 * Connects with a key that nobody has to a socket that is made like the broker's own, and waits for
 * the refusal. VLN_INTERNAL if it is let in, or not refused within two seconds.
 */
VLN_MUST_USE vln_err_t zap_self_test(void *zap, const principals_t *principals,
                                     const vln_keypair_t *bus_keys);

#endif
