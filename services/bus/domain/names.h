/*
 * names - which services there are, and whose they are. Pure.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* Bits of the roles that built-in services have: who may connect to the service socket at all. */
uint32_t names_service_roles(void);

/* True if the contract has a service of this name: "validator", "validator.<instance>" for one of them,
 * "runner.<host>" for each host. */
bool names_service_exists(const char *service);

/* True if a principal with these roles may serve it. */
bool names_may_serve(uint32_t roles, const char *service);

#endif
