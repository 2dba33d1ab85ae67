#!/usr/bin/env python3
"""A second implementation of docs/abe.md, written from that document alone.

It makes every byte of v1/known-answers.json from the inputs of each case, compares, and opens each
ciphertext as its holder would. It is slow and not constant-time: it shows that the document is
complete, and guards nothing.

    pip install -r abe/testdata/requirements.txt
    python abe/testdata/second.py [--case NAME]
"""

import argparse
import datetime
import functools
import hashlib
import hmac
import json
import pathlib
import sys
import unicodedata
from dataclasses import dataclass, field

from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2, decompress_G1, decompress_G2
from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
from py_ecc.optimized_bls12_381 import (
    G1, G2, Z1, add, curve_order as R, field_modulus as P, final_exponentiate, multiply, neg, pairing)

CP, KP = 1, 2
ALPHA, SIGNER, KEY, SHARE, ENCAPS, REPEAT = 1, 2, 3, 4, 5, 6    # draws
USERS, BUCKETS, SERIALS, RECORDS = 1, 2, 3, 4                   # namespaces
EQUAL, PREFIX, NOT, HASH_PREFIX = 1, 2, 3, 4                    # kinds of label
TEXT, ENUM, NUMBER, DATE = 1, 2, 3, 4                           # types of value
BUCKET_LENGTHS = {"hour": (1, 20), "day": (2, 16)}              # number in the parameters, bits


# Bytes


def big(number, length):
    """An unsigned integer, big-endian."""
    return number.to_bytes(length, "big")


def counted(data):
    return big(len(data), 4) + data


def sha256(data):
    return hashlib.sha256(data).digest()


def extract(salt, key):
    return hmac.digest(salt, key, "sha256")


def expand(prk, info, length):
    out, block = b"", b""
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:length]


class Draws:
    """What is drawn from one seed, each draw by its own expansion."""

    def __init__(self, salt, seed):
        self.prk = extract(salt, seed)

    def bytes(self, draw, index, length):
        return expand(self.prk, bytes([draw]) + big(index, 4), length)

    def scalar(self, draw, index=0):
        return int.from_bytes(self.bytes(draw, index, 48), "big") % R


class Cursor:
    """Reads an encoding from its start; `end` says that nothing is left."""

    def __init__(self, data, magic):
        self.data = data
        if self.take(len(magic)) != magic:
            raise ValueError("another kind of object")

    def take(self, length):
        if length > len(self.data):
            raise ValueError("cut short")
        head, self.data = self.data[:length], self.data[length:]
        return head

    def number(self, length):
        return int.from_bytes(self.take(length), "big")

    def counted(self):
        return self.take(self.number(4))

    def end(self):
        if self.data:
            raise ValueError("bytes too many")


# Groups


def g1_bytes(point):
    return big(compress_G1(point), 48)


def g1_point(data):
    return decompress_G1(int.from_bytes(data, "big"))


def g2_bytes(point):
    return b"".join(big(half, 48) for half in compress_G2(point))


def g2_point(data):
    return decompress_G2((int.from_bytes(data[:48], "big"), int.from_bytes(data[48:], "big")))


# py_ecc's FQ12 is Fp[w] with w^6 = 1 + u. So a + b u at w^k is (a - b) at w^k and b at w^(k + 6),
# and v = w^2: the coordinate pair c_i.c_j of the tower stands at k = i + 2 j.
TOWER = [i + 2 * j for i in range(2) for j in range(3)]


def gt_bytes(element):
    low_high = [(int(element.coeffs[k]), int(element.coeffs[k + 6])) for k in TOWER]
    return b"".join(big((low + high) % P, 48) + big(high, 48) for low, high in low_high)


def gt_element(data):
    coeffs = [0] * 12
    for at, k in enumerate(TOWER):
        a, b = (int.from_bytes(data[at * 96 + h:][:48], "big") for h in (0, 48))
        coeffs[k], coeffs[k + 6] = (a - b) % P, b
    return FQ12(coeffs)


@functools.cache
def hash_point(scheme, letter, message):
    """H1 under the tag of attributes (H) or of the blinding point (B)."""
    tag = "WARDKEEP-V01-FABEO-%s-%s-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
    return hash_to_G1(message, (tag % ({CP: "CP", KP: "KP"}[scheme], letter)).encode(), hashlib.sha256)


def combine(points_and_powers):
    total = Z1
    for point, power in points_and_powers:
        total = add(total, point if power == 1 else multiply(point, power % R))
    return total


def pairings(pairs):
    """The product of e(a, b) over pairs of points in G1 and G2, with one final exponentiation.

    The document's e has the final exponent 3 (p^12 - 1) / r and counts its loop by x, which is
    negative; py_ecc has (p^12 - 1) / r and counts by -x. Inverse and cube make up for it.
    """
    product = FQ12.one()
    for a, b in pairs:
        product *= pairing(b, neg(a), final_exponentiate=False)
    return final_exponentiate(product) ** 3


# Ed25519 (RFC 8032, 5.1): a signer, in extended coordinates


ED_P = 2**255 - 19
ED_L = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P


def ed_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * ED_D, 2 * p[2] * q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % ED_P, g * h % ED_P, f * g % ED_P, e * h % ED_P


def ed_base_times(scalar):
    """The encoding of scalar times the base point."""
    y = 4 * pow(5, -1, ED_P) % ED_P
    square = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_P) % ED_P
    x = pow(square, (ED_P + 3) // 8, ED_P)
    if x * x % ED_P != square:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    x = ED_P - x if x & 1 else x
    point, total = (x, y, 1, x * y % ED_P), (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = ed_add(total, point)
        point, scalar = ed_add(point, point), scalar >> 1
    x, y = (part * pow(total[2], -1, ED_P) % ED_P for part in total[:2])
    return (y | (x & 1) << 255).to_bytes(32, "little")


def ed_little(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def ed_secret(seed):
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254, digest[32:]


def ed_public(seed):
    return ed_base_times(ed_secret(seed)[0])


def ed_sign(seed, message):
    scalar, prefix = ed_secret(seed)
    nonce = ed_little(prefix, message) % ED_L
    point = ed_base_times(nonce)
    answer = (nonce + ed_little(point, ed_public(seed), message) * scalar) % ED_L
    return point + answer.to_bytes(32, "little")


# Texts: tokens, schema, attributes, formulas. A value is a str, an int or a date.


KEYWORDS = ("and", "or", "of", "in", "not")
SIGNS = ("!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", ":")
ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
DIGITS = "0123456789"


def begins_word(c):
    return c == "_" or c.isalpha()


def in_word(c):
    return c in "_.-" or c.isalnum() or unicodedata.category(c)[0] == "M"


def quotation(text, at):
    """The text between quotes, and the place behind the closing one."""
    out = ""
    while text[at] != '"':
        if text[at] == "\n":
            raise ValueError("a quotation stands on one line")
        if text[at] != "\\":
            out, at = out + text[at], at + 1
        elif text[at + 1] == "u":
            close = text.index("}", at)
            out, at = out + chr(int(text[at + 3:close], 16)), close + 1
        else:
            out, at = out + ESCAPES[text[at + 1]], at + 2
    return out, at + 1


def literal(text):
    """A number or a date."""
    if text.count("-") == 2 and not text.startswith("-"):
        return "date", datetime.date.fromisoformat(text)
    if str(int(text)) != text:
        raise ValueError("a number has one spelling: " + text)
    return "number", int(text)


def tokens(text):
    """Pairs of kind (sign, word, quoted, number, date) and value; keywords are signs."""
    at = 0
    while at < len(text):
        start, c = at, text[at]
        if c in " \t\r\n":
            at += 1
        elif c == '"':
            value, at = quotation(text, at + 1)
            yield "quoted", unicodedata.normalize("NFC", value)
        elif c in DIGITS or c == "-":
            at += 1
            while text[at:at + 1] and text[at] in DIGITS + "-":
                at += 1
            yield literal(text[start:at])
        elif begins_word(c):
            while text[at:at + 1] and in_word(text[at]):
                at += 1
            word = unicodedata.normalize("NFC", text[start:at])
            yield ("sign" if word in KEYWORDS else "word"), word
        else:
            sign = next(sign for sign in SIGNS if text.startswith(sign, at))
            at += len(sign)
            yield "sign", sign


class Reader:
    """Reads tokens; a method takes one if it is what is asked for."""

    def __init__(self, text):
        self.left = list(tokens(text)) + [("end", None)]

    def maybe(self, *signs):
        kind, value = self.left[0]
        return self.left.pop(0)[1] if kind in ("sign", "word") and value in signs else None

    def need(self, *signs):
        found = self.maybe(*signs)
        if found is None:
            raise ValueError(f"{signs} expected, not {self.left[0]}")
        return found

    def one(self, *kinds):
        if self.left[0][0] not in kinds:
            raise ValueError(f"{kinds} expected, not {self.left[0]}")
        return self.left.pop(0)[1]

    def name(self):
        return self.one("word", "quoted")

    def value(self):
        return self.one("word", "quoted", "number", "date")

    def separated(self, item, sign=","):
        out = [item()]
        while self.maybe(sign):
            out.append(item())
        return out

    def whole(self, item):
        value = item()
        self.one("end")
        return value


def hidden(c):
    """Whether no name may hold c: controls and default-ignorable characters but the joiners."""
    ranges = ("00AD 034F 061C 115F-1160 17B4-17B5 180B-180F 200B 200E-200F 202A-202E 2060-206F 3164 "
              "FE00-FE0F FEFF FFA0 FFF0-FFF8 1BCA0-1BCA3 1D173-1D17A E0000-E0FFF").split()
    bounds = [[int(end, 16) for end in each.split("-")] for each in ranges]
    return unicodedata.category(c) == "Cc" or any(b[0] <= ord(c) <= b[-1] for b in bounds)


def shown(value):
    """A name or value in canonical form."""
    if not isinstance(value, str):
        return str(value)
    if value.isascii() and begins_word(value[0]) and all(map(in_word, value)) and value not in KEYWORDS:
        return value
    escapes = {plain: "\\" + letter for letter, plain in ESCAPES.items()}
    return '"' + "".join(escapes.get(c) or (f"\\u{{{ord(c):x}}}" if hidden(c) else c) for c in value) + '"'


def listed(values):
    return "[" + ", ".join(map(shown, values)) + "]"


def ascending(values):
    return sorted(values, key=lambda v: v.encode() if isinstance(v, str) else v)


@dataclass
class Declaration:
    """What a schema says of a name; `width` and `unit` are those of the type tag."""

    name: str
    type: int
    width: int = 0
    signed: bool = False
    many: bool = False
    negatable: bool = False
    unit: str = ""
    values: list = field(default_factory=list)

    def to_bytes(self):
        flags = self.signed | self.many << 1 | self.negatable << 2
        width, unit = self.width, self.unit
        if self.type == DATE:   # the width and unit of dates stand in type tags alone
            width, unit = 0, ""
        out = counted(self.name.encode()) + bytes([self.type, width, flags | bool(unit) << 3])
        out += counted(unit.encode()) + big(len(self.values), 4)
        return out + b"".join(counted(value.encode()) for value in ascending(self.values))

    def position(self, value):
        """A number or date as one of `width` bits."""
        if self.type == DATE:
            return value.toordinal() - 1
        return value + (1 << self.width - 1 if self.signed else 0)


def number_declaration(name, width, unit=""):
    return Declaration(name, NUMBER, width, unit=unit)


def date_declaration(name):
    return Declaration(name, DATE, 22, unit="day")


def undeclared(name, value):
    makers = {str: lambda n: Declaration(n, TEXT), int: lambda n: number_declaration(n, 32),
              datetime.date: date_declaration}
    return makers[type(value)](name)


def declaration(reader):
    name = reader.name()
    reader.need(":")
    kind = reader.need("text", "date", "enum", "number")
    if kind == "number":
        made = number_declaration(name, 32)
        if reader.maybe("("):
            if reader.left[0][0] == "number":
                made.width = reader.one("number")
                reader.maybe(",")
            made.signed = reader.maybe("signed", "unsigned") == "signed"
            reader.need(")")
    elif kind == "enum":
        reader.need("(")
        made = Declaration(name, ENUM, values=reader.separated(reader.name))
        reader.need(")")
    else:
        made = date_declaration(name) if kind == "date" else Declaration(name, TEXT)
    while (flag := reader.maybe("set", "negatable", "unit")):
        if flag == "unit":
            reader.need("(")
            made.unit = reader.one("word")
            reader.need(")")
        else:
            setattr(made, {"set": "many"}.get(flag, flag), True)
    return made


def read_schema(text):
    """Declarations by name. No `#` of the vectors stands in quotes."""
    lines = [line.split("#")[0] for line in text.split("\n")]
    readers = [Reader(line) for line in lines if line.strip()]
    return {made.name: made for made in (r.whole(lambda: declaration(r)) for r in readers)}


def schema_bytes(schema):
    ordered = sorted(schema.values(), key=lambda made: made.name.encode())
    return b"\x01" + big(len(ordered), 4) + b"".join(made.to_bytes() for made in ordered)


def read_attributes(text):
    """Pairs of a name and its value or, for a set, its list of values."""
    reader = Reader(text)

    def attribute():
        name = reader.name()
        reader.need("=")
        if not reader.maybe("["):
            return name, reader.value()
        values = [] if reader.maybe("]") else reader.separated(reader.value)
        if values:
            reader.need("]")
        return name, ascending(set(values))

    pairs = reader.whole(lambda: reader.separated(attribute)) if text.strip() else []
    return sorted(pairs, key=lambda pair: pair[0].encode())


def show_attributes(pairs):
    return ", ".join(f"{shown(n)} = {listed(v) if isinstance(v, list) else shown(v)}" for n, v in pairs)


# A formula is ("leaf", name, op, values) or ("of", k, children); `and` is n of n, `or` is 1 of n.


def junction(k, children):
    """k of the children, in canonical form: `and` and `or` flattened, none of them with one child."""
    if len(children) == 1:
        return children[0]
    if k in (1, len(children)):
        spread = []
        for child in children:
            same = child[0] == "of" and child[1] == (1 if k == 1 else len(child[2]))
            spread += child[2] if same else [child]
        children, k = spread, 1 if k == 1 else len(spread)
    return "of", k, children


def read_formula(text):
    reader = Reader(text)

    def either():
        return junction(1, reader.separated(both, "or"))

    def both():
        children = reader.separated(item, "and")
        return junction(len(children), children)

    def item():
        if reader.maybe("("):
            inner = either()
            reader.need(")")
            return inner
        if reader.left[0][0] == "number":
            k = reader.one("number")
            reader.need("of")
            reader.need("(")
            children = reader.separated(either)
            reader.need(")")
            if not 1 <= k <= len(children):
                raise ValueError("a threshold that nobody or everybody meets")
            return junction(k, children)
        name, op = reader.name(), reader.need("=", "!=", "<", "<=", ">", ">=", "in")
        if op != "in":
            return "leaf", name, op, [reader.value()]
        reader.need("[")
        values = list(dict.fromkeys(reader.separated(reader.value)))
        reader.need("]")
        return "leaf", name, "in" if len(values) > 1 else "=", values

    return reader.whole(either)


def show_formula(node, inside=False):
    if node[0] == "leaf":
        return f"{shown(node[1])} {node[2]} {listed(node[3]) if node[2] == 'in' else shown(node[3][0])}"
    k, children = node[1:]
    if k == len(children):
        return " and ".join(show_formula(child, True) for child in children)
    if k > 1:
        return f"{k} of (" + ", ".join(map(show_formula, children)) + ")"
    text = " or ".join(map(show_formula, children))
    return f"({text})" if inside else text


# Labels


def cover(low, high, bits):
    """The canonical dyadic cover of low .. high: pairs of a prefix's length and the prefix, ascending."""
    out = []
    while low <= high:
        free = (low & -low).bit_length() - 1 if low else bits
        while low + (1 << free) - 1 > high:
            free -= 1
        out.append((bits - free, low >> free))
        low += 1 << free
    return out


@dataclass(frozen=True)
class Space:
    """A namespace of an authority's version: where labels come from."""

    authority: bytes
    version: int
    namespace: int

    def label(self, kind, length, d, value):
        tag = bytes([kind, length, d.type, d.width, d.signed, d.many]) + d.unit.encode()
        parts = [self.authority, big(self.version, 4), bytes([self.namespace]), tag, d.name.encode(), value]
        return b"".join(map(counted, parts))

    def text(self, kind, d, value):
        return self.label(kind, 0, d, value.encode())

    def prefix(self, d, length, prefix, kind=PREFIX):
        return self.label(kind, length, d, big(prefix, 8))

    def hashed(self, d, value):
        own = self.text(EQUAL, d, value)
        return int.from_bytes(sha256(counted(b"wardkeep-abe-v1/hash-prefix") + counted(own))[:4], "big")

    def prefixes(self, d, number):
        return [self.prefix(d, length, number >> d.width - length) for length in range(d.width + 1)]

    def of_value(self, d, values):
        """What a key, or a record, holds for a value."""
        if d.type in (NUMBER, DATE):
            return [label for value in values for label in self.prefixes(d, d.position(value))]
        labels = [self.text(EQUAL, d, value) for value in values]
        if d.negatable and d.type == ENUM:
            labels += [self.text(NOT, d, value) for value in d.values if value not in values]
        elif d.negatable:
            path = self.hashed(d, values[0])
            labels += [self.prefix(d, i, path >> 32 - i, HASH_PREFIX) for i in range(1, 33)]
        return labels

    def covered(self, d, low, high):
        nodes = cover(low, high, d.width)
        if d.type == DATE and high == datetime.date.max.toordinal() - 1:
            nodes = min(nodes, cover(low, (1 << 22) - 1, 22), key=len)
        return [self.prefix(d, *node) for node in nodes]

    def of_comparison(self, d, op, values):
        """The labels of which one is needed, in order."""
        if d.type in (TEXT, ENUM):
            if op in ("=", "in"):
                return [self.text(EQUAL, d, value) for value in values]
            if d.type == ENUM:
                return [self.text(NOT, d, values[0])]
            path = self.hashed(d, values[0])
            return [self.prefix(d, i, path >> 32 - i ^ 1, HASH_PREFIX) for i in range(1, 33)]
        points = sorted(map(d.position, values))
        last = datetime.date.max.toordinal() - 1 if d.type == DATE else (1 << d.width) - 1
        low = high = points[0]
        ranges = {"<": [(0, low - 1)], "<=": [(0, low)], ">": [(high + 1, last)], ">=": [(high, last)],
                  "!=": [(0, low - 1), (high + 1, last)]}.get(op)
        if ranges is None:
            ranges = []
            for point in points:
                if ranges and ranges[-1][1] == point - 1:
                    ranges[-1] = ranges[-1][0], point
                else:
                    ranges.append((point, point))
        return [label for bounds in ranges for label in self.covered(d, *bounds)]


# Span program


class Program:
    """Rows of a formula: each a label, and the number of its use."""

    def __init__(self, formula, space, schema):
        self.labels = []
        self.root = self.compiled(formula, space, schema)

    def row(self, label):
        self.labels.append(label)
        return "row", len(self.labels) - 1

    def any_of(self, labels):
        return "of", 1, [self.row(label) for label in labels]

    def compiled(self, node, space, schema):
        if node[0] == "leaf":
            _, name, op, values = node
            return self.any_of(space.of_comparison(schema.get(name) or undeclared(name, values[0]), op, values))
        return "of", node[1], [self.compiled(child, space, schema) for child in node[2]]

    @property
    def rho(self):
        return [1 + self.labels[:i].count(label) for i, label in enumerate(self.labels)]

    def shares(self, secret, drawn):
        """A share for each row; `drawn(i)` is the i-th value of the randomness."""
        out, asked = {}, 0

        def values(count):
            nonlocal asked
            asked += count
            return [drawn(i) for i in range(asked - count, asked)]

        def share(node, part):
            if node[0] == "row":
                out[node[1]] = part
                return
            k, children = node[1:]
            if k == len(children):
                others = values(k - 1)
                parts = [(part - sum(others)) % R] + others
            else:
                powers = [part] + values(k - 1)
                parts = [sum(a * x**e for e, a in enumerate(powers)) % R for x in range(1, len(children) + 1)]
            for child, each in zip(children, parts):
                share(child, each)

        share(self.root, secret)
        return [out[i] for i in range(len(self.labels))]

    def plan(self, held):
        """Coefficients by row under which the shares of held labels sum to the secret, or None."""

        def coefficients(node):
            if node[0] == "row":
                return {node[1]: 1} if self.labels[node[1]] in held else None
            k, children = node[1:]
            ways = [(x, way) for x, way in enumerate(map(coefficients, children), 1) if way is not None][:k]
            if len(ways) < k:
                return None
            out = {}
            for x, way in ways:
                factor = 1
                for other, _ in ways if 1 < k < len(children) else ():
                    if other != x:
                        factor = factor * other * pow(other - x, -1, R) % R
                out.update((row, gamma * factor % R) for row, gamma in way.items())
            return out

        return coefficients(self.root)


# Authority, keys, revocation lists


class Authority:
    """An authority, from its seed, with its public parameters and master key."""

    def __init__(self, scheme, name, seed, schema, bucket_length, serial_bits):
        self.scheme, self.name, self.version = scheme, name, 1
        self.schema = read_schema(schema)
        number, bits = BUCKET_LENGTHS[bucket_length]
        self.bucket = number_declaration("valid-until", bits, bucket_length)
        self.serial = number_declaration("serial", serial_bits)
        draws = Draws({CP: b"wardkeep abe 1 authority", KP: b"wardkeep abe 1 key-policy authority"}[scheme], seed)
        self.alpha = draws.scalar(ALPHA)
        self.signing_seed = draws.bytes(SIGNER, 0, 32)
        self.a1 = multiply(G1, self.alpha)
        self.e = pairings([(self.a1, G2)])
        unsigned = b"WKABEPP" + bytes([1, scheme]) + name + big(self.version, 4) + bytes([number, serial_bits])
        unsigned += counted(schema_bytes(self.schema)) + gt_bytes(self.e) + ed_public(self.signing_seed)
        self.parameters = unsigned + ed_sign(self.signing_seed, unsigned)
        self.fingerprint = sha256(unsigned)
        self.master_key = b"WKABEMK\x01" + g1_bytes(self.a1) + self.signing_seed + counted(self.parameters)

    def space(self, namespace):
        return Space(self.name, self.version, namespace)

    def user_key(self, seed, labels, end, serial):
        """A CP key for labels of attributes, valid until the bucket `end`."""
        labels = labels + self.space(BUCKETS).prefixes(self.bucket, end)
        labels = sorted(labels + self.space(SERIALS).prefixes(self.serial, serial))
        r = Draws(b"wardkeep abe 1 user key", seed).scalar(KEY)
        sk3 = add(self.a1, multiply(hash_point(CP, "B", b"B"), r))
        out = b"WKABEUK" + bytes([1, CP]) + self.fingerprint + b"\x01" + big(end, 4) + b"\x01" + big(serial, 4)
        out += big(len(labels), 2) + b"".join(map(counted, labels))
        out += g2_bytes(multiply(G2, r)) + g1_bytes(sk3)
        return out + b"".join(g1_bytes(multiply(hash_point(CP, "H", label), r)) for label in labels)

    def formula_key(self, seed, text):
        """A KP key. The shares are of alpha itself, which this program knows; an authority that has
        dropped it takes the same shares in the exponent of A1."""
        draws = Draws(b"wardkeep abe 1 formula key", seed)
        formula = read_formula(text)
        program = Program(formula, self.space(RECORDS), self.schema)
        rho = program.rho
        powers = [draws.scalar(KEY, j) for j in range(max(rho))]
        out = b"WKABEUK" + bytes([1, KP]) + self.fingerprint + counted(show_formula(formula).encode())
        out += big(max(rho), 2) + big(len(rho), 2) + b"".join(g2_bytes(multiply(G2, r)) for r in powers)
        shares = program.shares(self.alpha, lambda i: draws.scalar(SHARE, i))
        return out + b"".join(
            g1_bytes(combine([(G1, share), (hash_point(KP, "H", label), powers[j - 1])]))
            for share, label, j in zip(shares, program.labels, rho))

    def revocation_list(self, number, issued, until, revoked):
        """`revoked` has pairs of a serial and the end of its key."""
        out = b"WKABERL\x01" + self.name + big(self.version, 4) + big(number, 8) + big(issued, 8) + big(until, 8)
        out += big(len(revoked), 4) + b"".join(big(serial, 4) + big(end, 4) for serial, end in sorted(revoked))
        return out + ed_sign(self.signing_seed, out)

    # What follows needs the public parameters alone.

    def policy_program(self, statement):
        """The span program of a policy: the formula, and around it time and serials if asked for."""
        program = Program(read_formula(statement.text), self.space(USERS), self.schema)
        around = [program.root]
        if statement.bucket is not None:
            labels = self.space(BUCKETS).covered(self.bucket, statement.bucket, (1 << self.bucket.width) - 1)
            around.append(program.any_of(labels))
        if statement.cover is not None:
            labels = [self.space(SERIALS).prefix(self.serial, *node) for node in statement.cover[2]]
            around.append(program.any_of(labels))
        program.root = "of", len(around), around
        return program

    def record_labels(self, pairs):
        return sorted(self.attribute_labels(RECORDS, pairs))

    def attribute_labels(self, namespace, pairs):
        labels = []
        for name, value in pairs:
            values = value if isinstance(value, list) else [value]
            labels += self.space(namespace).of_value(self.schema.get(name) or undeclared(name, values[0]), values)
        return labels

    def seal(self, statement, context, message):
        """The ciphertext of a message, and the secret that it carries."""
        scheme = {CP: b"wardkeep abe 1 FABEO CP", KP: b"wardkeep abe 1 FABEO KP"}[self.scheme]
        binding = sha256(b"".join(map(counted, (scheme, self.fingerprint, statement, context))))
        draws = Draws(binding, message)
        s = draws.scalar(ENCAPS)
        ct1 = g2_bytes(multiply(G2, s))
        if self.scheme == CP:
            in_g2, in_g1 = self.encapsulated(self.policy_program(Statement.read(statement)), draws, s)
        else:
            labels = self.record_labels(read_attributes(statement.decode()))
            in_g2, in_g1 = [], [multiply(hash_point(KP, "H", label), s) for label in labels]
        out = b"WKABECT" + bytes([1, self.scheme]) + self.name + big(self.version, 4) + counted(statement)
        out += big(len(in_g2), 2) + big(len(in_g1), 2) + ct1
        out += b"".join(map(g2_bytes, in_g2)) + b"".join(map(g1_bytes, in_g1))
        out += xor(message, mask(self.e ** s, ct1))
        return out, expand(extract(b"wardkeep abe 1 data key", message), sha256(out), 32)

    @staticmethod
    def encapsulated(program, draws, s):
        """ct2 and ct3 of a CP ciphertext."""
        rho, b = program.rho, hash_point(CP, "B", b"B")
        repeats = [draws.scalar(REPEAT, j) for j in range(max(rho))]
        shares = program.shares(s, lambda i: draws.scalar(SHARE, i))
        rows = [combine([(b, share), (hash_point(CP, "H", label), repeats[j - 1])])
                for share, label, j in zip(shares, program.labels, rho)]
        return [multiply(G2, power) for power in repeats], rows

    def open(self, key, ciphertext, context):
        """The secret, or an error: what the holder of a user key does."""
        ct = Cursor(ciphertext, b"WKABECT" + bytes([1, self.scheme]) + self.name + big(self.version, 4))
        statement, count2, count1 = ct.counted(), ct.number(2), ct.number(2)
        ct1, in_g2 = ct.take(96), [ct.take(96) for _ in range(count2)]
        in_g1, masked = [ct.take(48) for _ in range(count1)], ct.take(32)
        ct.end()
        key = Cursor(key, b"WKABEUK" + bytes([1, self.scheme]) + self.fingerprint)
        decaps = self.decaps_cp if self.scheme == CP else self.decaps_kp
        message = xor(masked, mask(decaps(key, statement, ct1, in_g2, in_g1), ct1))
        again, secret = self.seal(statement, context, message)
        if not hmac.compare_digest(again, ciphertext):
            raise ValueError("cannot open")
        return secret

    def decaps_cp(self, key, statement, ct1, in_g2, in_g1):
        key.take(10)    # end and serial, which the labels say again
        labels = [key.counted() for _ in range(key.number(2))]
        sk1, sk3 = key.take(96), key.take(48)
        sk2 = {label: g1_point(key.take(48)) for label in labels}
        key.end()
        program = self.policy_program(Statement.read(statement))
        plan = planned(program, sk2)
        pairs = [(g1_point(sk3), g2_point(ct1))]
        for j, part in enumerate(in_g2, 1):
            pairs.append((combine((sk2[program.labels[i]], gamma) for i, gamma in plan.items()
                                  if program.rho[i] == j), g2_point(part)))
        rows = combine((g1_point(in_g1[i]), gamma) for i, gamma in plan.items())
        return pairings(pairs + [(neg(rows), g2_point(sk1))])

    def decaps_kp(self, key, statement, ct1, in_g2, in_g1):
        program = Program(read_formula(key.counted().decode()), self.space(RECORDS), self.schema)
        tau, rows = key.number(2), key.number(2)
        sk1, sk2 = [key.take(96) for _ in range(tau)], [key.take(48) for _ in range(rows)]
        key.end()
        labels = self.record_labels(read_attributes(statement.decode()))
        ct2 = dict(zip(labels, in_g1, strict=True))
        plan = planned(program, ct2)
        pairs = [(combine((g1_point(sk2[i]), gamma) for i, gamma in plan.items()), g2_point(ct1))]
        for j, part in enumerate(sk1, 1):
            pairs.append((neg(combine((g1_point(ct2[program.labels[i]]), gamma) for i, gamma in plan.items()
                                      if program.rho[i] == j)), g2_point(part)))
        return pairings(pairs)


def planned(program, held):
    plan = program.plan(held)
    if plan is None:
        raise ValueError("not satisfied")
    return plan


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def mask(k, ct1):
    return expand(extract(b"wardkeep abe 1 mask", gt_bytes(k)), ct1, 32)


@dataclass
class Statement:
    """What a CP ciphertext asks for; `cover` is a list's number, its date, and its nodes."""

    text: str
    bucket: int = None
    cover: tuple = None

    def to_bytes(self):
        out = counted(self.text.encode()) + bytes([self.bucket is not None])
        out += b"" if self.bucket is None else big(self.bucket, 4)
        if self.cover is None:
            return out + b"\x00"
        number, date, nodes = self.cover
        out += b"\x01" + big(number, 8) + big(date, 8) + big(len(nodes), 2)
        return out + b"".join(bytes([depth]) + big(value, 4) for depth, value in nodes)

    @classmethod
    def read(cls, data):
        at = Cursor(data, b"")
        text = at.counted().decode()
        if show_formula(read_formula(text)) != text:
            raise ValueError("a policy that is not in canonical form")
        bucket = at.number(4) if at.number(1) else None
        cover = None
        if at.number(1):
            cover = at.number(8), at.number(8), [(at.number(1), at.number(4)) for _ in range(at.number(2))]
        at.end()
        return cls(text, bucket, cover)


def serial_cover(revoked, bucket, bits):
    """The nodes over all serials but the revoked ones whose keys still live in the bucket."""
    nodes, start = [], 0
    for serial in sorted(serial for serial, end in revoked if end >= bucket) + [1 << bits]:
        nodes += cover(start, serial - 1, bits)
        start = serial + 1
    return nodes


# Known answers


# Of the revocation list of every case: number, issued at, next update, serials with their ends.
LIST = 4, 1000, 2000, [(3, 600_000)]


class Difference(Exception):
    """An answer that is not the known one."""


class Checks:
    """Compares the answers of a case, counting them."""

    def __init__(self, case, name):
        self.case, self.name, self.count = case, name, 0

    def equal(self, what, known, found):
        found = found.hex() if isinstance(found, bytes) else found
        self.count += 1
        if known != found:
            raise Difference(f"{self.name}: {what} differs\n  known {known}\n  found {found}")

    def input(self, key):
        return bytes.fromhex(self.case[key])

    def authority(self, scheme, bucket_length, serial_bits):
        made = Authority(scheme, self.input("authority"), self.input("authority_seed"), self.case["schema"],
                         bucket_length, serial_bits)
        self.equal("parameters", self.case["parameters"], made.parameters)
        self.equal("master key", self.case["master_key"], made.master_key)
        return made

    def sealed(self, authority, known, statement, key, what):
        """One ciphertext with its secret: made, and opened."""
        ciphertext, context = bytes.fromhex(known["ciphertext"]), bytes.fromhex(known["context"])
        found, secret = authority.seal(statement, context, bytes.fromhex(known["seed"]))
        self.equal("ciphertext" + what, known["ciphertext"], found)
        self.equal("secret" + what, known["secret"], secret)
        self.equal("opened secret" + what, known["secret"], authority.open(key, ciphertext, context))


def ciphertext_policy(case):
    checks = Checks(case, case["name"])
    authority = checks.authority(CP, case["bucket_length"], case["serial_bits"])
    checks.equal("fingerprint", case["fingerprint"], authority.fingerprint)
    labels = authority.attribute_labels(USERS, read_attributes(case["attributes"]))
    checks.equal("number of labels", len(case["labels"]), len(labels))
    for known, label in zip(case["labels"], sorted(labels)):
        checks.equal("label " + known["means"], known["bytes"], label)
        checks.equal("point of " + known["means"], known["point"], g1_bytes(hash_point(CP, "H", label)))
    key = authority.user_key(checks.input("key_seed"), labels, case["valid_until"], case["serial"])
    checks.equal("user key", case["key"], key)
    checks.equal("revocation list", case["revocation_list"], authority.revocation_list(*LIST))
    text = show_formula(read_formula(case["policy"]))
    rows = Program(read_formula(text), authority.space(USERS), authority.schema).labels
    checks.equal("number of rows", case["rows"], len(rows))
    for known in case["sealed"]:
        nodes = None
        if known["revocation_list"] is not None:
            nodes = known["revocation_list"], LIST[1], serial_cover(LIST[3], known["bucket"], case["serial_bits"])
        statement = Statement(text, known["bucket"], nodes).to_bytes()
        checks.sealed(authority, known, statement, key, f" of bucket {known['bucket']}")
    return checks


def key_policy(case):
    checks = Checks(case, "key policy")
    authority = checks.authority(KP, "day", 20)
    key = authority.formula_key(checks.input("key_seed"), case["formula"])
    checks.equal("user key", case["key"], key)
    statement = show_attributes(read_attributes(case["record"])).encode()
    checks.sealed(authority, case, statement, key, "")
    return checks


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", metavar="NAME", help="this case alone; `key policy` is the twin's")
    wanted = parser.parse_args().case
    answers = json.loads((pathlib.Path(__file__).parent / "v1/known-answers.json").read_text("utf-8"))
    cases = [(case["name"], ciphertext_policy, case) for case in answers["ciphertext_policy"]]
    cases = [case for case in cases + [("key policy", key_policy, answers["key_policy"])]
             if wanted in (None, case[0])]
    if not cases:
        sys.exit("no case of that name: " + wanted)
    total = 0
    for name, check, case in cases:
        try:
            count = check(case).count
        except (Difference, ValueError) as error:
            sys.exit(f"FAILED  {name}: {error}")
        print(f"ok  {name}: {count} answers", flush=True)
        total += count
    print(f"second implementation: {len(cases)} cases, {total} answers, all equal")


if __name__ == "__main__":
    main()
