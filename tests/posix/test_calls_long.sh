#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# e2e: label=posix-long timeout=600
#
# The suite of calls in each mode of the page cache and each scope.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/scene.sh"

need_root
# shellcheck source=tests/posix/lib.sh
. "$(dirname "$0")/lib.sh"

plain dax=always
plain dax=never
held ''
held dax=always,layout_scope=range
full ''
full dax=always
