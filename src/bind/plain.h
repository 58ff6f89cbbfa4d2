/*
** Encoded values that are looked at where they lie, without Lua: numbers to be added to, and what
** can be compared with a value of Lua's.
*/
#ifndef MPL_BIND_PLAIN_H
#define MPL_BIND_PLAIN_H

#include <lua.h>
#include <stdbool.h>

#include "ds/value.h"

enum mpl_plain_kind {
  MPL_PLAIN_NONE, /* a table, a function: nothing to compare with */
  MPL_PLAIN_NIL,
  MPL_PLAIN_BOOLEAN,
  MPL_PLAIN_INTEGER,
  MPL_PLAIN_FLOAT,
  MPL_PLAIN_STRING,
  MPL_PLAIN_OBJECT /* a shared object */
};

struct mpl_plain {
  enum mpl_plain_kind kind;
  lua_Integer integer; /* or boolean */
  lua_Number number;
  const char *string;  /* where it lies */
  uint64_t size;       /* of the string */
  uint64_t id;         /* of the object */
};

#define MPL_PLAIN_NUMBER_BYTES 9

static inline bool mpl_plain_is_number(const struct mpl_plain *v) {
  return v->kind == MPL_PLAIN_INTEGER || v->kind == MPL_PLAIN_FLOAT;
}

bool mpl_plain_take(lua_State *L, int idx, struct mpl_plain *v);
void mpl_plain_look(const struct mpl_value *value, struct mpl_plain *v);
bool mpl_plain_equal(const struct mpl_plain *a, const struct mpl_plain *b);
bool mpl_plain_add(struct mpl_plain *sum, const struct mpl_plain *n);
uint64_t mpl_plain_put_number(unsigned char bytes[MPL_PLAIN_NUMBER_BYTES],
                              const struct mpl_plain *v);
const char *mpl_plain_name(const struct mpl_plain *v);

#endif
