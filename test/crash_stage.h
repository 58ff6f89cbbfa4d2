/*
** The stage of a crash sweep and those who take part in a trial: see crash.h.
*/
#ifndef MPL_TEST_CRASH_STAGE_H
#define MPL_TEST_CRASH_STAGE_H

#include <fcntl.h>
#include <sys/resource.h>

#include "crash_state.h"
#include "ds/barrier.h"
#include "ds/condition.h"
#include "ds/dict_inside.h"
#include "ds/list.h"
#include "ds/pipe.h"
#include "ds/tasks.h"
#include "world.h"

#define CRASH_WORKERS 2
#define CRASH_TRACE 20000 /* points of a recovery, at most */
#define CRASH_ARENA ((size_t)16 << 20) /* an arena grows to less */
#define CRASH_SECONDS 20 /* a process of a trial that takes longer hangs */
#define CRASH_MUTANT_SECONDS 1
/* Per cent of the mutants that must be found. Those that are not change what recovery mends anyway:
   what was written into a block that is freed again, a link of what is in no list, or one word that
   is a section's only one. */
#define CRASH_SHARE 85
/* Points after its entry at which a mutant is looked for. A death at one of the first three shows
   it, as far as was ever seen, or none does. */
#define CRASH_REACH 8

/* Level 2 follows one in CRASH_FIRST first deaths, and of what could follow there one in
   CRASH_SECOND second deaths is tried; the seed chooses. A program that would take too long says
   how many. */
#if defined(__SANITIZE_ADDRESS__)
#define CRASH_FIRST 60
#define CRASH_SECOND 20
#define CRASH_PAIRS 40
#define CRASH_MUTANTS 0
#else
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 1
#endif
#define CRASH_FIRST CRASH_SAMPLED
#define CRASH_SECOND CRASH_SAMPLED
#define CRASH_PAIRS 400
#define CRASH_MUTANTS 1
#endif

struct crash_op {
  const char *name;
  void (*setup)(void);
  void (*prepare)(void);
  void (*operate)(void);
  void (*also)(void);
  void (*verify)(bool finished);
  bool grows;   /* leaves the tables larger: used bytes are not compared */
  bool cold;    /* the program has no object yet */
  bool alone;   /* not in pairs with other operations */
  bool sturdy;  /* makes no entry in the journal, or none that matters: without mutants */
};

/* All numbers of an operation, in memory that the workers share. */
struct crash_tally {
  mpl_a64 points;        /* of the operation */
  mpl_a64 again;         /* of the recoveries; a death at any of them leaves one of ... */
  mpl_a64 states;        /* ... so many states, after each of which there was a trial */
  mpl_a64 mutants, found;
};

/* What crash_main was given, and its own. */
static const struct crash_op *crash_ops;
static size_t crash_nops;
static void *crash_scene;
static size_t crash_scene_size;
static struct crash_tally *crash_tallies;
static struct mpl_mutant_place *crash_where; /* shared by a worker and its victims */
static mpl_a64 *crash_seen; /* states, shared by the workers */
static uint64_t *crash_trace; /* states at the points of a helper, shared by it and its worker */
static uint64_t crash_seed;
static unsigned crash_seconds = CRASH_SECONDS;

/* A well mixed number for each (seed, i): splitmix64. */
static inline uint64_t crash_random(uint64_t i) {
  uint64_t z = crash_seed + (i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/*
** The stage
*/

/* A copy of an arena, and of what the program keeps beside it. */
struct crash_copy {
  unsigned char *bytes;
  uint64_t size;
  void *beside;
};

/* What a scene has in the kernel, which a program that has such a thing keeps for the stage. */
struct crash_beside {
  void (*save)(void **copy); /* *copy is NULL at first */
  void (*restore)(const void *copy);
  uint64_t (*number)(void); /* that tells its states apart; changes nothing */
};

/* A process that is to be: its slot is reserved, with the references it inherits. */
struct crash_member {
  struct mpl_slot *slot;
  uint64_t ident;
};

struct crash_stage {
  const struct crash_op *op;
  struct crash_member victim, helper;
  struct world_sum before;
  struct crash_copy scene; /* before the victim */
  struct crash_copy after; /* and after its death */
  struct crash_states states;
};

static struct crash_beside crash_beside;

/* Memory that a fork does not copy; as large as an arena gets. */
static inline void crash_save(struct crash_copy *copy) {
  copy->size = mpl_load64_rlx(mpl_arena.populated);
  CHECK(copy->size <= CRASH_ARENA);
  if (copy->bytes == NULL) {
    copy->bytes = mmap(NULL, CRASH_ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                       0);
    CHECK(copy->bytes != MAP_FAILED && madvise(copy->bytes, CRASH_ARENA, MADV_DONTFORK) == 0);
  }
  memcpy(copy->bytes, mpl_arena.base, copy->size);
  if (crash_beside.save != NULL) crash_beside.save(&copy->beside);
}

static inline void crash_restore(const struct crash_copy *copy) {
  memcpy(mpl_arena.base, copy->bytes, copy->size);
  CHECK(ftruncate(mpl_arena.fd, (off_t)copy->size) == 0);
  if (crash_beside.restore != NULL) crash_beside.restore(copy->beside);
}

static inline void crash_reserve(struct crash_member *member) {
  CHECK(mpl_slot_reserve("test", &member->slot) == MPL_OK);
  CHECK(mpl_reflist_share(member->slot) == MPL_OK);
  mpl_store64_rlx(&member->slot->reserved_at, 1); /* the same in all trials */
  member->ident = mpl_slot_ident(member->slot);
}

/* An arena whose first object is there, unless the operation wants to make that. */
static inline void crash_world(struct crash_stage *stage, bool cold) {
  uint64_t keeper;
  world_make();
  world_adopt();
  if (!cold) CHECK(mpl_lock_new(&keeper) == MPL_OK);
  stage->before = world_sum();
}

static inline void crash_set(struct crash_stage *stage, const struct crash_op *op) {
  *stage = (struct crash_stage){.op = op};
  crash_world(stage, op->cold);
  if (op->setup != NULL) op->setup();
  crash_reserve(&stage->victim);
  crash_reserve(&stage->helper);
  crash_save(&stage->scene);
  crash_states_make(&stage->states, CRASH_ARENA);
}

/*
** Those who take part
*/

enum crash_end { CRASH_FINISHED, CRASH_DIED, CRASH_BROKEN };

/* What a victim or helper is to do. */
struct crash_part {
  const struct crash_member *member;
  void (*prepare)(void);
  void (*operate)(void);
  uint64_t recover;    /* in place of operate: identity to clean up after */
  bool touch;          /* having taken the locks of the dead before */
  struct crash_states *watched; /* the trace is written */
  unsigned long point; /* to die at; 0: none */
  bool stop;           /* there, instead of dying */
  bool paired;         /* stops once it is prepared, too */
  enum mpl_mutant mutant;
  unsigned long entry;
};

/* Ends with the process, and its children, should it hang. */
static inline void crash_limit(void) {
  struct rlimit limit = {crash_seconds, crash_seconds};
  CHECK(setrlimit(RLIMIT_CPU, &limit) == 0);
  alarm(crash_seconds);
}

#define CRASH_LOCKS (2 + MPL_DICT_SHARDS) /* of an object, at most */

static inline int crash_locks_of_dict(struct mpl_dict *d, struct mpl_robust **lock) {
  mpl_off split = mpl_load64_rlx(&d->split);
  int n = 0;
  lock[n++] = &d->first.lock;
  for (int i = 0; split != 0 && i < MPL_DICT_SHARDS; i++)
    lock[n++] = &mpl_dict_shards_at(split)[i].lock;
  lock[n++] = &d->overlay.lock;
  return n;
}

/* The locks of an object; returns how many. */
static inline int crash_locks_of(struct mpl_object *e, struct mpl_robust *lock[CRASH_LOCKS]) {
  void *body = mpl_object_body_of(e);
  switch (mpl_load64_rlx(&e->type)) {
    case MPL_TYPE_QUEUE:
    case MPL_TYPE_JOINABLE_QUEUE:
      lock[0] = &((struct mpl_queue *)body)->put_lock;
      lock[1] = &((struct mpl_queue *)body)->get_lock;
      return 2;
    case MPL_TYPE_PIPE:
      lock[0] = &((struct mpl_pipe *)body)->way[0].lock;
      lock[1] = &((struct mpl_pipe *)body)->way[1].lock;
      return 2;
    case MPL_TYPE_CONDITION: lock[0] = &((struct mpl_condition *)body)->guard; return 1;
    case MPL_TYPE_LIST: lock[0] = &((struct mpl_list *)body)->lock; return 1;
    case MPL_TYPE_BARRIER: lock[0] = &((struct mpl_barrier *)body)->guard; return 1;
    case MPL_TYPE_DICT: return crash_locks_of_dict(body, lock);
    case MPL_TYPE_TASKS: lock[0] = &((struct mpl_tasks *)body)->lock; return 1;
    default: return 0;
  }
}

/* Takes the locks of all structures, some of them from the dead: what is open is rolled back. */
static inline void crash_touch(void) {
  struct mpl_super *super = mpl_super();
  struct mpl_robust *lock[5 + CRASH_LOCKS * MPL_OBJECT_CHUNK0] = {
      &super->objects.grave_lock, &super->objects.lock, &super->slots.lock, &super->heap.lock,
      &super->parcel_lock};
  int n = 5;
  mpl_robust_lock(&super->objects.lock);
  uint64_t count = mpl_load64_rlx(&super->objects.count);
  for (uint64_t i = 1; i < count && i < MPL_OBJECT_CHUNK0; i++) {
    struct mpl_object *e = mpl_object_entry(i);
    if (mpl_load64_rlx(&e->refs) > 0) n += crash_locks_of(e, &lock[n]);
  }
  mpl_robust_unlock(&super->objects.lock);
  while (n-- > 0) {
    CHECK(mpl_robust_lock(lock[n]) != MPL_DAMAGED);
    mpl_robust_unlock(lock[n]);
  }
}

static struct crash_states *crash_states_now;

static inline void crash_note_state(unsigned long n) {
  CHECK(n < CRASH_TRACE);
  crash_trace[n] = crash_state(crash_states_now);
  if (crash_beside.number != NULL)
    crash_trace[n] = state_mix(crash_trace[n], crash_beside.number());
  crash_trace[0] = n;
}

/* Notes the states at all points from now, and how many there are. */
static inline void crash_watch(struct crash_states *states) {
  crash_states_now = states;
  states->self = (uint64_t)getpid();
  crash_trace[0] = 0;
  mpl_point_watch(crash_note_state);
}

static inline pid_t crash_start(const struct crash_part *part) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid != 0) return pid;
  if (part->paired) setpgid(0, 0);
  crash_limit();
  CHECK(mpl_slot_claim(part->member->slot, part->member->ident));
  mpl_child_forget_all();
  mpl_signal_forget();
  if (part->prepare != NULL) part->prepare();
  if (part->paired) raise(SIGSTOP);
  mpl_mutant_arm(part->mutant, part->entry, crash_where);
  if (part->watched != NULL)
    crash_watch(part->watched);
  else if (part->stop)
    mpl_point_arm_stop(part->point);
  else
    mpl_point_arm(part->point);
  if (part->touch) crash_touch();
  if (part->recover != 0)
    mpl_recover(part->recover);
  else
    part->operate();
  mpl_point_arm(0);
  mpl_mutant_arm(MPL_MUTANT_NONE, 0, NULL);
  mpl_exit_child(0);
}

static inline enum crash_end crash_end_of(int status) {
  if (status == 0) return CRASH_FINISHED;
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? CRASH_DIED : CRASH_BROKEN;
}

/* Waits for a process and for all that it leaves behind, recovering none. */
static inline enum crash_end crash_wait(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
  return crash_end_of(status);
}

static inline enum crash_end crash_do(const struct crash_part *part) {
  return crash_wait(crash_start(part));
}

/* Cleans up and finds everything whole. */
static inline void crash_clean(const struct crash_member *first,
                               const struct crash_member *second) {
  mpl_recover_unclaimed(first->slot, first->ident);
  mpl_recover_unclaimed(second->slot, second->ident);
  world_sweep();
  WORLD_WHOLE();
}

/* After the operations were verified nothing is left. */
static inline void crash_balance(const struct crash_stage *stage, bool grows) {
  struct world_sum before = stage->before;
  mpl_object_bury();
  WORLD_WHOLE();
  if (grows) before.used = world_sum().used;
  WORLD_SAME(before);
}

/* Whether the arena must be whole once all locks were taken from the dead: no object is half
   dismantled, and no section open that concerns nothing but the hand of the dead. */
static inline bool crash_is_rolled_back(void) {
  if (mpl_load64_rlx(&mpl_super()->objects.burying) != 0) return false;
  for (uint64_t i = 0; i < mpl_slot_count(); i++)
    if (mpl_load64_rlx(&mpl_slot_at(i)->journal.nundo) != 0) return false;
  return true;
}

static inline bool crash_pass_any(void *arg, mpl_off block) {
  (void)arg;
  (void)block;
  return true;
}

/* Looks at the arena before cleaning up can hide what rolling back has left. */
static inline void crash_look(void) {
  const char *fault;
  if (crash_is_rolled_back()) WORLD_WHOLE();
  if (!mpl_heap_check(crash_pass_any, NULL, &fault)) FAIL(fault);
}

/* The survivor; true if all is as it should be. */
static inline bool crash_survive(const struct crash_stage *stage, bool finished, bool touch) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid != 0) return crash_wait(pid) == CRASH_FINISHED;
  crash_limit();
  if (touch) {
    crash_touch();
    crash_look();
  }
  crash_clean(&stage->helper, &stage->victim);
  if (stage->op->verify != NULL) stage->op->verify(finished);
  crash_balance(stage, stage->op->grows);
  _exit(0);
}

static inline void crash_expect(bool good, const struct crash_op *op, const char *what,
                                unsigned long n, unsigned long m) {
  if (good) return;
  fprintf(stderr, "%s: %s: point %lu, %lu (MPL_SEED=%llu)\n", op->name, what, n, m,
          (unsigned long long)crash_seed);
  _exit(1);
}

static inline struct crash_part crash_victim(const struct crash_stage *stage, unsigned long n) {
  return (struct crash_part){.member = &stage->victim,
                             .prepare = stage->op->prepare,
                             .operate = stage->op->operate,
                             .point = n};
}

#endif
