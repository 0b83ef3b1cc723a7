// SPDX-License-Identifier: MIT
// What a user of the plain headers gets: neither MINIVIT_WITH_LIBJPEG nor MINIVIT_WITH_LIBPNG. Reads every picture of
// fixtures/images (the argument) and compares the sizes with Pillow's.
#include <minivit/data/decoders.hpp>
#include <minivit/data/image.hpp>

#include <cstdio>
#include <fstream>
#include <string>

int main(int, char** argv) {
  const std::filesystem::path images(argv[1]);
  const auto decoders = minivit::image_decoders();
  if (decoders.jpeg != "stb_image" || decoders.png != "stb_image") {
    std::printf("the decoders are %s and %s\n", decoders.jpeg.c_str(), decoders.png.c_str());
    return 1;
  }
  std::ifstream list(images / "pillow.txt");
  std::string name, crc;
  int width = 0, height = 0, good = 0, bad = 0;
  while (list >> name >> width >> height >> crc) {
    const auto image = minivit::read_image(images / name);
    ++(image.width == width && image.height == height ? good : bad);
  }
  std::printf("%d pictures read, %d wrong\n", good, bad);
  return good >= 80 && bad == 0 ? 0 : 1;
}
