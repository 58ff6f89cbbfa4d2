/*
** The child table: the processes that this process has forked.
**
** In private memory. A child is reaped with waitpid(pid), one by one and never by waitpid(-1),
** because io.popen, luaposix and others have children too. A reaped child's slot is cleaned up at
** once. After a fork the child's table is empty; the parent's records are still in memory, because
** Lua values point at them, but are strangers' (mpl_child_is_mine).
*/
#ifndef MPL_PROC_CHILD_H
#define MPL_PROC_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

struct mpl_child {
  struct mpl_child *next;         /* in the table while it has not ended */
  struct mpl_child *next_watched; /* in the list of those with a pidfd */
  pid_t pid;
  uint64_t ident; /* its slot's */
  bool daemon;
  bool raw;       /* made by a plain fork(): somebody else reaps it */
  bool ended;
  bool wanted;    /* a Lua value points at the record: not freed when it has ended */
  int exit_code;  /* once ended: status, or -signal */
  int pidfd;      /* or another descriptor that polls readable, made on demand; -1 */
  uint64_t owner; /* identity of the parent */
};

/* Exit code of a child of which neither waitpid nor its slot tells anything. */
#define MPL_CHILD_CODE_UNKNOWN 255

struct mpl_child *mpl_child_new(void);
void mpl_child_keep(struct mpl_child *child);
void mpl_child_enter(struct mpl_child *child);
void mpl_child_unwanted(struct mpl_child *child);
bool mpl_child_is_mine(const struct mpl_child *child);
bool mpl_child_ended(struct mpl_child *child);
void mpl_child_reap(void);
uint64_t mpl_child_ends(void);
struct mpl_child *mpl_child_first(void);
enum mpl_status mpl_child_join(struct mpl_child *child, int64_t deadline, uint32_t attention);
enum mpl_status mpl_child_join_stranger(uint64_t ident, int64_t deadline);
int mpl_child_pidfd(struct mpl_child *child);
int mpl_child_signal(struct mpl_child *child, int sig);
void mpl_child_forget_all(void);

#endif
