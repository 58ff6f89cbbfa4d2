/*
** Version of mpl.
*/
#ifndef MPL_HOST_VERSION_H
#define MPL_HOST_VERSION_H

#include <lua.h>

#define MPL_VERSION "0.1.0"
#define MPL_BANNER "mpl " MPL_VERSION ", " LUA_COPYRIGHT

#endif
