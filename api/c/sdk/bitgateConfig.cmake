# find_package(bitgate) gives the target bitgate::bitgate, for C and C++. Relative to this file: the SDK may lie anywhere.
get_filename_component(_bitgate_root "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET bitgate::bitgate)
  add_library(bitgate::bitgate SHARED IMPORTED)
  set_target_properties(bitgate::bitgate PROPERTIES
    IMPORTED_LOCATION "${_bitgate_root}/lib/libbitgate.so.0"
    IMPORTED_SONAME "libbitgate.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${_bitgate_root}/include")
endif()

unset(_bitgate_root)
