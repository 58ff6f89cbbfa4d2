/*
** Out of memory above the layers below Lua: in bind, in Lua itself and in lua/process. Each operation
** is swept: its n-th allocation fails, alone or with all that follow it, of shared memory, of private
** memory, of Lua's or of any kind. It must then raise an error that says so, with nothing changed,
** nothing lost and nothing left behind, and succeed when it is tried again.
**
** An operation is a piece of Lua. It returns a function, which is tried, and one that verifies: it is
** called after a failure with the error's text, and after success with nothing. To add one: a line in
** a table.
*/
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>

#include "alloc.h"
#include "bind/module.h"
#include "world.h"

struct lua_op {
  const char *name;
  const char *source;
  bool in_child;  /* it is the child forked by it whose allocations fail */
  bool private_only; /* loses an item if shared memory ends as well: see mpl_queue_give_back */
  bool grows; /* a failure may leave used bytes changed: an item is given back as a message */
  bool loose; /* and how much it has done: sums are compared in the end only */
};

/* Lua's memory. */
static size_t lua_bytes;

static void *lua_memory(void *unused, void *old, size_t old_size, size_t size) {
  (void)unused;
  if (old == NULL) old_size = 0;
  if (size == 0) {
    __real_free(old);
    lua_bytes -= old_size;
    return NULL;
  }
  /* To make a block smaller must not fail. */
  if (size > old_size && alloc_fails(ALLOC_LUA)) return NULL;
  /* malloc and not realloc: every move shows who kept an old address. */
  void *place = __real_malloc(size);
  if (place == NULL) return NULL;
  if (old != NULL) memcpy(place, old, old_size < size ? old_size : size);
  __real_free(old);
  lua_bytes += size - old_size;
  return place;
}

/* Children that this process knows of. */
static int count_children(lua_State *L) {
  int n = 0;
  for (struct mpl_child *c = mpl_child_first(); c != NULL; c = c->next) n++;
  lua_pushinteger(L, n);
  return 1;
}

static pid_t tester;
static const struct lua_op *current;

/* After a fork: whose allocations fail now? What the child then says of it is not of interest. */
static void in_child(void) {
  alloc_armed = tester != 0 && current->in_child;
  if (!alloc_armed) return;
  int null = open("/dev/null", O_WRONLY);
  CHECK(null >= 0 && dup2(null, STDERR_FILENO) >= 0);
  close(null);
}

/* What all operations have at hand. */
static const char prelude[] =
    "package.path = 'lua/?.lua;lua/?/init.lua'\n"
    "local core = require 'process.core'\n"
    "local Lock, Event, Queue = core.Lock, core.Event, core.Queue\n"
    /* Whether two values are of one shape; functions by what they return. */
    "local function same(a, b)\n"
    "  if type(a) ~= type(b) then return false end\n"
    "  if type(a) == 'function' then return rawequal(a, b) or a() == b() end\n"
    "  if type(a) == 'userdata' then return getmetatable(a) == getmetatable(b) end\n"
    "  if type(a) ~= 'table' or rawequal(a, b) then return rawequal(a, b) end\n"
    "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
    "  return #a == #b and getmetatable(a) == getmetatable(b)\n"
    "end\n"
    "local Class = { __name = 'Class' }\n"
    "core.register('Class', Class)\n"
    "local function closure(k) local n = k return function() return n, core, same end end\n"
    "local function locks(n) local t = {} for i = 1, n do t[i] = Lock() end return t end\n"
    /* A child that runs f(...) and returns its exit code. */
    "local function child(f, ...)\n"
    "  local c = core.child()\n"
    "  assert(core.start(c, f, function() end, 'child', false, ...))\n"
    "  c:join()\n"
    "  return c:exitcode()\n"
    "end\n";

static lua_State *new_state(void) {
  lua_State *L = lua_newstate(lua_memory, NULL);
  CHECK(L != NULL);
  luaL_openlibs(L);
  mpl_module_preload(L);
  lua_register(L, "count_children", count_children);
  return L;
}

/* Runs the operation's source: its two functions at 1 and 2. */
static void set_scene(lua_State *L, const struct lua_op *op) {
  lua_pushfstring(L, "%s%s", strstr(op->source, "--cold") != NULL ? "" : prelude, op->source);
  bool good = luaL_loadbuffer(L, lua_tostring(L, 1), lua_rawlen(L, 1), op->name) == LUA_OK &&
              lua_pcall(L, 0, 2, 0) == LUA_OK;
  if (!good) fprintf(stderr, "%s: %s\n", op->name, lua_tostring(L, -1));
  CHECK(good);
  lua_remove(L, 1);
}

static void collect(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  lua_gc(L, LUA_GCCOLLECT);
  mpl_child_reap();
  mpl_reflist_sweep();
}

/* Calls the operation; the error stays on the stack. A child must not come here. */
static int operate(lua_State *L) {
  lua_pushvalue(L, 1);
  int status = lua_pcall(L, 0, 0, 0);
  if (getpid() != tester) _exit(99);
  return status;
}

/* Calls what verifies, with the error on top, if there is one. */
static void verify(lua_State *L, bool failed) {
  if (!failed) lua_pushnil(L);
  if (lua_isnil(L, 2)) return;
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  bool good = lua_pcall(L, 1, 0, 0) == LUA_OK;
  if (!good) fprintf(stderr, "%s: %s\n", current->name, lua_tostring(L, -1));
  CHECK(good);
}

static bool attempt(const void *arg, struct alloc_fault fault) {
  const struct lua_op *op = arg;
  struct world_sum before = world_sum();
  long blocks = alloc_blocks;
  lua_State *L = new_state();
  set_scene(L, op);
  collect(L);
  lua_gc(L, LUA_GCSTOP); /* that of an emergency runs all the same, but no finalizers */
  struct world_sum scene = world_sum();
  if (op->in_child) alloc_prepare(fault);
  else alloc_arm(fault);
  int status = operate(L);
  bool failed = alloc_disarm();
  lua_gc(L, LUA_GCRESTART);
  if (status != LUA_OK) {
    const char *text = lua_tostring(L, -1);
    if (!failed || text == NULL || strstr(text, "memory") == NULL) {
      fprintf(stderr, "%s: %s\n", op->name, text != NULL ? text : "(no text)");
      FAIL("not the error of memory that has ended");
    }
    collect(L);
    WORLD_WHOLE();
    verify(L, true);
    lua_settop(L, 2);
    collect(L);
    if (op->grows) scene.used = world_sum().used;
    if (!op->loose) WORLD_SAME(scene);
    status = operate(L);
    if (status != LUA_OK) fprintf(stderr, "%s, again: %s\n", op->name, lua_tostring(L, -1));
    CHECK(status == LUA_OK);
  }
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

#define Q "local q = Queue() "
#define ALL_VALUES                                                                              \
  "1, 2.5, true, 'short', ('x'):rep(100), ('x'):rep(9000), {}, { 1, { 2 }, a = 'b', 'text' }, "   \
  "setmetatable({ x = 1 }, Class), { string.format, string }, closure(5), { Lock(), { Queue() } }, " \
  "Queue(), { Event(), ('y'):rep(3000) }"

/* Puts and gets one value. */
#define PUT(what, value)                                                                          \
  {.name = "put " what,                                                                           \
   .source = Q "local v = " value                                                                 \
               " return function() assert(q:put(v)) end, function(e) "                            \
               "if e then assert(q:empty()) else assert(same(q:get(0), v) and q:empty()) end end"}
#define GET(what, value)                                                                          \
  {.name = "get " what, .private_only = true, .grows = true,                                                     \
   .source = Q "local got assert(q:put(" value                                                    \
               ")) return function() got = q:get() end, function(e) "                             \
               "if e then assert(q:qsize() == 1) else "                                           \
               "assert(same(got, " value ") and q:empty()) end end"}
/* The same for a value that travels as a message, which needs no shared memory to be given back. */
#define GET_MESSAGE(what, value)                                                                  \
  {.name = "get " what,                                                                           \
   .source = Q "local got assert(q:put(" value                                                    \
               ")) return function() got = q:get() end, function(e) "                             \
               "if e then assert(q:qsize() == 1) else "                                           \
               "assert(same(got, " value ") and q:empty()) end end"}
#define BOTH(what, value) PUT(what, value), GET(what, value)
#define BOTH_MESSAGE(what, value) PUT(what, value), GET_MESSAGE(what, value)

static const struct lua_op in_bind[] = {
    {.name = "open", .source = "--cold\n"
     "return function() local c = require 'process.core' assert(c.Lock():acquire()) end"},
    {.name = "Lock", .source =
     "local l return function() l = Lock() end, function(e) assert(e and not l or l:acquire(0)) end"},
    {.name = "Event", .source =
     "local x return function() x = Event() end, function(e) assert(e and not x or not x:is_set()) end"},
    {.name = "Queue", .source =
     "local q return function() q = Queue(3) end, function(e) assert(e and not q or q:put(1)) end"},
    BOTH("a short string", "('x'):rep(9)"),
    BOTH("a string", "('x'):rep(100)"),
    BOTH_MESSAGE("a long string", "('x'):rep(9000)"),
    BOTH("an empty table", "{}"),
    BOTH("a table", "{ 1, { 2 }, a = 'b', 'text' }"),
    BOTH("an object", "setmetatable({ x = 1 }, Class)"),
    BOTH("functions with names", "{ string.format, string }"),
    BOTH("a closure", "closure(5)"),
    BOTH_MESSAGE("a Queue", "Queue()"),
    BOTH_MESSAGE("shared objects", "{ Lock(), { Queue(), 'text' } }"),
    BOTH_MESSAGE("many shared objects", "locks(40)"),
    BOTH_MESSAGE("a large object with a reference", "{ Event(), ('y'):rep(3000) }"),
    BOTH("a deep table", "load [[local v = {} for i = 1, 40 do v = { v } end return v]]()"),
    PUT("a number", "1"),
    {.name = "put to a queue that is full", .source = "local q = Queue(1) q:put(1) "
     "return function() local ok, why = q:put({ Lock() }, false) assert(not ok and why == 'full') end, "
     "function() assert(q:qsize() == 1) end"},
    {.name = "put_many", .loose = true, .source = Q "local t = { " ALL_VALUES " } local first = 0 "
     "return function() assert(q:put_many(t)) end, function(e) "
     "local n = e and tonumber(e:match 'first (%d+) of 14 items' or q:qsize()) or #t "
     "assert(q:qsize() == n) for i = 1, n do assert(same(q:get(0), t[i])) end end"},
    {.name = "get_many", .private_only = true, .grows = true, .source = Q "assert(q:put_many{ " ALL_VALUES " }) "
     "local got return function() got = q:get_many(20) end, function(e) "
     "assert(#(got or {}) + q:qsize() == 14 and (e ~= nil) == (got == nil)) "
     "if got then assert(got.n == #got) "
     "for _, v in ipairs(q:get_many(20, 0) or {}) do got[#got + 1] = v end "
     "assert(same({ table.unpack(got) }, { " ALL_VALUES " })) end end"},
    {.name = "get_many of shared objects", .source = Q
     "for i = 1, 12 do assert(q:put(locks(5))) end collectgarbage() collectgarbage() "
     "local got return function() got = q:get_many(20) end, function(e) "
     "assert(#(got or {}) + q:qsize() == 12 and (e ~= nil) == (got == nil)) "
     "for _, v in ipairs(got or {}) do assert(same(v, locks(5))) end end"},
    {.name = "items", .private_only = true, .grows = true, .source = Q "q:put{} q:shutdown() local n = 0 "
     "return function() for v in q:items() do n = n + 1 end end, function(e) "
     "assert(n + q:qsize() == 1 and (e or n == 1)) end"},
    {.name = "dumps", .source = "local v, s = { " ALL_VALUES " } "
     "return function() s = core.dumps(v) end, "
     "function(e) assert(e and not s or same(core.loads(s), v)) end"},
    {.name = "loads", .source = "local v, r = { " ALL_VALUES " } local s = core.dumps(v) "
     "return function() r = core.loads(s) end, function(e) assert(e and not r or same(r, v)) end"},
    {.name = "dumps, at first", .source = "--cold\nlocal core = require 'process.core' local s "
     "return function() s = core.dumps{ string } end, function(e) "
     "local m = { 1 } package.loaded[e and 'early' or 'late'] = m "
     "assert(core.loads(core.dumps{ m })[1] == m) end"},
    {.name = "register again", .source = "local old, new = {}, {} "
     "for i = 1, 7 do old[i], new[i] = {}, {} core.register('C' .. i, old[i]) end "
     "local function sent(mt) local ok, v = pcall(core.dumps, setmetatable({}, mt)) "
     "return ok and getmetatable(core.loads(v)) == mt end local done = 0 "
     "return function() for i = 1, 7 do core.register('C' .. i, new[i]) done = i end end, "
     "function() for i = 1, 7 do "
     "assert(sent(old[i]) == (i > done) and sent(new[i]) == (i <= done)) end end"},
    {.name = "register the first", .source = "local New = {} "
     "local function sent(mt) local ok, v = pcall(core.dumps, setmetatable({}, mt)) "
     "return ok and getmetatable(core.loads(v)) == mt end "
     "return function() core.register('New', New) end, "
     "function(e) assert(sent(Class) and sent(New) == (e == nil)) end"},
    {.name = "acquire", .source = "local l, ok = Lock() "
     "return function() ok = l:acquire() end, function(e) assert(l:locked() == (e == nil)) end"},
    {.name = "acquire an abandoned lock", .source = "local l = Lock() child(function() l:acquire() end) "
     "local ok, why assert(l:abandoned()) "
     "return function() ok, why = l:acquire() end, function(e) assert(l:abandoned()) "
     "if e then assert(l:acquire(0)) l:release() child(function() l:acquire() end) "
     "else assert(ok and why == 'abandoned') end end"},
    {.name = "acquire a lock that is held", .source = "local l = Lock() l:acquire() "
     "return function() local ok, why = l:acquire(false) assert(ok == false and why == 'timeout') end, "
     "function(e) assert(l:locked()) end"},
    {.name = "hold", .source = "local l = Lock() "
     "return function() local held <close> = l:hold() assert(l:locked()) end, "
     "function(e) assert(not l:locked()) end"},
    {.name = "with", .source = "local l = Lock() local r "
     "return function() r = table.pack(l:with(function(...) return ..., {} end, 1, 2)) end, "
     "function(e) assert(not l:locked() and (e or r[1] == 1)) end"},
    {.name = "tostring", .source = "local l, q, x = Lock(), Queue(), Event() l:acquire() "
     "return function() return tostring(l) .. tostring(q) .. tostring(x) end"},
    {.name = "wait for an event", .source = "local x = Event() "
     "return function() x:clear() assert(select(2, x:wait(0)) == 'timeout') x:set() x:wait() end"},
    {.name = "start", .source = Q "local c "
     "return function() c = core.child() "
     "local ok, why = core.start(c, function(a, b) q:put(a + #b) end, function() end, 'name', false, "
     "1, { 2 }) if not ok then error(why) end end, function(e) "
     "if e then assert(count_children() == 0 and q:empty()) else "
     "assert(c:join() and c:exitcode() == 0 and q:get() == 2 and count_children() == 0) end end"},
    {.name = "join", .loose = true, .source = "local c = core.child() "
     "assert(core.start(c, function() return 3 end, function() end, 'name', false)) "
     "return function() assert(c:join()) assert(c:exitcode() == 3 and c:sentinel() and c:pid()) end"},
    {.name = "fork", .source = "local me = core.getpid() "
     "return function() local pid, why = core.fork() if pid == 0 then core.exit_child(0) end "
     "if not pid then error(why) end "
     "while count_children() > 0 do core.reap() end end, function() assert(core.getpid() == me) end"},
    {.name = "at_exit", .source = "local n = 0 "
     "return function() core.at_exit(function() n = n + 1 end) end"},
    {.name = "questions", .source =
     "return function() assert(core.stats().arena.used > 0 and #core.random(8) == 8 and "
     "core.name() == 'MainProcess' and core.member(core.identity()) == 'MainProcess' and "
     "#core.parameters(function(a, b) return a, b end) == 2) core.rename 'MainProcess' end"},
    {.name = "coroutines", .loose = true, .source = Q "local c "
     "return function() c = coroutine.wrap(function(...) for i = 1, 2 do q:put{ ... } "
     "coroutine.yield{} end end) c(1) c() local co = coroutine.create(function() q:get() q:get() end) "
     "assert(coroutine.resume(co)) end, "
     "function(e) while q:get(0) do end end"},
};

/* The child's part of a start: its allocations fail, and it must end as a child that has failed. */
#define CHILD(body)                                                                               \
  Q "local l, me, c = Lock(), core.getpid() return function() c = core.child() "                  \
  "assert(core.start(c, function(a) " body " end, function() collectgarbage() end, 'name', false, 7)) " \
  "c:join() end, function() "                                                                     \
  "local code = c:exitcode() assert(code == 0 or code == 1, code) "                               \
  "assert(q:qsize() <= 1 and l:acquire(0)) l:release() end"

static const struct lua_op in_children[] = {
    {.name = "a child", .in_child = true, .source = CHILD("return 0")},
    {.name = "a child that holds a lock", .in_child = true, .source =
     CHILD("l:with(function() q:put{ a, Lock() } end)")},
    {.name = "a child with an error", .in_child = true, .source = CHILD("error('no memory')")},
};

/* The library in lua/process. */
#define LIB "local process = require 'process' local lock, out = process.Lock(), process.Queue() "

static const struct lua_op in_lua[] = {
    {.name = "require", .source = "--cold\npackage.path = 'lua/?.lua;lua/?/init.lua'\n"
     "return function() require 'process' end, function(e) "
     "if not e then local process = require 'process' "
     "assert(coroutine.wrap(function() return process.Queue():put(1) end)()) end end"},
    {.name = "Process", .source = LIB "local p "
     "return function() p = process.Process{ target = print, args = { 1, n = 1 }, name = 'p' } end, "
     "function(e) assert(e and not p or p.name == 'p') assert(count_children() == 0) end"},
    {.name = "Process with a function", .source = LIB "local p "
     "return function() p = process.Process(print, 1, 2, 3) end"},
    {.name = "extend", .source = LIB "local C "
     "return function() C = process.Process:extend 'C' end, function(e) if not e then "
     "out:put(C()) assert(tostring(out:get()):find '<C') end end"},
    {.name = "p:start", .source = LIB
     "local p = process.Process{ target = function(a) lock:with(function() out:put{ a } end) end, "
     "args = { 5 }, kwargs = {} } "
     "return function() p:start() end, function(e) "
     "if e then assert(count_children() == 0 and not p:is_alive() and not p.pid) "
     "assert(#process.active_children() == 0) "
     "assert(tostring(p):find 'initial') else "
     "assert(p:join() and p.exitcode == 0 and out:get(0)[1] == 5) "
     "assert(#process.active_children() == 0) end end"},
    {.name = "p:start among others", .loose = true, .source = LIB
     "local go, ps = process.Event(), {} "
     "for i = 1, 3 do ps[i] = process.Process(function() if i % 2 == 0 then go:wait() end end):start() end "
     "local p = process.Process(go.wait, go) "
     "return function() p:start() end, function(e) "
     "if e then assert(count_children() >= 1 and not p:is_alive()) end "
     "local n = 0 for _, q in ipairs(process.active_children()) do if q ~= p then n = n + 1 end end "
     "assert(ps[2]:is_alive() and n >= 1) "
     "if not e then go:set() p:join() for i = 1, 3 do ps[i]:join() end "
     "assert(#process.active_children() == 0) end end"},
    {.name = "p:join", .loose = true, .source = LIB
     "local p = process.Process(function() end):start() "
     "return function() p:join() assert(p.exitcode == 0 and p.sentinel and not p:is_alive()) end"},
    {.name = "p:close", .source = LIB
     "local p = process.Process(function() end):start() p:join() "
     "return function() p:close() end, function(e) if not e then assert(tostring(p):find 'closed') end end"},
    {.name = "atexit", .source = LIB "local n = 0 "
     "return function() process.atexit(function() n = n + 1 end) end, function(e) "
     "if e then require 'process.exit'.finish() assert(n == 0) end end"},
    {.name = "who is who", .source = LIB
     "return function() assert(process.current_process().name == 'MainProcess' and "
     "#process.active_children() == 0 and not process.parent_process()) "
     "return tostring(process.current_process()) end"},
};

static void sweep(void) {
  tester = getpid();
  world_make();
  uint64_t keeper;
  CHECK(mpl_lock_new(&keeper) == MPL_OK);
  /* Once without a failure: the tables get their sizes. */
  struct mpl_child *none = mpl_child_new();
  CHECK(none != NULL);
  mpl_child_keep(none);
  for (int i = 0; i < 2; i++) {
    lua_State *L = new_state();
    set_scene(L, current);
    CHECK(operate(L) == LUA_OK);
    verify(L, false);
    lua_close(L);
    mpl_child_reap();
    mpl_reflist_sweep();
  }
  unsigned long sum = alloc_sweep(current->name, current->private_only ? ALLOC_PRIVATE | ALLOC_LUA : ALLOC_ANY, attempt, current); if (getenv("V")) printf("%s %lu\n", current->name, sum);
}

static void run(const struct lua_op *ops, size_t n) {
  for (size_t i = 0; i < n; i++) {
    current = &ops[i];
    alloc_run(current->name, sweep);
  }
}

int main(int argc, char **argv) {
  (void)argc;
  alloc_begin(in_child);
  run(in_bind, sizeof in_bind / sizeof *in_bind);
  run(in_children, sizeof in_children / sizeof *in_children);
  run(in_lua, sizeof in_lua / sizeof *in_lua);
  return alloc_end(argv[0]);
}
