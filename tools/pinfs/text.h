/* SPDX-License-Identifier: BSD-3-Clause */
/* How numbers and strings of unknown origin are shown to people. */
#ifndef PINFS_TEXT_H
#define PINFS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_NUMBER 32 /* holds any of the numbers below */

/* text_ns - "850ns", "12.5ms", "3.2s", "2h05m"; returns buf */
char *text_ns(char buf[TEXT_NUMBER], uint64_t ns);

/* text_time - seconds since the epoch as local time; returns buf */
char *text_time(char buf[TEXT_NUMBER], int64_t seconds);

/* text_uuid - 16 bytes as 8-4-4-4-12; buf takes 37 bytes */
char *text_uuid(char buf[37], const uint8_t uuid[16]);

/*
 * text_safe - a string that a pool or another process chose
 *
 * Stops at a NUL or after max bytes.  What could steer a terminal, or is not
 * UTF-8, becomes \xNN, so that the result is printable and fit for JSON.
 * Backslashes double.  Returns memory to be freed, or NULL.
 */
char *text_safe(const void *s, size_t max);

/* text_width - columns that a string takes on a terminal */
size_t text_width(const char *s);

#endif
