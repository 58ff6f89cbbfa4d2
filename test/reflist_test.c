/*
** References over forks: who keeps an object alive, and that nothing is left in the end.
*/
#include "world.h"

static uint64_t live(void) {
  return mpl_load64_rlx(&mpl_super()->objects.live);
}

static uint64_t new_lock(void) {
  uint64_t id;
  CHECK(mpl_lock_new(&id) == MPL_OK);
  return id;
}

static bool exists(uint64_t id) {
  return mpl_object_type_of(id) != MPL_TYPE_NONE;
}

/* A world with an object in it, so that the tables have their first chunks. */
static struct world_sum make_warm_world(void) {
  world_make();
  new_lock();
  return world_sum();
}

/*
** One process
*/

static void handles(void) {
  struct world_sum before = make_warm_world();
  uint64_t id = new_lock(), gone;
  for (int i = 0; i < 5; i++) CHECK(mpl_object_retain(id) == MPL_OK);
  for (int i = 0; i < 5; i++) mpl_reflist_release(id);
  CHECK(exists(id));
  mpl_reflist_release(id);
  CHECK(!exists(id) && mpl_object_retain(id) == MPL_GONE);
  gone = id;
  id = new_lock(); /* the same entry, another generation */
  CHECK((id & UINT32_MAX) == (gone & UINT32_MAX) && id != gone);
  CHECK(mpl_object_body(gone, MPL_TYPE_LOCK) == NULL && mpl_object_retain(gone) == MPL_GONE);
  CHECK(mpl_object_retain(UINT32_MAX) == MPL_GONE && mpl_object_retain(0) == MPL_GONE);
  CHECK(mpl_object_body(id, MPL_TYPE_QUEUE) == NULL);
  mpl_reflist_release(id);
  WORLD_SAME(before);
  WORLD_WHOLE();
}

#define MANY 10000

static void many_objects(void) {
  static uint64_t id[MANY];
  struct world_sum before = make_warm_world();
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < MANY; i++) id[i] = new_lock();
    CHECK(live() == MANY + 1);
    WORLD_WHOLE();
    /* In another order than they came. */
    for (int i = 0; i < MANY; i++) mpl_reflist_release(id[(i * 7919L) % MANY]);
    WORLD_WHOLE();
    if (round == 0) before.used = world_sum().used; /* the table and the list have grown */
    WORLD_SAME(before);
  }
}

/*
** Parent and child
*/

static uint64_t event_id, other_id, shared_id;

static void await_event(void *arg) {
  (void)arg;
  CHECK(world_await(world_event(event_id), world_deadline()) == MPL_OK);
  CHECK(exists(shared_id));
}

/* What the parent releases lives on in the child, and goes with it. */
static void inherited(void) {
  make_warm_world();
  CHECK(mpl_event_new(&event_id) == MPL_OK);
  shared_id = new_lock();
  struct mpl_child *child = world_start(await_event, NULL);
  mpl_reflist_release(shared_id);
  CHECK(exists(shared_id));
  WORLD_WHOLE();
  mpl_event_set(world_event(event_id));
  CHECK(world_join(child) == 0);
  CHECK(!exists(shared_id));
  WORLD_WHOLE();
}

/* A handle that comes back before the sweep keeps the reference. */
static void revived(void) {
  make_warm_world();
  CHECK(mpl_event_new(&event_id) == MPL_OK);
  shared_id = new_lock();
  struct mpl_child *child = world_start(await_event, NULL);
  mpl_reflist_release(shared_id);
  CHECK(mpl_object_retain(shared_id) == MPL_OK);
  mpl_event_set(world_event(event_id));
  CHECK(world_join(child) == 0);
  CHECK(exists(shared_id));
  mpl_reflist_release(shared_id);
  CHECK(!exists(shared_id));
  WORLD_WHOLE();
}

/* Objects made after the fork are the parent's alone, and each side can release its own at once. */
static void own_objects(void *arg) {
  (void)arg;
  uint64_t before = live(), id[100];
  for (int i = 0; i < 100; i++) id[i] = new_lock();
  CHECK(live() == before + 100);
  for (int i = 0; i < 100; i++) mpl_reflist_release(id[i]);
  CHECK(live() == before);
  for (int i = 0; i < 40; i++) new_lock(); /* and what it does not release goes with its end */
}

static void apart(void) {
  make_warm_world();
  for (int i = 0; i < 30; i++) new_lock();
  CHECK(world_join(world_start(own_objects, NULL)) == 0); /* the object table grows */
  struct world_sum before = world_sum();
  for (int i = 0; i < 10; i++) {
    CHECK(world_join(world_start(own_objects, NULL)) == 0);
    WORLD_WHOLE();
    WORLD_SAME(before);
  }
}

/* A parent makes objects, forks and ends; its child uses them. */
static void grandchild(void *arg) {
  (void)arg;
  CHECK(world_await(world_event(event_id), world_deadline()) == MPL_OK);
  CHECK(exists(shared_id));
  CHECK(world_acquire(world_lock(shared_id), world_deadline()) == MPL_OK);
  mpl_reflist_release(shared_id);
  mpl_event_set(world_event(other_id));
}

static void short_parent(void *arg) {
  (void)arg;
  shared_id = new_lock();
  for (int i = 0; i < 50; i++) new_lock();
  world_start(grandchild, NULL);
}

static void child_outlives_parent(void) {
  make_warm_world();
  world_adopt();
  CHECK(mpl_event_new(&event_id) == MPL_OK && mpl_event_new(&other_id) == MPL_OK);
  struct world_sum before = world_sum();
  CHECK(world_join(world_start(short_parent, NULL)) == 0);
  WORLD_WHOLE();
  CHECK(live() == before.objects + 51);
  mpl_event_set(world_event(event_id));
  CHECK(world_await(world_event(other_id), world_deadline()) == MPL_OK);
  world_sweep();
  WORLD_WHOLE();
  WORLD_SAME(before);
}

/* A line of processes, each with lists on top of those of all before it. */
#define DEPTH 20

static void descend(void *arg) {
  int depth = *(int *)arg - 1;
  uint64_t before = live();
  uint64_t id = new_lock();
  for (int i = 0; i < 35; i++) new_lock();
  if (depth > 0) CHECK(world_join(world_start(descend, &depth)) == 0);
  CHECK(live() == before + 36);
  mpl_reflist_release(id);
  CHECK(live() == before + 35);
}

static void many_lists(void) {
  int depth = DEPTH;
  make_warm_world();
  descend(&depth); /* twice, for the tables grow */
  struct world_sum before = world_sum();
  CHECK(world_join(world_start(descend, &depth)) == 0);
  WORLD_WHOLE();
  WORLD_SAME(before);
}

/*
** Random trees of processes
*/

static uint64_t rng;

static uint64_t random_below(uint64_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return rng % n;
}

#define HELD 60

static struct {
  uint64_t id;
  int handles;
} held[HELD];

static void grow_tree(void *arg) {
  int depth = *(int *)arg - 1;
  struct mpl_child *child[8];
  int children = 0;
  rng += (uint64_t)getpid() * 0x9e3779b97f4a7c15u | 1;
  for (int step = 0; step < 150; step++) {
    uint64_t k = random_below(HELD);
    switch (random_below(4)) {
      case 0:
      case 1:
        if (held[k].id == 0) {
          held[k].id = new_lock();
        } else {
          CHECK(exists(held[k].id) && mpl_object_retain(held[k].id) == MPL_OK);
        }
        held[k].handles++;
        break;
      case 2:
        if (held[k].id == 0) break;
        mpl_reflist_release(held[k].id);
        if (--held[k].handles == 0) held[k].id = 0;
        break;
      default:
        if (depth > 0 && children < 8 && random_below(6) == 0)
          child[children++] = world_start(grow_tree, &depth);
    }
  }
  for (int i = 0; i < children; i++)
    if (random_below(4) == 0) CHECK(kill(child[i]->pid, SIGKILL) == 0 || errno == ESRCH);
  for (int i = 0; i < children; i++) {
    int code = world_join(child[i]);
    CHECK(code == 0 || code == -SIGKILL);
  }
  for (int k = 0; k < HELD; k++) CHECK(held[k].id == 0 || exists(held[k].id));
}

static void random_trees(void) {
  make_warm_world();
  world_adopt();
  rng = 0x853c49e6748fea9bu;
  for (int round = 0; round < 4; round++) new_lock();
  for (int round = 0; round < 20; round++) {
    int depth = 3;
    grow_tree(&depth);
    world_sweep(); /* orphans of the killed may still be at work; they end by themselves */
    mpl_reflist_sweep();
    CHECK(world_sum().slots == 1);
    WORLD_WHOLE();
    uint64_t mine = 0;
    for (int k = 0; k < HELD; k++) mine += held[k].id != 0;
    CHECK(live() == mine + 5);
  }
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("handles", handles);
  unit_run("many objects", many_objects);
  unit_run("inherited", inherited);
  unit_run("revived", revived);
  unit_run("apart", apart);
  unit_run("child outlives parent", child_outlives_parent);
  unit_run("many lists", many_lists);
  unit_run("random trees", random_trees);
  return unit_end(argv[0]);
}
