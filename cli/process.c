/* SPDX-License-Identifier: Apache-2.0 */
/* The process around a command: its standard descriptors, and signals. One that ends it takes what is half written
 * along; a signal that the parent ignores (nohup, trap '') stays ignored. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* A closed descriptor would become the first file that is opened, and all that is printed would land in there. */
static void secure_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_RUN);
}

/* Ends the process by the signal itself, so that its parent knows. */
static void end_by(int number)
{
    sigset_t it;
    fv_files_discard();
    signal(number, SIG_DFL);
    sigemptyset(&it);
    sigaddset(&it, number);
    pthread_sigmask(SIG_UNBLOCK, &it, NULL);
    raise(number);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction before, action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(number, &action, NULL);
}

void cli_begin_process(void)
{
    secure_descriptors();
    signal(SIGXFSZ, SIG_IGN);                            /* a write past the limit fails, and its file is named */
    handle(SIGINT, end_by);
    handle(SIGTERM, end_by);
    handle(SIGHUP, end_by);
    handle(SIGPIPE, end_by);
}

static bool (*asked)(void);

/* `timeout` and others send a signal to the process and to its group, a hangup comes from terminal and shell: twice is
 * no more than once. Only the second Ctrl-C of a person means now. */
static void stop(int number)
{
    static volatile double first;
    const double now = fv_seconds();
    if (!asked() || (number == SIGINT && first > 0 && now - first > 0.3)) end_by(number);
    if (number == SIGINT && first <= 0) first = now;
}

void cli_on_stop(bool (*ask)(void))
{
    asked = ask;
    signal(SIGPIPE, SIG_IGN);
    handle(SIGINT, stop);
    handle(SIGTERM, stop);
    handle(SIGHUP, stop);
}
