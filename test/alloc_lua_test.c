/*
** Out of memory in bind, in Lua itself and in lua/process. Each operation of
** alloc_lib/operations.lua is swept: its n-th allocation fails, alone or with all that follow it,
** of shared memory, of private memory, of Lua's or of any kind. It must then raise an error that
** says so, with nothing changed, lost or left behind, and succeed when it is tried again.
*/
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>

#include "alloc.h"
#include "bind/module.h"
#include "world.h"

#define OPERATIONS "test/alloc_lib/operations.lua"
#define MOST 200 /* operations */

struct lua_op {
  char name[64];
  bool in_child, keeps_shared, grows, loose; /* see there */
};

static struct lua_op ops[MOST];
static int nops;
static const struct lua_op *current;
static pid_t tester; /* the process that runs the current case */

/*
** States
*/

static size_t lua_bytes;

/* A lua_Alloc. To make a block smaller does not fail. */
static void *lua_memory(void *unused, void *old, size_t old_size, size_t size) {
  (void)unused;
  if (old == NULL) old_size = 0;
  if (size == 0) {
    __real_free(old);
    lua_bytes -= old_size;
    return NULL;
  }
  if (size > old_size && alloc_fails(ALLOC_LUA)) return NULL;
  /* malloc and not realloc: every move shows who kept an old address. */
  void *place = __real_malloc(size);
  if (place == NULL) return NULL;
  if (old != NULL) memcpy(place, old, old_size < size ? old_size : size);
  __real_free(old);
  lua_bytes += size - old_size;
  return place;
}

static int count_children(lua_State *L) {
  int n = 0;
  for (struct mpl_child *c = mpl_child_first(); c != NULL; c = c->next) n++;
  lua_pushinteger(L, n);
  return 1;
}

static void expect_ok(lua_State *L, int status) {
  if (status == LUA_OK) return;
  fprintf(stderr, "%s: %s\n", current != NULL ? current->name : OPERATIONS, lua_tostring(L, -1));
  _exit(1);
}

/* The operations, compiled once. */
static char code[256 << 10];
static size_t code_size;

/* A lua_Writer. */
static int append_code(lua_State *L, const void *bytes, size_t n, void *unused) {
  (void)L, (void)unused;
  CHECK(n <= sizeof code - code_size);
  memcpy(code + code_size, bytes, n);
  code_size += n;
  return 0;
}

static void compile_operations(void) {
  lua_State *L = luaL_newstate();
  CHECK(L != NULL);
  expect_ok(L, luaL_loadfile(L, OPERATIONS));
  CHECK(lua_dump(L, append_code, NULL, 0) == 0);
  lua_close(L);
}

/* A state with the operations at 1 and what sets a scene at 2. */
static lua_State *new_state(void) {
  lua_State *L = lua_newstate(lua_memory, NULL);
  CHECK(L != NULL);
  luaL_openlibs(L);
  mpl_module_preload(L);
  expect_ok(L, luaL_loadbuffer(L, code, code_size, OPERATIONS));
  lua_pushcfunction(L, count_children);
  expect_ok(L, lua_pcall(L, 1, 2, 0));
  return L;
}

static void read_operations(void) {
  lua_State *L = new_state();
  nops = (int)lua_rawlen(L, 1);
  CHECK(nops <= MOST);
  for (int i = 0; i < nops; i++) {
    lua_rawgeti(L, 1, i + 1);
    lua_getfield(L, 3, "name");
    snprintf(ops[i].name, sizeof ops[i].name, "%s", lua_tostring(L, -1));
    ops[i].in_child = lua_getfield(L, 3, "in_child") != LUA_TNIL;
    ops[i].keeps_shared = lua_getfield(L, 3, "keeps_shared") != LUA_TNIL;
    ops[i].grows = lua_getfield(L, 3, "grows") != LUA_TNIL;
    ops[i].loose = lua_getfield(L, 3, "loose") != LUA_TNIL;
    lua_settop(L, 2);
  }
  lua_close(L);
}

/*
** One try
*/

/* Leaves the operation at 1 and what verifies, or nil, at 2. */
static void set_scene(lua_State *L) {
  lua_pushinteger(L, current - ops + 1);
  expect_ok(L, lua_pcall(L, 1, 2, 0));
  lua_remove(L, 1);
}

static void collect(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  lua_gc(L, LUA_GCCOLLECT);
  mpl_child_reap();
  mpl_reflist_sweep();
}

/* Runs the operation; an error stays on the stack. No child may come out of it. */
static int operate(lua_State *L) {
  lua_pushvalue(L, 1);
  int status = lua_pcall(L, 0, 0, 0);
  if (getpid() != tester) _exit(99);
  return status;
}

/* Lets the operation verify; the error is on top if it failed. */
static void verify(lua_State *L, bool failed) {
  if (!failed) lua_pushnil(L);
  if (lua_isnil(L, 2)) return;
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  expect_ok(L, lua_pcall(L, 1, 0, 0));
}

static void expect_memory_error(lua_State *L) {
  const char *text = lua_tostring(L, -1);
  if (text != NULL && strstr(text, "memory") != NULL) return;
  fprintf(stderr, "%s: not an error for want of memory: %s\n", current->name,
          text != NULL ? text : "(no text)");
  _exit(1);
}

/* Runs the operation with allocations that fail; if it does, again without. True if any did. */
static bool operate_twice(lua_State *L, struct alloc_fault fault) {
  struct world_sum scene = world_sum();
  lua_gc(L, LUA_GCSTOP); /* a collection in an emergency runs all the same, but no finalizers */
  alloc_prepare(fault);
  alloc_armed = !current->in_child;
  int status = operate(L);
  bool failed = alloc_disarm();
  lua_gc(L, LUA_GCRESTART);
  if (status == LUA_OK) return failed;
  CHECK(failed);
  expect_memory_error(L);
  collect(L);
  WORLD_WHOLE();
  verify(L, true);
  lua_settop(L, 2);
  collect(L);
  if (current->grows) scene.used = world_sum().used;
  if (!current->loose) WORLD_SAME(scene);
  expect_ok(L, operate(L));
  return true;
}

static bool attempt(const void *op, struct alloc_fault fault) {
  (void)op;
  struct world_sum before = world_sum();
  long blocks = alloc_blocks;
  lua_State *L = new_state();
  set_scene(L);
  collect(L);
  bool failed = operate_twice(L, fault);
  verify(L, false);
  WORLD_WHOLE();
  lua_close(L);
  mpl_child_reap();
  mpl_reflist_sweep();
  WORLD_WHOLE();
  WORLD_SAME(before);
  CHECK(lua_bytes == 0 && alloc_blocks == blocks);
  CHECK(mpl_load64_rlx(&mpl_self->hand_count) == 0 && mpl_child_first() == NULL);
  return failed;
}

/* Without failures: the tables get the sizes that they keep. */
static void warm_up(void) {
  uint64_t keeper;
  CHECK(mpl_lock_new(&keeper) == MPL_OK);
  struct mpl_child *spare = mpl_child_new();
  CHECK(spare != NULL);
  mpl_child_keep(spare);
  lua_State *L = new_state();
  set_scene(L);
  expect_ok(L, operate(L));
  verify(L, false);
  lua_close(L);
  mpl_child_reap();
  mpl_reflist_sweep();
}

static void sweep(void) {
  tester = getpid();
  world_make();
  warm_up();
  unsigned kinds = current->keeps_shared ? ALLOC_PRIVATE | ALLOC_LUA : ALLOC_ANY;
  alloc_sweep(current->name, kinds, attempt, current);
}

/* After a fork. What a child says of its failure is not of interest. */
static void in_child(void) {
  alloc_armed = tester != 0 && current->in_child;
  if (!alloc_armed) return;
  int null = open("/dev/null", O_WRONLY);
  CHECK(null >= 0 && dup2(null, STDERR_FILENO) >= 0);
  close(null);
}

int main(int argc, char **argv) {
  (void)argc;
  alloc_begin(in_child);
  compile_operations();
  read_operations();
  for (current = ops; current < ops + nops; current++) alloc_run(current->name, sweep);
  return alloc_end(argv[0]);
}
