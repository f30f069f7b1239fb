# Writes a C file with migrations as byte arrays. -DOUT -DSYMBOL -DFILES="a|b"
string(REPLACE "|" ";" files "${FILES}")
set(arrays "")
set(rows "")
set(index 0)
foreach(file ${files})
    get_filename_component(name ${file} NAME_WE)
    if(NOT name MATCHES "^([0-9]+)_0*([0-9]+)_")
        message(FATAL_ERROR "${file}: a migration is named MAJOR_MINOR_what.sql")
    endif()
    set(major ${CMAKE_MATCH_1})
    set(minor ${CMAKE_MATCH_2})
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const char sql_${index}[] = {${bytes}0};\n")
    string(APPEND rows "    {${major}, ${minor}, \"${name}\", sql_${index}},\n")
    math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUT} "/* Made by cmake/EmbedMigrations.cmake. */
#include <stddef.h>

#include \"vln_migrate.h\"

extern const vln_migration_t ${SYMBOL}[];
extern const size_t ${SYMBOL}_count;

${arrays}
const vln_migration_t ${SYMBOL}[] = {
${rows}};
const size_t ${SYMBOL}_count = ${index};
")
