/*
** The state of an encoding, shared by codec_encode.c (the walk, tables, values without parts),
** codec_function.c (functions and the globals they name) and codec_environment.c (environments that
** have no globals in them), and by nobody else.
*/
#ifndef MPL_BIND_CODEC_ENCODER_H
#define MPL_BIND_CODEC_ENCODER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "bind/codec_names.h"
#include "bind/codec_out.h"
#include "bind/codec_path.h"
#include "bind/codec_seen.h"

/* Lua stack that one step needs: object, key, value, copy of the key, and scratch. */
#define MPL_CODEC_STEP_SLOTS 12

enum result {
  WRITTEN, /* the value is in the message and still on the stack */
  OPENED,  /* a frame was opened for it */
  FAILED   /* see encoder.failure */
};

/* What a table does when what is being written is complete. */
enum step {
  NEXT, /* goes to the next entry */
  VALUE /* writes the value: the key was what had parts */
};

struct frame {
  enum { TABLE, FUNCTION, DEFINITIONS } kind;
  int base;    /* stack index of the object */
  int upvalue; /* FUNCTION: the one being written. The rest is of a TABLE. */
  enum step step;
  bool has_count;
  bool is_list;          /* the entries so far were elements */
  lua_Unsigned limit;    /* border, as `#` gives it */
  lua_Unsigned elements; /* of the list, holes included */
  size_t pairs;
  size_t head; /* place in the buffer of count and hint, which are filled in at the end */
};

/* How much there was of everything when something was begun that may be taken back. */
struct encoder_mark {
  size_t bytes, cut, size, npieces, nrefs;
  bool parcels;
  size_t objects, codes, handles, globals;
};

struct encoder {
  lua_State *L;
  struct mpl_codec_out *out;
  size_t inplace;
  bool is_text; /* has no descriptors */
  struct mpl_codec_names *names;
  int names_index;
  bool fresh; /* the names have just been rebuilt */
  enum mpl_codec_failure failure;
  const char *reason; /* of FAILURE_DESCRIPTOR */
  size_t depth;
  size_t room;
  struct frame *frames;
  struct mpl_codec_seen objects; /* address of table, function or upvalue -> place of its tag */
  struct mpl_codec_seen codes;   /* hash and size of bytecode -> its place in the message */
  struct mpl_codec_seen handles; /* id of a shared object, in the order of out->refs */
  struct mpl_codec_seen globals; /* hash of a name in the code -> its place in the buffer */
  size_t pass, pass_end;         /* the globals that are being looked for, see codec_function.c */
  bool is_found;                 /* among what the foreign environment has found */
  int env_index; /* stack slot of that, or nil; the table of what it has found, or nil, follows */
  size_t asked;                  /* so many globals, the first ones, it was asked for */
  struct encoder_mark mark;      /* where the global begins that is being written */
  struct frame initial_frames[12];
};

static inline enum result encoder_fail(struct encoder *e, enum mpl_codec_failure failure) {
  e->failure = failure;
  return FAILED;
}

static inline enum result encoder_written(struct encoder *e, bool done) {
  return done ? WRITTEN : encoder_fail(e, FAILURE_MEMORY);
}

/* Whether an encoding that has failed is to be begun again. */
static inline bool encoder_begins_again(const struct encoder *e) {
  return e->failure == FAILURE_NAMES || e->failure == FAILURE_ENVIRONMENT;
}

/* Objects: tables, functions, upvalues */

/* Writes `tag` and the number of an object that was mentioned before, and marks the first mention.
   Returns false, and writes nothing, if this is the first. */
static inline bool encoder_again(struct encoder *e, unsigned tag, const void *object,
                                 enum result *result) {
  struct mpl_codec_seen_entry *entry = mpl_codec_seen_find(&e->objects, (uintptr_t)object);
  if (entry == NULL) return false;
  e->out->bytes.data[entry->place] |= TAG_SHARED;
  size_t number = (size_t)(entry - e->objects.entries) + 1;
  bool done = mpl_codec_out_tag(e->out, tag) && mpl_codec_out_count(e->out, number);
  *result = encoder_written(e, done);
  return true;
}

/* Writes the tag of a first mention. */
static inline bool encoder_first(struct encoder *e, unsigned tag, const void *object) {
  size_t place = e->out->bytes.size;
  return mpl_codec_out_tag(e->out, tag) &&
         mpl_codec_seen_add(&e->objects, (uintptr_t)object, place);
}

/* codec_encode.c */
enum result mpl_codec_encoder_value(struct encoder *e);
enum result mpl_codec_encoder_name_only(struct encoder *e);
bool mpl_codec_encoder_module(struct encoder *e, const void *object, enum result *result);
struct frame *mpl_codec_encoder_frame(struct encoder *e);

/* codec_function.c */
enum result mpl_codec_function_open(struct encoder *e);
enum result mpl_codec_function_upvalues(struct encoder *e, struct frame *f);
enum result mpl_codec_function_definitions(struct encoder *e, struct frame *f);
enum result mpl_codec_function_begin_definitions(struct encoder *e);
bool mpl_codec_function_leave_out(struct encoder *e);

/* codec_environment.c */
bool mpl_codec_environment_is(struct encoder *e, const char *name);
bool mpl_codec_environment_lacks(lua_State *L);
bool mpl_codec_environment_is_due(const struct encoder *e);
bool mpl_codec_environment_note(const struct encoder *e, struct mpl_buf *names);
void mpl_codec_environment_ask(lua_State *L, int env, struct mpl_buf *names);

#endif
