#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: asan once timeout=120
#
# Calls do what programs expect of them, as root and as two others; also while
# devices have pinned files and a truncate waits, and in a pool that is nearly
# full. The same for longer: label posix-long.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/scene.sh"

need_root
# shellcheck source=tests/posix/lib.sh
. "$(dirname "$0")/lib.sh"

plain ''
# What sanitizers find depends little on the rest.
if [ -z "${PINFS_SANITIZE:-}" ]; then
	held layout_scope=range
	full ''
fi
