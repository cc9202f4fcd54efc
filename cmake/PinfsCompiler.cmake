# SPDX-License-Identifier: BSD-3-Clause
# How everything is compiled: the interface library pinfs_compiler.

if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Assertions stay on in a release: a file system that finds its own state
# broken must stop before it writes.  Checks that cost more than a few
# comparisons are for builds with PINFS_DEBUG.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_library(pinfs_compiler INTERFACE)
target_compile_definitions(pinfs_compiler INTERFACE
	_GNU_SOURCE
	_FILE_OFFSET_BITS=64
	PINFS_RELEASE="${PROJECT_VERSION}"
	$<$<NOT:$<CONFIG:Release>>:PINFS_DEBUG=1>
	$<$<BOOL:${PINFS_OMISSIONS}>:PINFS_OMISSIONS=1>)
target_compile_options(pinfs_compiler INTERFACE
	-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
	-Wmissing-prototypes -Wvla
	-fno-strict-aliasing -fno-common)
target_link_options(pinfs_compiler INTERFACE -Wl,--as-needed)

if(PINFS_WERROR)
	target_compile_options(pinfs_compiler INTERFACE -Werror)
endif()

# A command that programs built with this compiler have to be started with.
set(PINFS_LAUNCHER "")

if(PINFS_SANITIZE)
	target_compile_options(pinfs_compiler INTERFACE
		-fsanitize=${PINFS_SANITIZE} -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
	target_link_options(pinfs_compiler INTERFACE
		-fsanitize=${PINFS_SANITIZE})
	# What libFuzzer learns from comparisons is of no use where all numbers
	# are below checksums, and takes half of the time.
	if(PINFS_FUZZ)
		target_compile_options(pinfs_compiler INTERFACE
			-fno-sanitize-coverage=trace-cmp)
	endif()
	# gcc's warnings that follow the ranges of values go astray in what a
	# sanitizer adds; the other builds have them.
	if(CMAKE_C_COMPILER_ID STREQUAL GNU)
		target_compile_options(pinfs_compiler INTERFACE
			-Wno-conversion -Wno-sign-conversion
			-Wno-array-bounds -Wno-format-overflow
			-Wno-format-truncation -Wno-maybe-uninitialized
			-Wno-restrict -Wno-stringop-overflow
			-Wno-stringop-overread -Wno-stringop-truncation)
	endif()
	if(PINFS_SANITIZE MATCHES thread)
		# Fences are no synchronisation to this sanitizer: say so, go on.
		if(CMAKE_C_COMPILER_ID STREQUAL GNU)
			target_compile_options(pinfs_compiler INTERFACE
				-Wno-error=tsan)
		endif()
		# Its shadow memory collides with mappings of kernels that
		# randomise addresses by more bits than it was made for.
		find_program(PINFS_SETARCH setarch REQUIRED)
		set(PINFS_LAUNCHER ${PINFS_SETARCH}
			${CMAKE_SYSTEM_PROCESSOR} --addr-no-randomize)
	endif()
else()
	target_compile_options(pinfs_compiler INTERFACE
		$<$<CONFIG:Release>:-fstack-protector-strong>)
	target_compile_definitions(pinfs_compiler INTERFACE
		$<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
	target_link_options(pinfs_compiler INTERFACE -Wl,-z,relro,-z,now)
endif()
