# SPDX-License-Identifier: BSD-3-Clause
# The libraries that pinfs stands on:
#   pinfs_libs   what the core needs
#   pinfs_fuse   libfuse, with HAVE_... for what newer ones offer more
#   pinfs_check  the unit tests' framework

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

pkg_check_modules(FUSE3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
pkg_check_modules(PMEM REQUIRED IMPORTED_TARGET libpmem)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing>=2.2)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8)
pkg_check_modules(UUID REQUIRED IMPORTED_TARGET uuid)
pkg_check_modules(BLKID REQUIRED IMPORTED_TARGET blkid)

# libaio brings no .pc file.
find_path(AIO_INCLUDE_DIR libaio.h REQUIRED)
find_library(AIO_LIBRARY aio REQUIRED)
mark_as_advanced(AIO_INCLUDE_DIR AIO_LIBRARY)

add_library(pinfs_libs INTERFACE)
target_include_directories(pinfs_libs SYSTEM INTERFACE ${AIO_INCLUDE_DIR})
target_link_libraries(pinfs_libs INTERFACE
	PkgConfig::PMEM PkgConfig::URING PkgConfig::JANSSON PkgConfig::XXHASH
	PkgConfig::UUID ${AIO_LIBRARY} Threads::Threads)

add_library(pinfs_fuse INTERFACE)
target_link_libraries(pinfs_fuse INTERFACE PkgConfig::FUSE3)

include(CheckCSourceCompiles)

# pinfs_fuse_has - define name where a function's body compiles with libfuse
function(pinfs_fuse_has name body)
	set(CMAKE_REQUIRED_LIBRARIES PkgConfig::FUSE3)
	set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
		-DFUSE_USE_VERSION=314)
	set(CMAKE_REQUIRED_QUIET ON)
	check_c_source_compiles("
		#include <fuse_lowlevel.h>
		int main(void) { ${body} }" ${name})
	if(${name})
		target_compile_definitions(pinfs_fuse INTERFACE ${name}=1)
		message(STATUS "libfuse ${FUSE3_VERSION}: ${name}")
	endif()
endfunction()

# since 3.14.1: several direct writes to one file at a time
pinfs_fuse_has(HAVE_FUSE_PARALLEL_DIRECT_WRITES
	"struct fuse_file_info f = { 0 }; f.parallel_direct_writes = 1;
	 return (int)f.parallel_direct_writes;")
# since 3.17: shared mappings of files opened for direct I/O
pinfs_fuse_has(HAVE_FUSE_DIRECT_IO_ALLOW_MMAP
	"return FUSE_CAP_DIRECT_IO_ALLOW_MMAP != 0 ? 0 : 1;")
# since 3.17: capabilities past the 32nd
pinfs_fuse_has(HAVE_FUSE_CAPABLE_EXT
	"struct fuse_conn_info c = { 0 };
	 return (int)(c.capable_ext | c.want_ext);")
pinfs_fuse_has(HAVE_FUSE_SET_FEATURE_FLAG
	"struct fuse_conn_info c = { 0 };
	 return fuse_set_feature_flag(&c, FUSE_CAP_ASYNC_DIO);")
# since 3.17: a server that says that it never looks at interrupts
pinfs_fuse_has(HAVE_FUSE_NO_INTERRUPT
	"struct fuse_conn_info c = { 0 }; return (int)c.no_interrupt;")
# since 3.17: the kernel drops set-id bits together with a write
pinfs_fuse_has(HAVE_FUSE_HANDLE_KILLPRIV_V2
	"return FUSE_CAP_HANDLE_KILLPRIV_V2 != 0 ? 0 : 1;")
# since 3.17: files without a name
pinfs_fuse_has(HAVE_FUSE_TMPFILE
	"struct fuse_lowlevel_ops o = { 0 }; return o.tmpfile != 0;")
# since 3.18: statx(2), which has the time of birth
pinfs_fuse_has(HAVE_FUSE_STATX
	"struct fuse_lowlevel_ops o = { 0 }; return o.statx != 0;")
# since 3.18: requests through an io_uring
pinfs_fuse_has(HAVE_FUSE_OVER_IO_URING
	"return FUSE_CAP_OVER_IO_URING != 0 ? 0 : 1;")

if(PINFS_TESTS)
	pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
	add_library(pinfs_check INTERFACE)
	target_link_libraries(pinfs_check INTERFACE PkgConfig::CHECK)
endif()
