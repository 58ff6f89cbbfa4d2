/*
** Four at work on everything at once. In builds with MPL_TEST_THREADS they are threads, for
** ThreadSanitizer, which sees one process only: the data of a process are then the data of a
** thread, and each thread has a slot, references and a journal of its own. What is checked there is
** that everything that one process writes and another reads is ordered between them. In other
** builds they are processes.
*/
#include <pthread.h>
#include <sys/mman.h>

#include "dicts.h"

#define MEMBERS 4

static uint64_t lock_id, queue_id, narrow_id, event_id, dict_id;
static uint64_t *plain; /* a word in shared memory, guarded by the lock or by the event */

struct member {
  uint64_t number;
  void (*work)(uint64_t number);
  pthread_t thread;
  struct mpl_slot *slot;
  uint64_t ident;
  struct mpl_child *child;
};

#if defined(MPL_TEST_THREADS)

/* A thread begins and ends as a process does. */
static void *live(void *arg) {
  struct member *m = arg;
  CHECK(mpl_slot_claim(m->slot, m->ident));
  const uint64_t ids[] = {lock_id, queue_id, narrow_id, event_id, dict_id};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) CHECK(mpl_object_retain(ids[i]) == MPL_OK);
  m->work(m->number);
  mpl_reflist_drop_all(mpl_self);
  mpl_object_bury();
  mpl_store64_rlx(&mpl_self->state,
                  mpl_slot_state_word(mpl_slot_ident(mpl_self), MPL_SLOT_ENDED));
  return NULL;
}

static void start(struct member *m) {
  CHECK(mpl_slot_reserve("thread", &m->slot) == MPL_OK);
  m->ident = mpl_slot_ident(m->slot);
  CHECK(pthread_create(&m->thread, NULL, live, m) == 0);
}

static void join(struct member *m) {
  CHECK(pthread_join(m->thread, NULL) == 0);
  mpl_recover(m->ident);
}

#else

static void live(void *arg) {
  struct member *m = arg;
  m->work(m->number);
}

static void start(struct member *m) {
  m->child = world_start(live, m);
}

static void join(struct member *m) {
  CHECK(world_join(m->child) == 0);
}

#endif

static void make_shared(void) {
  world_make();
  mpl_os_has_waitv(); /* remembered before there are threads */
  plain = mmap(NULL, sizeof *plain, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(plain != MAP_FAILED);
  CHECK(mpl_lock_new(&lock_id) == MPL_OK && mpl_event_new(&event_id) == MPL_OK);
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK && mpl_queue_new(4, &narrow_id) == MPL_OK);
  CHECK(mpl_dict_new(MPL_TYPE_DICT, &dict_id) == MPL_OK);
}

static void run(void (*work)(uint64_t number)) {
  struct member member[MEMBERS];
  make_shared();
  uint64_t objects = world_sum().objects;
  for (uint64_t i = 0; i < MEMBERS; i++) {
    member[i] = (struct member){.number = i, .work = work};
    start(&member[i]);
  }
  for (int i = 0; i < MEMBERS; i++) join(&member[i]);
  mpl_object_bury();
  WORLD_WHOLE();
  CHECK(world_sum().slots == 1 && world_sum().objects == objects);
}

static void lock_work(uint64_t number) {
  (void)number;
  for (int i = 0; i < 3000; i++) {
    CHECK(world_acquire(world_lock(lock_id), world_deadline()) == MPL_OK);
    ++*plain;
    CHECK(mpl_lock_release(world_lock(lock_id)) == MPL_OK);
  }
}

static void locks(void) {
  run(lock_work);
  CHECK(*plain == MEMBERS * 3000);
}

/* Blocks of all sizes, written to while they are the thread's. */
static void heap_work(uint64_t number) {
  mpl_off block[8] = {0};
  for (uint64_t i = 0; i < 4000; i++) {
    uint64_t k = (i * 7 + number) % 8, size = (uint64_t)16 << (i * 5 + number) % 14;
    if (block[k] != 0) mpl_heap_free(mpl_self, block[k]);
    CHECK(mpl_heap_alloc(size, &block[k]) == MPL_OK);
    memset(mpl_arena_at(block[k], size), (int)number, size);
  }
  for (int k = 0; k < 8; k++) mpl_heap_free(mpl_self, block[k]);
}

static void heap(void) {
  run(heap_work);
}

static void object_work(uint64_t number) {
  uint64_t id[50];
  (void)number;
  for (int round = 0; round < 30; round++) {
    for (int i = 0; i < 50; i++) {
      CHECK((i % 5 == 0 ? mpl_queue_new(0, &id[i]) : mpl_event_new(&id[i])) == MPL_OK);
      if (i % 5 == 0) CHECK(world_put(world_queue(id[i]), &i, sizeof i, 0) == MPL_OK);
      CHECK(mpl_object_retain(id[i]) == MPL_OK);
    }
    for (int i = 0; i < 50; i++) mpl_reflist_release(id[i]), mpl_reflist_release(id[i]);
  }
}

static void objects(void) {
  run(object_work);
}

static mpl_off make_letter(uint64_t number) {
  mpl_off message;
  uint64_t id;
  CHECK(mpl_message_new(3000, 2, &message) == MPL_OK);
  memset(mpl_message_data(message), (int)number, 3000);
  CHECK(mpl_event_new(&id) == MPL_OK);
  mpl_message_add_ref(message, id);
  mpl_message_add_ref(message, lock_id);
  mpl_reflist_release(id);
  return message;
}

/* Everybody puts one and gets one, so that nobody waits for ever. */
static void queue_work_on(struct mpl_queue *q, uint64_t number) {
  struct world_batch *got = malloc(sizeof *got);
  CHECK(got != NULL);
  for (uint64_t i = 0; i < 2000; i++) {
    unsigned char bytes[700];
    size_t size = (i * 37 + number) % sizeof bytes + 1;
    memset(bytes, (int)size & 255, size);
    if (i % 10 == number)
      CHECK(world_put_message(q, make_letter(i)) == MPL_OK);
    else
      CHECK(world_put(q, bytes, size, world_deadline()) == MPL_OK);
    CHECK(world_get(q, 1, got, world_deadline()) == MPL_OK && got->batch.n == 1);
    struct mpl_queue_got *item = &got->batch.item[0];
    if (item->message != 0) {
      uint64_t id = mpl_load64_rlx(&mpl_message_at(item->message)->ref[0]);
      CHECK(mpl_object_retain(id) == MPL_OK);
      mpl_message_drop(mpl_self, item->message);
      mpl_event_set(world_event(id));
      mpl_reflist_release(id);
    } else {
      for (size_t k = 0; k < item->size; k++) CHECK(got->bytes[k] == (item->size & 255));
    }
  }
  free(got);
}

static void queue_work(uint64_t number) {
  queue_work_on(world_queue(queue_id), number);
}

static void narrow_queue_work(uint64_t number) {
  queue_work_on(world_queue(narrow_id), number);
}

static void queues(void) {
  run(queue_work);
}

static void narrow_queues(void) {
  run(narrow_queue_work);
}

/* What one stores before it sets the event, the other sees after it has waited for it. */
static void event_work(uint64_t number) {
  struct mpl_event *event = world_event(event_id);
  struct world_batch *got = malloc(sizeof *got);
  CHECK(got != NULL);
  for (uint64_t i = 0; i < 1000 && number < 2; i++) {
    if (number == 0) {
      *plain = i;
      mpl_event_set(event);
      CHECK(world_get(world_queue(queue_id), 1, got, world_deadline()) == MPL_OK);
    } else {
      CHECK(world_await(event, world_deadline()) == MPL_OK && *plain == i);
      mpl_event_clear(event);
      CHECK(world_put_number(world_queue(queue_id), i) == MPL_OK);
    }
  }
  free(got);
}

static void events(void) {
  run(event_work);
}

/* Moves one from a key to another. */
static void transfer(struct mpl_dict *d, uint64_t from, uint64_t to) {
  uint64_t sum;
  CHECK(dicts_begin(d, world_deadline()) == MPL_OK);
  CHECK(dicts_add(d, from, UINT64_MAX, &sum, 0) == MPL_OK);
  CHECK(dicts_add(d, to, 1, &sum, 0) == MPL_OK);
  CHECK(mpl_dict_commit(d) == MPL_OK);
}

/* Keys below 20 have the sum 0. */
static void look_at_all(struct mpl_dict *d) {
  struct mpl_dict_snapshot all;
  uint64_t sum = 0, value;
  CHECK(dicts_snapshot(d, &all) == MPL_OK);
  for (uint64_t i = 0; i < all.count; i++) {
    if (dicts_key_of(&all, i) >= 20) continue;
    memcpy(&value, all.bytes + all.pair[i].value_at, sizeof value);
    sum += value;
  }
  CHECK(sum == 0);
  mpl_dict_snapshot_free(&all);
}

/* The counter is key 20, and each member has keys of its own. */
static void dict_work(uint64_t number) {
  struct mpl_dict *d = dicts_at(dict_id);
  uint64_t sum, own = 100 * (number + 1), writes = 0;
  for (uint64_t i = 0; i < 1000; i++) {
    CHECK(dicts_add(d, 20, 1, &sum, world_deadline()) == MPL_OK);
    CHECK(mpl_dict_writes(d, NULL) > writes);
    writes = mpl_dict_writes(d, NULL);
    CHECK(dicts_set(d, own + i % 50, (int)number, 1 + i % 60) == MPL_OK);
    CHECK(dicts_is(d, own + i % 50, (int)number, 1 + i % 60));
    if (i % 3 == 0) CHECK(dicts_remove(d, own + i % 50));
    if (i % 7 == 0) CHECK(dicts_set_message(d, own + i % 50, 1) == MPL_OK);
    if (i % 5 == 0) transfer(d, i % 20, (i + number) % 20);
    if (i % 50 == 0) look_at_all(d);
  }
  for (uint64_t i = 0; i < 50; i++) dicts_remove(d, own + i);
}

static void dicts(void) {
  uint64_t sum;
  run(dict_work);
  CHECK(dicts_add(dicts_at(dict_id), 20, 1, &sum, 0) == MPL_OK && sum == MEMBERS * 1000 + 1);
}

static void all(void) {
  unit_run("locks", locks);
  unit_run("heap", heap);
  unit_run("objects", objects);
  unit_run("queues", queues);
  unit_run("narrow queues", narrow_queues);
  unit_run("events", events);
  unit_run("dicts", dicts);
}

int main(int argc, char **argv) {
  (void)argc;
  dicts_register();
  all();
  setenv("MPL_NO_WAITV", "1", 1);
  all();
  return unit_end(argv[0]);
}
