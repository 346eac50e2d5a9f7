//go:build cgo && libvirt_dlopen

package libvirtnet

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void *load(void *none)
{
	dlopen("libvirt.so.0", RTLD_LAZY | RTLD_LOCAL);
	return none;
}

// The binding opens libvirt at the start of every program, after Go's runtime
// is up, and has every symbol of its libraries resolved at once. Opened here
// while the runtime starts, and resolved when called, as for a program that is
// linked with it, a start takes a tenth less. The binding's own attempt waits
// for this one, and reports what went wrong.
__attribute__((constructor)) static void load_early(void)
{
	pthread_t thread;
	int fd;

#ifdef __GLIBC__
	// A heap for each of the few threads that call libvirt would be for nothing.
	mallopt(M_ARENA_MAX, 1);
#endif
	// What the thread opens must not become the standard input or output of a
	// process that was started without: Go's runtime looks for those at the
	// same time.
	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
			return;
	if (pthread_create(&thread, NULL, load, NULL) == 0)
		pthread_detach(thread);
}
*/
import "C"
