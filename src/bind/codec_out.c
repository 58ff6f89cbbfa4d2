/*
** Storage of an encoding beyond the first: codec_out.h.
*/
#include "bind/codec_out.h"

#include <stdlib.h>

#include "ds/parcel.h"

/* Makes room for n more pieces. */
static bool reserve_pieces(struct mpl_codec_out *out, size_t n) {
  if (out->pieces_room - out->npieces >= n) return true;
  struct mpl_piece *pieces =
    mpl_buf_enlarge(out->pieces, out->initial_pieces, sizeof *pieces, &out->pieces_room,
                    out->npieces + n);
  if (pieces == NULL) return false;
  out->pieces = pieces;
  return true;
}

/* Ends the piece that is written and adds n bytes at s, which must stay as they are. */
bool mpl_codec_out_add_piece(struct mpl_codec_out *out, const char *s, size_t n) {
  if (!reserve_pieces(out, 2)) return false;
  struct mpl_piece *piece = &out->pieces[out->npieces];
  piece[0] = (struct mpl_piece){NULL, out->bytes.size - out->cut};
  piece[1] = (struct mpl_piece){s, n};
  out->npieces += 2;
  out->cut = out->bytes.size;
  out->size += n;
  return true;
}

/* Adds a shared object to the list; its index is the count before. */
bool mpl_codec_out_add_ref(struct mpl_codec_out *out, uint64_t id) {
  if (out->nrefs == out->refs_room) {
    uint64_t *refs =
      mpl_buf_enlarge(out->refs, out->initial_refs, sizeof *refs, &out->refs_room, out->nrefs + 1);
    if (refs == NULL) return false;
    out->refs = refs;
  }
  out->refs[out->nrefs++] = id;
  return true;
}

/* Adds the last piece if it has bytes, and gives the pieces in the buffer their addresses. */
bool mpl_codec_out_finish_pieces(struct mpl_codec_out *out) {
  if (out->bytes.size > out->cut) {
    if (!reserve_pieces(out, 1)) return false;
    out->pieces[out->npieces++] = (struct mpl_piece){NULL, out->bytes.size - out->cut};
  }
  const char *at = out->bytes.data;
  for (size_t i = 0; i < out->npieces; i += 2) {
    out->pieces[i].data = at;
    at += out->pieces[i].size;
  }
  return true;
}

/* Gives back what an encoding holds; it may be called again, and after a failed mpl_codec_encode.
   */
void mpl_codec_release(struct mpl_codec_out *out) {
  bool pieces = out->pieces != out->initial_pieces, refs = out->refs != out->initial_refs;
  if (out->parcels) mpl_parcel_release(out->refs, out->nrefs);
  if (!pieces && !refs && !out->parcels && out->bytes.data == out->initial_bytes) return;
  if (pieces) free(out->pieces);
  if (refs) free(out->refs);
  mpl_buf_free(&out->bytes);
  mpl_codec_out_start(out);
}
