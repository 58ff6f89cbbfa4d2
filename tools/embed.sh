#!/bin/sh
# Turns Lua sources into C: `embed.sh DIR` prints the table of src/host/embed.h with every *.lua
# file under DIR. DIR/a/b.lua is module a.b, DIR/a/init.lua is module a; tracebacks name a/b.lua,
# which is no file, so that a script of that name is another source.
set -eu
cd "$1"

# The list as lines "module file", sorted.
list() {
  find . -name '*.lua' | sed 's|^\./||' | LC_ALL=C sort | while read -r file; do
    module=$(echo "${file%.lua}" | sed 's|/init$||; s|/|.|g')
    echo "$module $file"
  done
}

echo '/* Made by tools/embed.sh. */'
echo '#include "host/embed.h"'
n=0
list | while read -r module file; do
  echo "static const unsigned char text_${n}[] = {"
  od -An -v -tu1 "$file" | sed 's/  */,/g; s/^,//; s/$/,/'
  echo '};'
  n=$((n + 1))
done
echo 'const struct mpl_embed_file mpl_embed_files[] = {'
n=0
list | while read -r module file; do
  echo "  {\"$module\", \"=$file\", (const char *)text_$n, sizeof text_$n},"
  n=$((n + 1))
done
echo '  {NULL, NULL, NULL, 0},'
echo '};'
n=0
list | while read -r module file; do
  echo "MPL_EMBED_OPENER($(echo "$module" | tr . _), $n)"
  n=$((n + 1))
done
