#!/usr/bin/env python3
"""A second implementation of docs/abe.md, written from that document alone.

It makes every byte of v1/known-answers.json from the inputs of each case, compares, and opens each ciphertext as
its holder would. It is slow and not constant-time: it shows that the document is complete, and guards nothing.

    pip install -r abe/testdata/requirements.txt
    python abe/testdata/second.py [--case NAME]
"""

import argparse
import datetime
import functools
import hashlib
import hmac
import itertools
import json
import pathlib
import re
import sys
import unicodedata
from dataclasses import dataclass, field

from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2, decompress_G1, decompress_G2
from py_ecc.fields import optimized_bls12_381_FQ12 as FQ12
from py_ecc.optimized_bls12_381 import (
    G1, G2, Z1, add, curve_order as R, field_modulus as P, final_exponentiate, multiply, neg, pairing)

CP, KP = 1, 2
ALPHA, SIGNER, KEY, SHARE, ENCAPS, REPEAT = 1, 2, 3, 4, 5, 6  # draws
USERS, BUCKETS, SERIALS, RECORDS = 1, 2, 3, 4  # namespaces
EQUAL, PREFIX, NOT, HASH_PREFIX = 1, 2, 3, 4  # kinds of label
TEXT, ENUM, NUMBER, DATE = 1, 2, 3, 4  # types of value
BUCKET_LENGTHS = {"hour": (1, 20), "day": (2, 16)}  # number in the parameters, bits


# Bytes

def big(number, length):
    return number.to_bytes(length, "big")

def counted(data):
    return big(len(data), 4) + data

def sha256(data):
    return hashlib.sha256(data).digest()

def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))

def extract(salt, key):
    return hmac.digest(salt, key, "sha256")

def expand(prk, info, length):
    out = block = b""
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
    """Reads an encoding that begins with `magic`."""

    def __init__(self, data, magic=b""):
        self.data = data
        if self.take(len(magic)) != magic:
            raise ValueError("another kind of object, or of another authority")

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

def gt_bytes(element):
    """py_ecc's FQ12 is Fp[w] with w^6 = 1 + u, so a + b u at w^k is a - b at w^k and b at w^(k + 6). Since v = w^2,
    the pair c_i.c_j of the document's tower stands at k = i + 2 j."""
    pairs = [(int(element.coeffs[k]), int(element.coeffs[k + 6])) for k in (0, 2, 4, 1, 3, 5)]
    return b"".join(big((low + high) % P, 48) + big(high, 48) for low, high in pairs)

@functools.cache
def hash_point(scheme, letter, message):
    """H1 under the tag of attributes (H) or of the blinding point (B)."""
    tag = f"WARDKEEP-V01-FABEO-{'CP' if scheme == CP else 'KP'}-{letter}-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
    return hash_to_G1(message, tag.encode(), hashlib.sha256)

def combine(points_and_powers):
    """The product of powers of points of G1."""
    total = Z1
    for point, power in points_and_powers:
        total = add(total, point if power == 1 else multiply(point, power))
    return total

def pairings(pairs):
    """The product of e(a, b) over pairs of points of G1 and G2, with one final exponentiation.

    The document's e is the cube of the usual pairing, and that is the inverse of py_ecc's: the loop counts by x,
    which is negative, and py_ecc counts by -x.
    """
    product = FQ12.one()
    for a, b in pairs:
        product *= pairing(b, neg(a), final_exponentiate=False)
    return final_exponentiate(product) ** 3


# Ed25519 (RFC 8032, 5.1): a signer, in affine coordinates

ED_P = 2**255 - 19
ED_L = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P
ED_BASE = 15112221349535400772501151409588531511454012693041857206046113283949847762202, 4 * pow(5, -1, ED_P) % ED_P

def ed_add(p, q):
    t = ED_D * p[0] * q[0] * p[1] * q[1]
    x, y = p[0] * q[1] + q[0] * p[1], p[1] * q[1] + p[0] * q[0]
    return x * pow(1 + t, -1, ED_P) % ED_P, y * pow(1 - t, -1, ED_P) % ED_P

def ed_base_times(scalar):
    """The encoding of scalar times the base point."""
    point, total = ED_BASE, (0, 1)
    for bit in reversed(f"{scalar:b}"):
        total = ed_add(total, point) if bit == "1" else total
        point = ed_add(point, point)
    return (total[1] | (total[0] & 1) << 255).to_bytes(32, "little")

def ed_keys(seed):
    """Secret scalar, prefix of nonces, public key."""
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return scalar, digest[32:], ed_base_times(scalar)

def ed_sign(seed, message):
    scalar, prefix, public = ed_keys(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little")
    point = ed_base_times(nonce % ED_L)
    challenge = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little")
    return point + ((nonce + challenge * scalar) % ED_L).to_bytes(32, "little")


# Texts. A value is a str, an int or a date.

KEYWORDS = ("and", "or", "of", "in", "not")
ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
MARKS = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M")
TOKEN = re.compile(r"""[ \t\r\n]*(?:(?P<quoted>"(?:[^"\\\n]|\\.)*")|(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\w-]))
    |(?P<number>(?:0|-?[1-9][0-9]*)(?![\w-]))|(?P<word>[^\W\d][\w.""" + MARKS + r"""-]*)
    |(?P<sign>!=|<=|>=|[=<>()\[\],:])|(?P<end>\Z))""", re.VERBOSE)

def unquoted(text):
    def plain(found):
        return chr(int(found[1], 16)) if found[1] else ESCAPES[found[2]]
    return re.sub(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))", plain, text[1:-1])

def tokens(text):
    """Pairs of kind and value; keywords are signs."""
    at, kind = 0, None
    while kind != "end":
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"nothing begins like this: {text[at:at + 20]}")
        at, kind = found.end(), found.lastgroup
        value = found[kind]
        if kind in ("word", "quoted"):
            value = unicodedata.normalize("NFC", unquoted(value) if kind == "quoted" else value)
            kind = "sign" if kind == "word" and value in KEYWORDS else kind
        elif kind in ("number", "date"):
            value = int(value) if kind == "number" else datetime.date.fromisoformat(value)
        yield kind, value

class Reader:
    """Takes tokens from the left, or says what was expected."""

    def __init__(self, text):
        self.left = list(tokens(text))

    def one(self, *kinds):
        if self.left[0][0] not in kinds:
            raise ValueError(f"{kinds} expected, not {self.left[0]}")
        return self.left.pop(0)[1]

    def maybe(self, *values):
        """A sign or word, if it is one of these."""
        kind, value = self.left[0]
        return self.left.pop(0)[1] if kind in ("sign", "word") and value in values else None

    def need(self, *values):
        found = self.maybe(*values)
        if found is None:
            raise ValueError(f"{values} expected, not {self.left[0]}")
        return found

    def separated(self, item, by=","):
        out = [item()]
        while self.maybe(by):
            out.append(item())
        return out

    def enclosed(self, item, opening, closing):
        self.need(opening)
        out = [] if self.left[0] == ("sign", closing) else self.separated(item)
        self.need(closing)
        return out

    def name(self):
        return self.one("word", "quoted")

    def value(self):
        return self.one("word", "quoted", "number", "date")

    def whole(self, item):
        out = item()
        self.one("end")
        return out

# What nobody sees, and canonical texts escape.
UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
                    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
                    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")

def shown(value):
    """A name or value in canonical form."""
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if not isinstance(value, str) or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", value) and value not in KEYWORDS:
        return str(value)
    letters = {plain: "\\" + letter for letter, plain in ESCAPES.items()}
    escaped = "".join(letters.get(c, c) for c in value)
    return '"' + UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", escaped) + '"'

def ascending(values):
    return sorted(values, key=lambda v: v.encode() if isinstance(v, str) else v)

@dataclass
class Declaration:
    """What a schema says of a name; width and unit are those of the type tag."""

    name: str
    type: int
    width: int = 0
    signed: bool = False
    many: bool = False
    negatable: bool = False
    unit: str = ""
    values: list = field(default_factory=list)

    @classmethod
    def of(cls, name, kind):
        """The plainest one of a type; `kind` is its word or, where nothing is declared, the class of a value."""
        kind = {str: "text", int: "number", datetime.date: "date"}.get(kind, kind)
        number, width, unit = {"text": (TEXT, 0, ""), "enum": (ENUM, 0, ""), "number": (NUMBER, 32, ""),
                               "date": (DATE, 22, "day")}[kind]
        return cls(name, number, width, unit=unit)

    @classmethod
    def read(cls, reader):
        name = reader.name()
        reader.need(":")
        kind = reader.need("text", "date", "enum", "number")
        made = cls.of(name, kind)
        if kind == "enum":
            made.values = reader.enclosed(reader.name, "(", ")")
        elif kind == "number" and reader.maybe("("):
            if reader.left[0][0] == "number":
                made.width = reader.one("number")
                reader.maybe(",")
            made.signed = reader.maybe("signed", "unsigned") == "signed"
            reader.need(")")
        while (flag := reader.maybe("set", "negatable", "unit")):
            made.many |= flag == "set"
            made.negatable |= flag == "negatable"
            if flag == "unit":
                made.unit, = reader.enclosed(reader.name, "(", ")")
        return made

    def to_bytes(self):
        width, unit = (0, "") if self.type == DATE else (self.width, self.unit)
        flags = self.signed | self.many << 1 | self.negatable << 2 | bool(unit) << 3
        out = counted(self.name.encode()) + bytes([self.type, width, flags]) + counted(unit.encode())
        return out + big(len(self.values), 4) + b"".join(counted(v.encode()) for v in ascending(self.values))

    def position(self, value):
        """A number or date as an unsigned number of `width` bits."""
        return value.toordinal() - 1 if self.type == DATE else value + self.signed * (1 << self.width - 1)

    def last(self):
        return datetime.date.max.toordinal() - 1 if self.type == DATE else (1 << self.width) - 1

def read_schema(text):
    """Declarations by name, a line each."""
    lines = re.sub(r'("(?:[^"\\\n]|\\.)*")|#.*', r"\1", text).split("\n")
    readers = [Reader(line) for line in lines if line.strip()]
    return {made.name: made for made in (r.whole(lambda: Declaration.read(r)) for r in readers)}

def read_attributes(text):
    """Pairs of a name and its value or, for a set, its list of values; names and values ascending."""
    reader = Reader(text)

    def attribute():
        name = reader.name()
        reader.need("=")
        if reader.left[0] == ("sign", "["):
            return name, ascending(set(reader.enclosed(reader.value, "[", "]")))
        return name, reader.value()

    return sorted(reader.whole(lambda: reader.separated(attribute)), key=lambda pair: pair[0].encode())

def show_attributes(pairs):
    return ", ".join(f"{shown(name)} = {shown(value)}" for name, value in pairs)


# A formula is ("leaf", name, op, values) or ("of", k, children): `and` is n of n, `or` is 1 of n.

def junction(k, children):
    """k of the children in canonical form: `and` and `or` flattened, neither with one child."""
    if 1 < k < len(children):
        return "of", k, children
    spread = []
    for child in children:
        inner = child[0] == "of" and child[1] == (1 if k == 1 else len(child[2]))
        spread += child[2] if inner and len(children) > 1 else [child]
    return spread[0] if len(spread) == 1 else ("of", 1 if k == 1 else len(spread), spread)

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
            children = reader.enclosed(either, "(", ")")
            if not 1 <= k <= len(children):
                raise ValueError("a threshold out of range")
            return junction(k, children)
        name, op = reader.name(), reader.need("=", "!=", "<", "<=", ">", ">=", "in")
        if op != "in":
            return "leaf", name, op, [reader.value()]
        values = list(dict.fromkeys(reader.enclosed(reader.value, "[", "]")))
        if not values:
            raise ValueError("a list of nothing")
        return "leaf", name, "in" if len(values) > 1 else "=", values

    return reader.whole(either)

def show_formula(node, inside_and=False):
    if node[0] == "leaf":
        _, name, op, values = node
        return f"{shown(name)} {op} {shown(values if op == 'in' else values[0])}"
    k, children = node[1:]
    if k == len(children):
        return " and ".join(show_formula(child, True) for child in children)
    if k > 1:
        return f"{k} of (" + ", ".join(map(show_formula, children)) + ")"
    text = " or ".join(map(show_formula, children))
    return f"({text})" if inside_and else text


# Labels

def dyadic_cover(low, high, bits):
    """The canonical cover of low .. high: pairs of a prefix's length and the prefix, ascending."""
    out = []
    while low <= high:
        free = (low & -low).bit_length() - 1 if low else bits
        while low + (1 << free) - 1 > high:
            free -= 1
        out.append((bits - free, low >> free))
        low += 1 << free
    return out

class Space:
    """A namespace of an authority's version: where labels come from."""

    def __init__(self, authority, version, namespace):
        self.origin = counted(authority) + counted(big(version, 4)) + counted(bytes([namespace]))

    def label(self, kind, length, d, value):
        tag = bytes([kind, length, d.type, d.width, d.signed, d.many]) + d.unit.encode()
        value = value.encode() if isinstance(value, str) else big(value, 8)
        return self.origin + counted(tag) + counted(d.name.encode()) + counted(value)

    def hash_prefixes(self, d, value, flip):
        """The path of a text's hash, or with flip = 1 the siblings along it."""
        own = self.label(EQUAL, 0, d, value)
        path = int.from_bytes(sha256(counted(b"wardkeep-abe-v1/hash-prefix") + counted(own))[:4], "big")
        return [self.label(HASH_PREFIX, i, d, path >> 32 - i ^ flip) for i in range(1, 33)]

    def prefixes(self, d, number):
        return [self.label(PREFIX, length, d, number >> d.width - length) for length in range(d.width + 1)]

    def of_value(self, d, values):
        """What a key, or a record, holds for a value."""
        if d.type in (NUMBER, DATE):
            return [label for value in values for label in self.prefixes(d, d.position(value))]
        labels = [self.label(EQUAL, 0, d, value) for value in values]
        if d.negatable and d.type == ENUM:
            labels += [self.label(NOT, 0, d, value) for value in d.values if value not in values]
        elif d.negatable:
            labels += self.hash_prefixes(d, values[0], 0)
        return labels

    def range(self, d, low, high):
        nodes = dyadic_cover(low, high, d.width)
        if d.type == DATE and high == d.last():
            nodes = min(nodes, dyadic_cover(low, (1 << d.width) - 1, d.width), key=len)
        return [self.label(PREFIX, length, d, prefix) for length, prefix in nodes]

    def of_comparison(self, d, op, values):
        """The labels of which one is needed, in order."""
        if d.type in (TEXT, ENUM):
            if op == "!=" and d.type == TEXT:
                return self.hash_prefixes(d, values[0], 1)
            return [self.label(NOT if op == "!=" else EQUAL, 0, d, value) for value in values]
        points = sorted(map(d.position, values))
        below, above = (0, points[0] - 1), (points[0] + 1, d.last())
        ranges = {"<": [below], "<=": [(0, points[0])], ">": [above], ">=": [(points[0], d.last())],
                  "!=": [below, above]}.get(op, [])
        for point in points if op in ("=", "in") else ():
            joins = ranges and ranges[-1][1] == point - 1
            ranges.append((ranges.pop()[0] if joins else point, point))
        return [label for bounds in ranges for label in self.range(d, *bounds)]


# Span program

class Program:
    """A formula's rows. A node is ("row", i) or ("of", k, children)."""

    def __init__(self, formula, space, schema):
        self.labels, self.space, self.schema = [], space, schema
        self.root = self.compiled(formula)

    def any_of(self, labels):
        self.labels += labels
        return "of", 1, [("row", i) for i in range(len(self.labels) - len(labels), len(self.labels))]

    def compiled(self, node):
        if node[0] == "of":
            return "of", node[1], [self.compiled(child) for child in node[2]]
        _, name, op, values = node
        declared = self.schema.get(name) or Declaration.of(name, type(values[0]))
        return self.any_of(self.space.of_comparison(declared, op, values))

    def rho(self):
        return [1 + self.labels[:i].count(label) for i, label in enumerate(self.labels)]

    def shares(self, secret, draws):
        """A share of the secret for each row."""
        out, asked = {}, itertools.count()

        def share(node, part):
            if node[0] == "row":
                out[node[1]] = part
                return
            k, children = node[1:]
            drawn = [draws.scalar(SHARE, next(asked)) for _ in range(k - 1)]
            if k == len(children):
                parts = [part - sum(drawn)] + drawn
            else:
                parts = [sum(a * x**e for e, a in enumerate([part] + drawn)) for x in range(1, len(children) + 1)]
            for child, each in zip(children, parts):
                share(child, each % R)

        share(self.root, secret)
        return [out[i] for i in range(len(self.labels))]

    def plan(self, held):
        """Coefficients by row under which the shares of labels that are held sum to the secret."""

        def coefficients(node):
            if node[0] == "row":
                return {node[1]: 1} if self.labels[node[1]] in held else None
            k, children = node[1:]
            ways = [(x, way) for x, way in enumerate(map(coefficients, children), 1) if way is not None][:k]
            out = {}
            for x, way in ways:
                factor = 1
                for other in (y for y, _ in ways if y != x and k < len(children)):
                    factor = factor * other * pow(other - x, -1, R) % R
                out.update((row, gamma * factor % R) for row, gamma in way.items())
            return out if len(ways) == k else None

        found = coefficients(self.root)
        if found is None:
            raise ValueError("not satisfied")
        return found


# Authority: keys, revocation lists, ciphertexts

@dataclass
class Statement:
    """What a CP ciphertext asks for; `cover` is a revocation list's number, its date, and nodes."""

    text: str
    bucket: int = None
    cover: tuple = None

    def to_bytes(self):
        out = counted(self.text.encode())
        out += b"\x00" if self.bucket is None else b"\x01" + big(self.bucket, 4)
        if self.cover is None:
            return out + b"\x00"
        number, date, nodes = self.cover
        out += b"\x01" + big(number, 8) + big(date, 8) + big(len(nodes), 2)
        return out + b"".join(bytes([depth]) + big(value, 4) for depth, value in nodes)

    @classmethod
    def read(cls, data):
        at = Cursor(data)
        text = at.counted().decode()
        if show_formula(read_formula(text)) != text:
            raise ValueError("a policy that is not in canonical form")
        bucket, cover = at.number(4) if at.number(1) else None, None
        if at.number(1):
            cover = at.number(8), at.number(8), [(at.number(1), at.number(4)) for _ in range(at.number(2))]
        at.end()
        return cls(text, bucket, cover)

def serial_cover(revoked, bucket, bits):
    """The nodes over all serials but the revoked ones whose keys have not ended before the bucket."""
    nodes, start = [], 0
    for serial in sorted(serial for serial, end in revoked if end >= bucket) + [1 << bits]:
        nodes += dyadic_cover(start, serial - 1, bits)
        start = serial + 1
    return nodes

class Authority:
    """An authority made from its seed. Sealing and opening use only what its public parameters say."""

    def __init__(self, scheme, name, seed, schema, bucket_length, serial_bits):
        self.scheme, self.name, self.version, self.schema = scheme, name, 1, read_schema(schema)
        number, bits = BUCKET_LENGTHS[bucket_length]
        self.bucket = Declaration("valid-until", NUMBER, bits, unit=bucket_length)
        self.serial = Declaration("serial", NUMBER, serial_bits)
        draws = Draws(b"wardkeep abe 1 authority" if scheme == CP else b"wardkeep abe 1 key-policy authority", seed)
        self.alpha, self.signing_seed = draws.scalar(ALPHA), draws.bytes(SIGNER, 0, 32)
        self.a1 = multiply(G1, self.alpha)
        self.e = pairings([(self.a1, G2)])
        declared = sorted(self.schema.values(), key=lambda made: made.name.encode())
        schema = b"\x01" + big(len(declared), 4) + b"".join(made.to_bytes() for made in declared)
        unsigned = b"WKABEPP" + bytes([1, scheme]) + name + big(self.version, 4) + bytes([number, serial_bits])
        unsigned += counted(schema) + gt_bytes(self.e) + ed_keys(self.signing_seed)[2]
        self.fingerprint = sha256(unsigned)
        self.parameters = unsigned + ed_sign(self.signing_seed, unsigned)
        self.master_key = b"WKABEMK\x01" + g1_bytes(self.a1) + self.signing_seed + counted(self.parameters)

    def space(self, namespace):
        return Space(self.name, self.version, namespace)

    def labels(self, namespace, attributes):
        labels = set()
        for name, value in read_attributes(attributes):
            values = value if isinstance(value, list) else [value]
            declared = self.schema.get(name) or Declaration.of(name, type(values[0]))
            labels.update(self.space(namespace).of_value(declared, values))
        return sorted(labels)

    def user_key(self, seed, labels, end, serial):
        """A CP key for labels of attributes, valid until the bucket `end`."""
        labels = labels + self.space(BUCKETS).prefixes(self.bucket, end)
        labels = sorted(labels + self.space(SERIALS).prefixes(self.serial, serial))
        r = Draws(b"wardkeep abe 1 user key", seed).scalar(KEY)
        out = b"WKABEUK" + bytes([1, CP]) + self.fingerprint + b"\x01" + big(end, 4) + b"\x01" + big(serial, 4)
        out += big(len(labels), 2) + b"".join(map(counted, labels)) + g2_bytes(multiply(G2, r))
        out += g1_bytes(combine([(self.a1, 1), (hash_point(CP, "B", b"B"), r)]))
        return out + b"".join(g1_bytes(multiply(hash_point(CP, "H", label), r)) for label in labels)

    def formula_key(self, seed, text):
        """A KP key. Alpha is known here and shared as it is; who has dropped it shares in the exponent of A1."""
        draws, formula = Draws(b"wardkeep abe 1 formula key", seed), read_formula(text)
        program = Program(formula, self.space(RECORDS), self.schema)
        in_g2, in_g1 = self.rows(program, draws, KEY, G1, self.alpha)
        out = b"WKABEUK" + bytes([1, KP]) + self.fingerprint + counted(show_formula(formula).encode())
        return out + big(len(in_g2), 2) + big(len(in_g1), 2) + b"".join(in_g2 + in_g1)

    def rows(self, program, draws, repeat, base, secret):
        """What a formula becomes, in a ciphertext or in a key: a power of g2 for each use of a label, a point of G1
        for each row."""
        rho = program.rho()
        powers = [draws.scalar(repeat, j) for j in range(max(rho))]
        rows = zip(program.shares(secret, draws), program.labels, rho)
        return [g2_bytes(multiply(G2, power)) for power in powers], [
            g1_bytes(combine([(base, share), (hash_point(self.scheme, "H", label), powers[j - 1])]))
            for share, label, j in rows]

    def revocation_list(self, number, issued, until, revoked):
        """`revoked` has pairs of a serial and the end of its key."""
        out = b"WKABERL\x01" + self.name + big(self.version, 4) + big(number, 8) + big(issued, 8) + big(until, 8)
        out += big(len(revoked), 4) + b"".join(big(serial, 4) + big(end, 4) for serial, end in sorted(revoked))
        return out + ed_sign(self.signing_seed, out)

    def policy(self, statement):
        """The span program of a CP statement: the formula and, around it, time and serials if asked for."""
        asked = Statement.read(statement)
        program = Program(read_formula(asked.text), self.space(USERS), self.schema)
        around = [program.root]
        if asked.bucket is not None:
            living = self.space(BUCKETS).range(self.bucket, asked.bucket, self.bucket.last())
            around.append(program.any_of(living))
        if asked.cover is not None:
            space = self.space(SERIALS)
            around.append(program.any_of([space.label(PREFIX, depth, self.serial, value)
                                          for depth, value in asked.cover[2]]))
        program.root = "of", len(around), around
        return program

    def seal(self, statement, context, message):
        """The ciphertext of a message, and the secret that comes with it."""
        scheme = b"wardkeep abe 1 FABEO " + (b"CP" if self.scheme == CP else b"KP")
        binding = sha256(b"".join(map(counted, (scheme, self.fingerprint, statement, context))))
        draws = Draws(binding, message)
        s = draws.scalar(ENCAPS)
        if self.scheme == CP:
            in_g2, in_g1 = self.rows(self.policy(statement), draws, REPEAT, hash_point(CP, "B", b"B"), s)
        else:
            labels = self.labels(RECORDS, statement.decode())
            in_g2, in_g1 = [], [g1_bytes(multiply(hash_point(KP, "H", label), s)) for label in labels]
        ct1 = g2_bytes(multiply(G2, s))
        out = b"WKABECT" + bytes([1, self.scheme]) + self.name + big(self.version, 4) + counted(statement)
        out += big(len(in_g2), 2) + big(len(in_g1), 2) + ct1 + b"".join(in_g2 + in_g1)
        out += xor(message, self.mask(self.e ** s, ct1))
        return out, expand(extract(b"wardkeep abe 1 data key", message), sha256(out), 32)

    @staticmethod
    def mask(k, ct1):
        return expand(extract(b"wardkeep abe 1 mask", gt_bytes(k)), ct1, 32)

    def open(self, key, ciphertext, context):
        """The secret, or an error: what the holder of a user key does."""
        at = Cursor(ciphertext, b"WKABECT" + bytes([1, self.scheme]) + self.name + big(self.version, 4))
        statement, count2, count1, ct1 = at.counted(), at.number(2), at.number(2), at.take(96)
        in_g2, in_g1 = [at.take(96) for _ in range(count2)], [at.take(48) for _ in range(count1)]
        masked = at.take(32)
        at.end()
        key = Cursor(key, b"WKABEUK" + bytes([1, self.scheme]) + self.fingerprint)
        decaps = self.decaps_cp if self.scheme == CP else self.decaps_kp
        message = xor(masked, self.mask(decaps(key, statement, ct1, in_g2, in_g1), ct1))
        again, secret = self.seal(statement, context, message)
        if not hmac.compare_digest(again, ciphertext):
            raise ValueError("cannot open")
        return secret

    def decaps_cp(self, key, statement, ct1, ct2, ct3):
        key.take(10)  # end and serial, which the labels say again
        labels = [key.counted() for _ in range(key.number(2))]
        sk1, sk3, sk2 = key.take(96), key.take(48), {label: key.take(48) for label in labels}
        key.end()
        program = self.policy(statement)
        plan = program.plan(sk2)
        rows = combine((g1_point(ct3[i]), gamma) for i, gamma in plan.items())
        pairs = [(g1_point(sk3), g2_point(ct1)), (neg(rows), g2_point(sk1))]
        return pairings(pairs + self.by_use(program, plan, sk2, ct2))

    def decaps_kp(self, key, statement, ct1, _, in_g1):
        program = Program(read_formula(key.counted().decode()), self.space(RECORDS), self.schema)
        tau, rows = key.number(2), key.number(2)
        sk1, sk2 = [key.take(96) for _ in range(tau)], [key.take(48) for _ in range(rows)]
        key.end()
        ct2 = dict(zip(self.labels(RECORDS, statement.decode()), in_g1, strict=True))
        plan = program.plan(ct2)
        pairs = [(combine((g1_point(sk2[i]), gamma) for i, gamma in plan.items()), g2_point(ct1))]
        return pairings(pairs + [(neg(a), b) for a, b in self.by_use(program, plan, ct2, sk1)])

    @staticmethod
    def by_use(program, plan, by_label, in_g2):
        """For each j the points of the plan's labels at rows with rho = j, against the j-th point of G2."""
        rho = program.rho()
        return [(combine((g1_point(by_label[program.labels[i]]), gamma) for i, gamma in plan.items() if rho[i] == j),
                 g2_point(point)) for j, point in enumerate(in_g2, 1)]


# Known answers


# The revocation list of every case: number, issued at, next update, serials with the ends of their keys.
LIST = 4, 1000, 2000, [(3, 600_000)]

def sealed(authority, known, statement, key):
    """A ciphertext and its secret, made and opened."""
    ciphertext, context, message = (bytes.fromhex(known[name]) for name in ("ciphertext", "context", "seed"))
    found, secret = authority.seal(statement, context, message)
    yield "ciphertext", known["ciphertext"], found
    yield "secret", known["secret"], secret
    yield "secret of the opened ciphertext", known["secret"], authority.open(key, ciphertext, context)

def authority_of(case, scheme, bucket_length, serial_bits):
    name, seed = bytes.fromhex(case["authority"]), bytes.fromhex(case["authority_seed"])
    return Authority(scheme, name, seed, case["schema"], bucket_length, serial_bits)

def ciphertext_policy(case):
    """What is compared, the known answer, the answer found."""
    authority = authority_of(case, CP, case["bucket_length"], case["serial_bits"])
    yield "parameters", case["parameters"], authority.parameters
    yield "fingerprint", case["fingerprint"], authority.fingerprint
    yield "master key", case["master_key"], authority.master_key
    written = case["written"]
    yield "attributes", case["attributes"], show_attributes(read_attributes(written["attributes"]))
    labels = authority.labels(USERS, written["attributes"])
    yield "number of labels", len(case["labels"]), len(labels)
    for known, label in zip(case["labels"], labels):
        yield "label " + known["means"], known["bytes"], label
        yield "point of " + known["means"], known["point"], g1_bytes(hash_point(CP, "H", label))
    key = authority.user_key(bytes.fromhex(case["key_seed"]), labels, case["valid_until"], case["serial"])
    yield "user key", case["key"], key
    yield "revocation list", case["revocation_list"], authority.revocation_list(*LIST)
    formula = read_formula(written["policy"])
    yield "policy", case["policy"], show_formula(formula)
    yield "number of rows", case["rows"], len(Program(formula, authority.space(USERS), authority.schema).labels)
    for known in case["sealed"]:
        bucket, number = known["bucket"], known["revocation_list"]
        cover = None if number is None else (number, LIST[1], serial_cover(LIST[3], bucket, case["serial_bits"]))
        yield from sealed(authority, known, Statement(show_formula(formula), bucket, cover).to_bytes(), key)

def key_policy(case):
    authority = authority_of(case, KP, "day", 20)
    yield "parameters", case["parameters"], authority.parameters
    yield "master key", case["master_key"], authority.master_key
    key = authority.formula_key(bytes.fromhex(case["key_seed"]), case["formula"])
    yield "user key", case["key"], key
    yield from sealed(authority, case, show_attributes(read_attributes(case["record"])).encode(), key)

def compared(answers):
    """How many answers there are, all equal."""
    count = 0
    for what, known, found in answers:
        found = found.hex() if isinstance(found, bytes) else found
        if known != found:
            raise ValueError(f"{what} differs\n  known {known}\n  found {found}")
        count += 1
    return count

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", metavar="NAME", help="this case alone; the key-policy one is `key policy`")
    wanted = parser.parse_args().case
    answers = json.loads((pathlib.Path(__file__).parent / "v1/known-answers.json").read_text("utf-8"))
    cases = [(case["name"], ciphertext_policy, case) for case in answers["ciphertext_policy"]]
    cases.append(("key policy", key_policy, answers["key_policy"]))
    cases = [each for each in cases if wanted in (None, each[0])]
    if not cases:
        sys.exit(f"no case is named {wanted}")
    total = 0
    for name, answers_of, case in cases:
        try:
            count = compared(answers_of(case))
        except ValueError as error:
            sys.exit(f"FAILED  {name}: {error}")
        print(f"ok  {name}: {count} answers", flush=True)
        total += count
    print(f"second implementation: {len(cases)} cases, {total} answers, all equal")

if __name__ == "__main__":
    main()
