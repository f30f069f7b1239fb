/*
 * vln_monitor - what happens to the connections of a ZeroMQ socket.
 *
 * libzmq reconnects by itself after a broken connection, but never after a handshake that the other
 * side refused (an unknown certificate, a wrong key): such a socket is dead and has to be made anew.
 * Used by the thread of the socket.
 */
#ifndef VLN_MONITOR_H
#define VLN_MONITOR_H

typedef enum vln_monitor_event {
    VLN_MONITOR_NOTHING,      /* nothing more for now */
    VLN_MONITOR_CONNECTED,    /* the handshake was accepted */
    VLN_MONITOR_DISCONNECTED, /* libzmq is connecting again */
    VLN_MONITOR_REFUSED,      /* the socket will not connect again */
} vln_monitor_event_t;

/* A PAIR socket that becomes readable with the events of `socket`. Close it, by
 * vln_monitor_close(), before the socket itself. */
void *vln_monitor_new(void *socket);
void vln_monitor_close(void **monitor_p, void *socket);

/* The next event; does not block. */
vln_monitor_event_t vln_monitor_next(void *monitor);

#endif
