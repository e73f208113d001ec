"""What bitgate.h declares, read from its text, and a C program that prints what a compiler makes of it."""

import dataclasses
import pathlib
import re


@dataclasses.dataclass
class Parameter:
    type: str  # without the name: "const bg_conv2d_params*", "void (*)(void*)"
    name: str


@dataclasses.dataclass
class Function:
    name: str
    returns: str
    parameters: list

    def signature(self):
        return f"{self.returns} {self.name}({', '.join(p.type for p in self.parameters) or 'void'})"


@dataclasses.dataclass
class Header:
    functions: dict  # name -> Function
    callbacks: dict  # name of a function type -> its text
    enums: dict  # name -> its enumerators' names
    structs: dict  # name -> [Parameter], its fields
    handles: list
    constants: list  # macros with a value


def _normal(text):
    """One space at most between words, none around punctuation but after a comma and before a parenthesis of a type."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s*\*", "*", text)
    text = re.sub(r"\*(?=\w)", "* ", text)
    return re.sub(r"\s*,\s*", ", ", text)


def _split(text):
    """At the commas that are in no parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _parameter(text):
    pointer = re.fullmatch(r"(.*?)\(\s*\*\s*(\w+)\s*\)\s*\((.*)\)", text, re.S)
    if pointer:
        inner = ", ".join(p.type for p in _parameters(pointer[3])) or "void"
        return Parameter(f"{_normal(pointer[1])} (*)({inner})", pointer[2])
    named = re.fullmatch(r"(.*?)(\w+)\s*(\[\w*\])?", text, re.S)
    return Parameter(_normal(named[1]) + ("*" if named[3] else ""), named[2])


def _parameters(text):
    return [] if text.strip() in ("", "void") else [_parameter(part) for part in _split(text)]


def _fields(body):
    """int64_t a, b[2]; as two fields of the types "int64_t" and "int64_t[2]"."""
    fields = []
    for declaration in filter(None, (part.strip() for part in body.split(";"))):
        if "(" in declaration:
            fields.append(_parameter(declaration))
            continue
        first, *others = _split(declaration)
        named = re.fullmatch(r"(.*?)(\w+)(\[\w+\])?", first, re.S)
        base = _normal(named[1])
        for text in [first[len(named[1]):], *others]:
            declarator = re.fullmatch(r"(\w+)(\[\w+\])?", text)
            fields.append(Parameter(base + (declarator[2] or ""), declarator[1]))
    return fields


def parse(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("\\\n", " ")
    constants = re.findall(r"^#define (BG_\w+) [^\n]*\d[^\n]*$", text, re.M)
    text = re.sub(r"^#[^\n]*$", "", text, flags=re.M)
    functions = {}
    for match in re.finditer(r"\bBG_API\b\s*(.*?)\b(bg_\w+)\s*\((.*?)\)\s*;", text, re.S):
        functions[match[2]] = Function(match[2], _normal(match[1]), _parameters(match[3]))
    if len(functions) != len(re.findall(r"\bBG_API\b", text)):
        raise ValueError(f"{path}: expected to understand each BG_API, got {len(functions)} of them")
    enums = {match[2]: re.findall(r"(BG_\w+)\s*=", match[1])
             for match in re.finditer(r"\benum\s+\w+\s*\{([^{}]*)\}\s*(\w+)\s*;", text, re.S)}
    structs = {match[2]: _fields(match[1])
               for match in re.finditer(r"\bstruct\s+\w+\s*\{([^{}]*)\}\s*(\w+)\s*;", text, re.S)}
    definitions = len(re.findall(r"\b(?:struct|enum|union)\b[^;(){]*\{", text))
    if definitions != len(enums) + len(structs):
        raise ValueError(f"{path}: expected to understand each of {definitions} structs and enums, got "
                         f"{len(enums) + len(structs)}")
    callbacks = {match[2]: f"{_normal(match[1])} (*)({', '.join(p.type for p in _parameters(match[3]))})"
                 for match in re.finditer(r"\btypedef\s+(\w+)\s*\(\s*\*\s*(\w+)\s*\)\s*\((.*?)\)\s*;", text, re.S)}
    handles = re.findall(r"\btypedef\s+struct\s+(\w+)\s+\1\s*;", text)
    if len(re.findall(r"\btypedef\b", text)) != len(enums) + len(structs) + len(callbacks) + len(handles):
        raise ValueError(f"{path}: expected each typedef to be a handle, a struct, an enum or a function type")
    return Header(functions, callbacks, enums, structs, handles, constants)


def layout_program(header, include):
    """A C program that prints, as JSON, numbers of constants and enumerators, and sizes and places of fields."""
    lines = [f'#include "{include}"', "#include <stdio.h>", "int main(void) {", '  printf("{\\"constants\\": {");']
    separator = ""
    for name in header.constants:
        lines.append(f'  printf("{separator}\\"{name}\\": %lld", (long long)({name}));')
        separator = ", "
    lines.append('  printf("},\\n\\"enums\\": {");')
    separator = ""
    for enum, names in header.enums.items():
        values = ", ".join(f'\\"{name}\\": %d' for name in names)
        numbers = ", ".join(f"(int){name}" for name in names)
        lines.append(f'  printf("{separator}\\"{enum}\\": {{{values}}}", {numbers});')
        separator = ", "
    lines.append('  printf("},\\n\\"structs\\": {");')
    separator = ""
    for struct, fields in header.structs.items():
        lines.append(f'  printf("{separator}\\"{struct}\\": {{\\"size\\": %zu, \\"fields\\": [", sizeof({struct}));')
        separator, inner = ", ", ""
        for field in fields:
            lines.append(f'  printf("{inner}[\\"{field.name}\\", \\"{field.type}\\", %zu, %zu]", '
                         f"offsetof({struct}, {field.name}), sizeof((({struct}*)0)->{field.name}));")
            inner = ", "
        lines.append('  printf("]}");')
    lines += ['  printf("}}\\n");', "  return 0;", "}"]
    return "\n".join(lines) + "\n"
