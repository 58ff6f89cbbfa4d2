-- The `process` module: Python's multiprocessing for Lua.
--
-- What is written in C (process.core) and in Lua (process.class, process.exit) under the names that
-- scripts use. The manual is doc/manual.md.

local arguments = require "process.arguments"
local core = require "process.core"
local class = require "process.class"
local errors = require "process.errors"
local exit = require "process.exit"
local list = require "process.list_methods"
local manager = require "process.manager"
local dict = require "process.dict"
local namespace = require "process.namespace"
local nested = require "process.nested"
local set = require "process.set"
local pool = require "process.pool"
local wait = require "process.wait"

-- fork(): the raw call: 0 in the child, the pid in the parent; nil, message, errno. The child is a
-- member of the program with its parent's name; nobody waits for it but posix.sys.wait.
local function fork()
  local pid, message, errno = core.fork()
  if pid == 0 then
    class.reseed()
  end
  return pid, message, errno
end

-- Pool([n | options]): see lua/process/pool.lua.
local function new_pool(options, ...)
  arguments.check_dot(options, "Pool")
  if select("#", ...) > 0 then -- Pool(n, initializer, initargs), as Python has it
    error("Pool takes a number or a table: Pool{ processes =, initializer =, initargs =, " ..
      "maxtasksperchild = }", 2)
  end
  return pool.new(options)
end

local process = setmetatable({
  Process = class.Process,
  current_process = class.current_process,
  parent_process = class.parent_process,
  active_children = class.active_children,

  Lock = core.Lock,
  RLock = core.RLock,
  Semaphore = core.Semaphore,
  BoundedSemaphore = core.BoundedSemaphore,
  Condition = core.Condition,
  Barrier = core.Barrier,
  Event = core.Event,
  Queue = core.Queue,
  JoinableQueue = core.JoinableQueue,
  SimpleQueue = core.SimpleQueue,
  Pipe = core.Pipe,
  Pool = new_pool,
  fd = core.fd,
  RemoteError = errors.RemoteError,

  Value = core.Value,
  Array = core.Array,
  RawValue = core.RawValue,
  RawArray = core.RawArray,
  list = list.list,

  dict = dict,
  set = set,
  Namespace = namespace.Namespace,
  share = nested.share,

  atexit = exit.atexit,
  cpu_count = core.cpu_count,
  dumps = core.dumps,
  fork = fork,
  getpid = core.getpid,
  getppid = core.getppid,
  loads = core.loads,
  now = core.now,
  register = core.register,
  sleep = core.sleep,
  stats = core.stats,
  wait = wait,
}, arguments.MODULE)

process.Manager = manager(process)

-- Where Lua looks for the names of functions, in the tables of modules, what scripts use is there
-- once, as process.x: process.core has it by its metatable.
local public = {}
for name, value in pairs(process) do
  if rawequal(core[name], value) then
    public[name] = value
  end
end
setmetatable(core, { __index = public })
for name in pairs(public) do
  core[name] = nil
end

return process
