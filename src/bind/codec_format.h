/*
** The bytes of a message, known to the encoder and the decoder and to nobody else.
**
** A message is one value, and definitions: of globals that functions in it name, for receivers that
** have none of that name. A value is a tag byte and what the tag announces:
**
**   00..7f            an integer from 0 to 127
**   80..bf            a string of 0 to 63 bytes, then the bytes
**   c0..              see below; counts are LEB128 unless a width is given, all is little-endian
**
** Tables, functions, upvalues and descriptors are numbered from 1 in the order of first mention; a
** later mention is that number. The first mention of one that is mentioned again has the flag
** SHARED, so that a decoder keeps those only, and a message without shared parts costs nothing.
**
** Table:    tag, [CLASS: a string, the metatable's name], [LIST: count32], hint8, the elements 1 to
**           count, pairs of key and value, END. hint8 is 0 for no pairs, else 1 + log2 of the slots
**           to make room for. Count and hint are not trusted: see make_room in codec_decode.c.
** Function: tag, code, for each upvalue JOIN and a number, or UPVALUE and the value; END.
** Code:     hash64, size32, bytes of lua_dump; with CODE_AT instead a count: the place in the
**           message where the same code stands.
** Definition: DEFINE, a string, a value.
*/
#ifndef MPL_BIND_CODEC_FORMAT_H
#define MPL_BIND_CODEC_FORMAT_H

enum mpl_codec_tag {
  TAG_SHORT_STRING = 0x80,
  TAG_NIL = 0xc0,
  TAG_FALSE,
  TAG_TRUE,
  TAG_INT8,
  TAG_INT16,
  TAG_INT32,
  TAG_INT64,
  TAG_FLOAT,   /* the 64 bits of a double */
  TAG_STRING,  /* count, bytes */
  TAG_NULL,    /* the light userdata NULL */
  TAG_GLOBALS, /* the globals table of the receiver */
  TAG_MODULE,  /* a string: what `require` of it gives */
  TAG_MEMBER,  /* two strings, module and field: a C function */
  TAG_AGAIN,   /* count: the number of a table or function mentioned before */
  TAG_OBJECT,  /* count: index in the list of shared objects, from 0 */
  TAG_END,
  TAG_DESCRIPTOR = 0xd0, /* a count: index of its parcel in that list; with TAG_SHARED */
  TAG_CONNECTION = 0xd8, /* the same, a count: index of its pipe, flags8; with TAG_SHARED */
  TAG_TABLE = 0xe0,    /* with TAG_LIST, TAG_CLASS, TAG_SHARED */
  TAG_FUNCTION = 0xe8, /* with TAG_CODE_AT, TAG_SHARED */
  TAG_UPVALUE = 0xf0,  /* with TAG_SHARED */
  TAG_JOIN = 0xf8,
  TAG_DEFINE,
  TAG_METATABLE /* a string: the metatable that is registered by that name */
};

enum mpl_codec_flag {
  TAG_LIST = 1,
  TAG_CLASS = 2,
  TAG_CODE_AT = 1,
  TAG_SHARED = 4
};

enum {
  CODEC_MAX_SMALL = 0x7f, /* largest integer that is its own tag */
  CODEC_MAX_SHORT = 0x3f, /* longest string whose length is in its tag */
  CODEC_COUNT_BYTES = 10, /* longest LEB128 of 64 bits */
  CODEC_CODE_HEAD = 12    /* hash and size in front of bytecode */
};

#endif
