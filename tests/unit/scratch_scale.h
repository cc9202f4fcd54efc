/* SPDX-License-Identifier: BSD-3-Clause */
/* How much of a test a slow build does: sanitizers take ten times as long. */
#ifndef PINFS_TEST_SCRATCH_SCALE_H
#define PINFS_TEST_SCRATCH_SCALE_H

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SCRATCH_IS_SLOW 1
#else
#define SCRATCH_IS_SLOW 0
#endif

/* What ThreadSanitizer leaves of the address space is too small for some. */
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define SCRATCH_HAS_TSAN 1
#else
#define SCRATCH_HAS_TSAN 0
#endif

/* scratch_scale - n, or a share of it that the test still makes sense with */
#define scratch_scale(n, slow) (SCRATCH_IS_SLOW ? (slow) : (n))

#endif
