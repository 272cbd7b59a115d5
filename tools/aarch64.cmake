# CMake toolchain for wheels that are built on an x86_64 PC for aarch64 (tools/build_wheels.sh --aarch64).
# Python.h of arm64 is named on the command line (Python_INCLUDE_DIR).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_STRIP aarch64-linux-gnu-strip)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
