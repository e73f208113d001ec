// Numbers and reports as people read them.
#ifndef BITGATE_TOOLS_BITGATE_TEXT_H_
#define BITGATE_TOOLS_BITGATE_TEXT_H_

#include <string>
#include <vector>

#include "models/nn/network.h"

namespace bitgate::cli {

// printf into a string.
__attribute__((format(printf, 1, 2))) std::string Format(const char* format, ...);

// 0.8594 is "85.94 %".
std::string Percent(double fraction);

// "42 s", "3 min 05 s", "2 h 07 min".
std::string Duration(double seconds);

// As one word of a command line: in single quotes where a shell would take it for something else.
std::string ShellQuoted(const std::string& word);

// On one line: line breaks become "; ".
std::string OneLine(std::string text);

// "requantized: conv1/weight 8 -> 6, ...", those that changed, and the warnings.
std::vector<std::string> RequantizeLines(const RequantizeReport& report);

// How many codes freezing changed, and its notes.
std::vector<std::string> FreezeLines(const FreezeReport& report);

}  // namespace bitgate::cli

#endif  // BITGATE_TOOLS_BITGATE_TEXT_H_
