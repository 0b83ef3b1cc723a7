// SPDX-License-Identifier: MIT
// Safetensors files, read and written.
#pragma once

#include <minivit/io/safetensors_reader.hpp>
#include <minivit/io/safetensors_writer.hpp>
