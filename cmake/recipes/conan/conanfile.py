# SPDX-License-Identifier: MIT
"""Conan 2 recipe of the source folder that it lies in: conan create <minivit>/cmake/recipes/conan"""
import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Minivit(ConanFile):
    name = "minivit"
    description = "Compact vision transformers as C++20 types, trained and distilled on the CPU"
    license = "MIT"
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"tbb": [True, False]}
    default_options = {"tbb": True}
    generators = "CMakeDeps"
    no_copy_source = True

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self._root, "include", "minivit", "core", "isa.hpp"))
        self.version = ".".join(re.search(rf"MINIVIT_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR", "PATCH"))

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*"):
            copy(self, pattern, self._root, self.export_sources_folder)

    def requirements(self):
        self.requires("xsimd/[>=8.1]", transitive_headers=True)
        self.requires("nlohmann_json/[>=3.11]", transitive_headers=True)
        self.requires("range-v3/[>=0.12]", transitive_headers=True)
        self.requires("stb/[*]", transitive_headers=True)
        if self.options.tbb:
            self.requires("onetbb/[>=2021.8]", transitive_headers=True, transitive_libs=True)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update({"MINIVIT_BUILD_TESTS": False, "MINIVIT_BUILD_EXAMPLES": False, "MINIVIT_BUILD_BENCH": False,
                                          "MINIVIT_NO_TBB": not self.options.tbb})
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()

    def package_id(self):
        self.info.clear()

    def package_info(self):
        self.cpp_info.set_property("cmake_find_mode", "none")  # our own config file is installed
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "minivit")]
