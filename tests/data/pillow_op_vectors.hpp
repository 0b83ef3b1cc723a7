// SPDX-License-Identifier: MIT
// Results of Pillow 9.4 (ImageOps, ImageEnhance, Image.rotate, Image.transform) on the pictures of op_pictures(), see
// image_ops_test.cpp: FNV-1a of the planes of all results, one after the other.
#pragma once

#include <cstdint>

struct PillowOp {
  const char* name;
  double argument;
  std::uint64_t hash;
};
struct PillowMove {
  const char* name;
  double argument;  // degrees, factor, or share of the side
  std::uint64_t bilinear, bicubic;
};

inline constexpr PillowOp pillow_ops[] = {
    {"auto_contrast", 0, 0xB7A6660E8C7CEAC7u},
    {"equalize", 0, 0x7421FB7616E56A37u},
    {"invert", 0, 0xE9C760DF68610E95u},
    {"posterize", 0, 0x1414B2B251CA49A5u},
    {"posterize", 1, 0xA0B49687E76AC225u},
    {"posterize", 2, 0xF3CD4E329C707A25u},
    {"posterize", 3, 0x279DE373EEF2B5E5u},
    {"posterize", 4, 0xB69454D8053A2F05u},
    {"solarize", 0, 0xE9C760DF68610E95u},
    {"solarize", 1, 0x671E3FA01C19463Au},
    {"solarize", 26, 0x35E8F80254709C1Du},
    {"solarize", 128, 0x85E23D667D7B4B82u},
    {"solarize", 256, 0x8623D60DF975DDD5u},
    {"solarize_add", 0, 0x8623D60DF975DDD5u},
    {"solarize_add", 33, 0x79DE8EF14574652Eu},
    {"solarize_add", 99, 0x6588F67A19FFCCBCu},
    {"solarize_add", 110, 0x2EF92CF5777EF0C7u},
    {"colour", 0.1, 0x6F3491FB9580F6BEu},
    {"colour", 0.19, 0x86FD789DA12ABF40u},
    {"colour", 0.6, 0xDCCF78A26A1C0433u},
    {"colour", 0.8, 0x146EA0E83CB97890u},
    {"colour", 0.8123456, 0xE274EA898D3DE2C7u},
    {"colour", 1.0, 0x8623D60DF975DDD5u},
    {"colour", 1.2, 0x9D8BAC974A8111C9u},
    {"colour", 1.7, 0x90488C6A8E8BEE58u},
    {"colour", 1.9, 0x9A816B47E034823Eu},
    {"contrast", 0.1, 0xAB221A1F2B175A1Bu},
    {"contrast", 0.19, 0x09DDAEAD4FC984BBu},
    {"contrast", 0.6, 0xE11D2EE2549B7939u},
    {"contrast", 0.8, 0x5AB550884D802495u},
    {"contrast", 0.8123456, 0xA9D49F1D3F77F762u},
    {"contrast", 1.0, 0x8623D60DF975DDD5u},
    {"contrast", 1.2, 0x47815AAE22DD7967u},
    {"contrast", 1.7, 0xEC6FCD02A5EE15F6u},
    {"contrast", 1.9, 0x21CB1E13FF7FF880u},
    {"brightness", 0.1, 0x6ECD71998D70C8FBu},
    {"brightness", 0.19, 0xCE559F274B9E6B78u},
    {"brightness", 0.6, 0xB9F9E179AAA13A07u},
    {"brightness", 0.8, 0xD316265D70C7E9F8u},
    {"brightness", 0.8123456, 0x62AA773A902A3F91u},
    {"brightness", 1.0, 0x8623D60DF975DDD5u},
    {"brightness", 1.2, 0x76C40CE0D366E491u},
    {"brightness", 1.7, 0x8BB38B955EB695F6u},
    {"brightness", 1.9, 0xB5876ED97C3A25ACu},
    {"sharpness", 0.1, 0x5CFF5FAE38A4FF57u},
    {"sharpness", 0.19, 0x3F9866D0BEE41B4Bu},
    {"sharpness", 0.6, 0x3DE275E88B658660u},
    {"sharpness", 0.8, 0xE676C9798D79AA84u},
    {"sharpness", 0.8123456, 0xBC6D9465BFED3ED5u},
    {"sharpness", 1.0, 0x8623D60DF975DDD5u},
    {"sharpness", 1.2, 0xDE423E0D27E7AC53u},
    {"sharpness", 1.7, 0x09320FA0A781482Cu},
    {"sharpness", 1.9, 0x562B5100AB2174D9u},
};

inline constexpr PillowMove pillow_moves[] = {
    {"rotate", -30.0, 0xCF91D83D3FC04AEBu, 0xDBC48314E2DE60FFu},
    {"rotate", -27.3, 0x58C6D04C29FF52B5u, 0xB448B86BD3367F33u},
    {"rotate", -6.0, 0x1C059FB9754DCA5Au, 0x1930F0E3047D03E2u},
    {"rotate", 0.0, 0x8623D60DF975DDD5u, 0x8623D60DF975DDD5u},
    {"rotate", 3.0, 0x1FD3F06456193351u, 0xB4C55204C3F70801u},
    {"rotate", 14.2857, 0x0F97D870A2F687C6u, 0x5B11A48947D67418u},
    {"rotate", 17.4, 0x5DD4E6A6728D4C51u, 0x41F4CC5184C1C417u},
    {"rotate", 25.2, 0xC79057E6AFD631DFu, 0x1731DF5512EF3E8Du},
    {"rotate", 30.0, 0x1D4BF928110CA7AFu, 0xBA5C748D2AFCE5A8u},
    {"shear_x", -0.3, 0x761FE647735655B8u, 0xB67065C2059F608Au},
    {"shear_x", -0.271828, 0x3AB2AEE50BC79355u, 0x5F6DDBE99F331F8Eu},
    {"shear_x", -0.2, 0xF5A073FF5BEA4CAAu, 0x6D7401990FF2463Fu},
    {"shear_x", -0.03, 0x6E199CFC16C8C1B0u, 0xD463394B863FEA1Au},
    {"shear_x", 0.0, 0x8623D60DF975DDD5u, 0x8623D60DF975DDD5u},
    {"shear_x", 0.1, 0x76F8EE2D0F6D843Au, 0xDC0970EFA86D0BBEu},
    {"shear_x", 0.28, 0x125D500544B0FA1Fu, 0xE9EFCBA3D5BDE6C7u},
    {"shear_x", 0.3, 0xA2FDDAA79F2DA2C9u, 0xE6E6AE4D5E9EE84Cu},
    {"shear_y", -0.3, 0x886ABB9E300E3B8Bu, 0x68498926A2131D7Au},
    {"shear_y", -0.271828, 0x924138AF9DBD7F5Fu, 0xD041436967D2F20Au},
    {"shear_y", -0.2, 0xEE9FFD16CE90B44Au, 0x795E0B7C9011EB75u},
    {"shear_y", -0.03, 0xE3861B9FC7613659u, 0xC473050DAED844DCu},
    {"shear_y", 0.0, 0x8623D60DF975DDD5u, 0x8623D60DF975DDD5u},
    {"shear_y", 0.1, 0x812EA4F6040D6627u, 0xA92DB951CB32F825u},
    {"shear_y", 0.28, 0xFBFD178CCCE9E849u, 0x68DD13618327DA51u},
    {"shear_y", 0.3, 0xBE54D0690B08F521u, 0xDBC0439D8D73F29Fu},
    {"translate_x", -0.45, 0x9A968FA418420896u, 0xA7F31D8A6F44295Au},
    {"translate_x", -0.405, 0x6DD75D18139CD85Du, 0x5CF33ACE23A3C768u},
    {"translate_x", -0.3, 0xFC638EE9B248795Bu, 0x19AABE086067CB84u},
    {"translate_x", -0.1, 0x371FF4EE646AC163u, 0xD6ABD440283D54F7u},
    {"translate_x", 0.0, 0x8623D60DF975DDD5u, 0x8623D60DF975DDD5u},
    {"translate_x", 0.03125, 0x57A2255955CD304Cu, 0x13888DB1A3957837u},
    {"translate_x", 0.2, 0xD00582E6BB398075u, 0x7F380438330E58A7u},
    {"translate_x", 0.45, 0xD87190DE30A13CFFu, 0x2C75771B736D8AF1u},
    {"translate_y", -0.45, 0x19E5DC01EDA2672Au, 0xF35A23C51E561810u},
    {"translate_y", -0.405, 0xF672760F1E8981EAu, 0x02245EB88FECF691u},
    {"translate_y", -0.3, 0x1AD96513E7390522u, 0xBE8E8E0A74356BF2u},
    {"translate_y", -0.1, 0x65762CC928066556u, 0xCE5D89988C8E46A7u},
    {"translate_y", 0.0, 0x8623D60DF975DDD5u, 0x8623D60DF975DDD5u},
    {"translate_y", 0.03125, 0x7694082FC90FAD8Du, 0xD1745E92B6086F1Du},
    {"translate_y", 0.2, 0x2ABAE753A16FB5D1u, 0xA3D65AD68BE24DA1u},
    {"translate_y", 0.45, 0x70E4BA1ABF75F65Bu, 0x53B2B3CCE12BE202u},
};

// Red plane of the first picture, 9 x 9, turned by 30 degrees, bicubic, with 124 outside.
inline constexpr std::uint8_t pillow_turned_9x9[] = {
    124, 124, 43,  177, 175, 146, 82,  124, 124, 124, 149, 76,  93,  186, 68,  89,  56,  124, 156, 49,  55,
    77,  196, 4,   116, 128, 205, 203, 204, 190, 114, 183, 177, 104, 151, 108, 116, 205, 89,  121, 86,  226,
    33,  126, 141, 86,  228, 31,  127, 144, 176, 40,  150, 211, 195, 158, 36,  159, 187, 93,  103, 107, 182,
    124, 122, 126, 66,  169, 46,  73,  52,  124, 124, 124, 198, 55,  169, 231, 224, 124, 124,
};
