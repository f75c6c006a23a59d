# The Debian packages that scripts/package makes: rapporteur, and rapporteur-hook with the Momentum module and the C
# library for other programs.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME rapporteur)
set(CPACK_PACKAGE_VENDOR Rapporteur)
set(CPACK_PACKAGE_CONTACT "${RAPPORTEUR_PACKAGER}")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL rapporteur hook)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/package_files.cmake)
set(CPACK_RAPPORTEUR_SOURCE ${PROJECT_SOURCE_DIR})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
if(RAPPORTEUR_PACKAGE_VERSION)
  set(CPACK_DEBIAN_PACKAGE_VERSION ${RAPPORTEUR_PACKAGE_VERSION})
else()
  set(CPACK_DEBIAN_PACKAGE_VERSION ${PROJECT_VERSION})
endif()
set(CPACK_DEBIAN_PACKAGE_SECTION mail)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Dependencies come from the system's symbols files alone, whatever else is in the build tree.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS OFF)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_RAPPORTEUR_PACKAGE_NAME rapporteur)
set(CPACK_COMPONENT_RAPPORTEUR_DESCRIPTION "TLS report (TLSRPT, RFC 8460) scheduler for mail servers
MTAs tell it how each outbound SMTP session went. It counts sessions per
recipient domain and policy; when a domain's reporting window ends it writes
the report, signs the mail with DKIM, and submits it by SMTP and HTTPS until
each destination has accepted it. It also reads the reports of others.")
# passwd: useradd, where there is no systemd-sysusers.
set(CPACK_DEBIAN_RAPPORTEUR_PACKAGE_DEPENDS "passwd")
set(CPACK_DEBIAN_RAPPORTEUR_PACKAGE_RECOMMENDS "ca-certificates, publicsuffix")
set(CPACK_DEBIAN_RAPPORTEUR_PACKAGE_SUGGESTS "dns-root-data, postgresql")
set(CPACK_DEBIAN_RAPPORTEUR_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/debian/conffiles
  ${PROJECT_SOURCE_DIR}/packaging/debian/postinst
  ${PROJECT_SOURCE_DIR}/packaging/debian/prerm
  ${PROJECT_SOURCE_DIR}/packaging/debian/postrm)

set(CPACK_DEBIAN_HOOK_PACKAGE_NAME rapporteur-hook)
set(CPACK_DEBIAN_HOOK_PACKAGE_SUGGESTS "rapporteur")
set(CPACK_DEBIAN_HOOK_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/debian/shlibs
  ${PROJECT_SOURCE_DIR}/packaging/debian/triggers)
set(CPACK_COMPONENT_HOOK_DESCRIPTION "hands TLS sessions of an MTA to Rapporteur
A C library, its header, and a module for Momentum, with which an MTA hands
the outcome of its TLS sessions to the socket of Rapporteur without waiting.")

include(CPack)
