# Run by CPack on each package's files before they are packed: what Debian wants of every package.

find_program(GZIP gzip REQUIRED)
file(GLOB_RECURSE pages ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/usr/share/man/*)
if(pages)
  execute_process(COMMAND ${GZIP} -9nf ${pages} COMMAND_ERROR_IS_FATAL ANY)
endif()

foreach(pair rapporteur:rapporteur hook:rapporteur-hook)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  set(documents ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr/share/doc/${package})
  file(MAKE_DIRECTORY ${documents})
  configure_file(${CPACK_RAPPORTEUR_SOURCE}/packaging/debian/copyright ${documents}/copyright COPYONLY)
  configure_file(${CPACK_RAPPORTEUR_SOURCE}/CHANGELOG.md ${documents}/changelog COPYONLY)
  execute_process(COMMAND ${GZIP} -9nf ${documents}/changelog COMMAND_ERROR_IS_FATAL ANY)
endforeach()
