// Vectors for archives that a reader refuses before anything reaches a disk. Section 4 of the format document.

import { deflateSync } from "fflate";
import type { Vector } from "./vector.ts";
import {
  DEFLATED,
  descriptor,
  extraField,
  FLAG,
  MODE,
  STORED,
  type ZipEntry,
  type ZipLayout,
  zip,
} from "./zip-writer.ts";

export function archiveReject(): Vector[] {
  return [...names(), ...pairsOfNames(), ...types(), ...contents(), ...frames(), ...bombs()];
}

const good: ZipEntry = { name: "good.txt", data: "good" };

/** One bad entry between two good ones: the whole archive is refused. */
function bad(name: string, description: string, entry: ZipEntry): Vector {
  return refuses(name, description, zip([good, entry, { name: "zz", data: "last" }]));
}

function names(): Vector[] {
  const list: readonly [string, string][] = [
    ["parent", "../x"],
    ["parent-inside", "a/../../x"],
    ["parent-harmless", "a/../x"],
    ["parent-at-end", "a/.."],
    ["only-parent", ".."],
    ["dot", "./x"],
    ["dot-inside", "a/./x"],
    ["only-dot", "."],
    ["absolute", "/etc/x"],
    ["double-slash", "//srv/x"],
    ["empty-part", "a//b"],
    ["empty", ""],
    ["only-slash", "/"],
    ["drive", "C:\\x"],
    ["drive-slash", "c:/x"],
    ["drive-relative", "c:x"],
    ["unc", "\\\\srv\\x"],
    ["backslash", "a\\b"],
    ["backslash-parent", "a\\..\\b"],
    ["stream", "a:b"],
    ["nul", "a\0.txt"],
    ["line-feed", "a\nb"],
    ["escape", "a\u001b[2Jb"],
    ["delete", "a\u007fb"],
    ["c1", "a\u009bb"],
    ["right-to-left-override", "exe.\u202egnp"],
    ["right-to-left-isolate", "a\u2067b"],
    ["device", "CON"],
    ["device-with-extension", "nul.txt"],
    ["device-in-folder", "logs/com1/x"],
    ["device-lower-case", "lpt9"],
    ["trailing-dot", "a./b"],
    ["trailing-space", "a /b"],
    ["three-dots", "..."],
    ["less-than", "a<b"],
    ["question-mark", "a?"],
    ["asterisk", "*"],
    ["quote", 'a"b'],
    ["pipe", "a|b"],
    ["decomposed", "cafe\u0301"],
    ["part-256-bytes", "n".repeat(256)],
    ["part-256-bytes-of-128-characters", "\u00e9".repeat(128)],
    ["1025-bytes", `${`${"p".repeat(200)}/`.repeat(5)}${"q".repeat(20)}`],
    ["65-parts", `${"d/".repeat(64)}file`],
    ["git-hook", ".git/hooks/post-checkout"],
  ];
  return [
    ...list.map(([name, entry]) =>
      bad(`name-${name}`, `An entry named ${shown(entry)}`, { name: entry, data: "x" }),
    ),
    bad("name-not-utf-8", "A name that is no UTF-8", { name: Buffer.from([0x61, 0xff, 0x62]), data: "x" }),
    bad("name-overlong-slash", "A slash in a form that UTF-8 forbids", {
      name: Buffer.from([0x61, 0xc0, 0xaf, 0x62]),
      data: "x",
    }),
    bad("name-surrogate", "Half of a surrogate pair", {
      name: Buffer.from([0x61, 0xed, 0xa0, 0x80]),
      data: "x",
    }),
    bad("name-local-differs", "Another name in the local header", {
      name: "a",
      data: "x",
      local: { name: Buffer.from("b") },
    }),
    bad("name-local-reaches-out", "A local header that reaches out", {
      name: "aaaa",
      data: "x",
      local: { name: Buffer.from("../b") },
    }),
  ];
}

function pairsOfNames(): Vector[] {
  const list: readonly [string, string, string][] = [
    ["same", "a", "a"],
    ["case", "README", "readme"],
    ["case-of-folder", "Docs/a", "docs/b"],
    ["case-outside-ascii", "\u00c4", "\u00e4"],
    ["case-sharp-s", "stra\u00dfe", "STRASSE"],
    ["case-of-unicode-form", "\u1e9b\u0323", "\u1e69"],
    ["file-as-folder", "a", "a/b"],
    ["file-as-folder-case", "A", "a/b"],
    ["folder-as-file", "a/b", "a"],
  ];
  return list.map(([name, first, second]) =>
    refuses(
      `names-${name}`,
      `${shown(first)} and ${shown(second)}`,
      zip([
        { name: first, data: "1" },
        { name: second, data: "2" },
      ]),
    ),
  );
}

function types(): Vector[] {
  const mode = (name: string, description: string, value: number, data = "x"): Vector =>
    bad(`mode-${name}`, description, { name: "a", data, mode: value });
  return [
    mode("link", "A symbolic link", MODE.link, "/etc/passwd"),
    refuses(
      "mode-link-then-file-through-it",
      "A symbolic link to a folder, and a file in it",
      zip([
        { name: "a", data: "/tmp", mode: MODE.link },
        { name: "a/b", data: "x" },
      ]),
    ),
    mode("character-device", "A character device", 0o020600),
    mode("block-device", "A block device", 0o060600),
    mode("fifo", "A FIFO", 0o010600),
    mode("socket", "A socket", 0o140600),
    mode("folder", "A folder", MODE.folder),
    mode("set-uid", "A set-uid mode", 0o104700),
    mode("set-gid", "A set-gid mode", 0o102700),
    mode("sticky", "A sticky bit", 0o101600),
    mode("unknown-type", "A file type that does not exist", 0o170600),
    bad("folder-entry", "An entry for a folder: folders have none", { name: "a/", data: "", mode: 0o040700 }),
    bad("dos-folder", "A folder by its DOS attribute", { name: "a", data: "", madeBy: 20, attributes: 0x10 }),
  ];
}

function contents(): Vector[] {
  const text = Buffer.from("the same line again\n".repeat(50));
  const deflated = deflateSync(text, { level: 9 });
  const shrunk = { name: "a", data: text, method: DEFLATED } as const;
  const flipped = Buffer.from(deflated);
  flipped[10]! ^= 0x40;
  const withDescriptor = (name: string, description: string, bytes: Buffer): Vector =>
    bad(name, description, {
      name: "a",
      data: text,
      both: { flags: FLAG.descriptor },
      local: { crc: 0, compressedSize: 0, size: 0 },
      descriptor: bytes,
    });
  return [
    bad("crc", "A wrong CRC-32", { name: "a", data: "x", both: { crc: 1 } }),
    bad("crc-deflated", "A wrong CRC-32 of a deflated entry", { ...shrunk, both: { crc: 1 } }),
    bad("crc-local-differs", "Another CRC-32 in the local header", {
      name: "a",
      data: "x",
      local: { crc: 1 },
    }),
    bad("size-too-large", "A larger size than there are bytes", {
      ...shrunk,
      both: { size: text.length + 1 },
    }),
    bad("size-too-small", "A smaller size than the stream unpacks to", {
      ...shrunk,
      both: { size: text.length - 1 },
    }),
    bad("size-zero", "A size of 0", { ...shrunk, both: { size: 0 } }),
    bad("size-local-differs", "Another size in the local header", { ...shrunk, local: { size: 1 } }),
    bad("stored-sizes-differ", "A stored entry whose two sizes differ", {
      name: "a",
      data: "xy",
      both: { size: 1 },
    }),
    bad("compressed-size-local-differs", "Another packed size in the local header", {
      ...shrunk,
      local: { compressedSize: 1 },
    }),
    bad("deflate-cut", "A stream that stops early", { ...shrunk, compressed: deflated.subarray(0, -3) }),
    bad("deflate-trailing", "Bytes behind the end of the stream", {
      ...shrunk,
      compressed: Buffer.concat([deflated, Buffer.from("junk")]),
    }),
    bad("deflate-flipped", "One bit of the stream flipped", { ...shrunk, compressed: flipped }),
    bad("deflate-junk", "A stream that is none", { ...shrunk, compressed: Buffer.from([0xff, 0xff, 0xff]) }),
    bad("deflate-nothing", "A deflated entry of no bytes at all", { ...shrunk, compressed: Buffer.alloc(0) }),
    bad("encrypted", "An encrypted entry", {
      name: "a",
      data: "0123456789abx",
      both: { flags: FLAG.encrypted },
    }),
    bad("encrypted-strong", "Strong encryption", {
      name: "a",
      data: "x",
      both: { flags: FLAG.encrypted | FLAG.strongEncryption },
    }),
    bad("encrypted-local-only", "Encrypted, says the local header alone", {
      name: "a",
      data: "x",
      local: { flags: FLAG.encrypted },
    }),
    ...[1, 6, 9, 12, 14, 93, 99].map((method) =>
      bad(`method-${method}`, `Compression method ${method}`, { name: "a", data: "x", both: { method } }),
    ),
    bad("method-local-differs", "Another method in the local header", {
      ...shrunk,
      local: { method: STORED },
    }),
    withDescriptor(
      "descriptor-crc",
      "A data descriptor with another CRC-32",
      descriptor(Buffer.from("other"), text.length),
    ),
    withDescriptor(
      "descriptor-size",
      "A data descriptor with another packed size",
      descriptor(text, text.length - 1),
    ),
    withDescriptor(
      "descriptor-missing",
      "A data descriptor that is announced and not there",
      Buffer.alloc(0),
    ),
    withDescriptor(
      "descriptor-cut",
      "A data descriptor cut short",
      descriptor(text, text.length).subarray(0, 8),
    ),
  ];
}

/** Bytes that belong to no entry, and records that contradict each other. */
function frames(): Vector[] {
  const entries: readonly ZipEntry[] = [good, { name: "more", data: "more" }];
  const whole = zip(entries);
  const junk = Buffer.from("junk");
  const laid = (name: string, description: string, layout: ZipLayout): Vector =>
    refuses(name, description, zip(entries, layout));
  const end = zip([]);
  const huge = Buffer.alloc(16);
  huge.writeBigUInt64LE(2n ** 63n, 0);
  huge.writeBigUInt64LE(2n ** 63n, 8);
  return [
    refuses("no-bytes", "No bytes", Buffer.alloc(0)),
    refuses("not-a-zip", "Something else", Buffer.from("this is a text and no archive of any kind at all")),
    refuses("cut-by-one", "The last byte is missing", whole.subarray(0, -1)),
    refuses("cut-before-end", "The end record is missing", whole.subarray(0, -22)),
    refuses(
      "end-only-with-entries",
      "An end record that promises entries",
      zip([], { end: { entries: 1, size: 46 } }),
    ),
    laid("data-before", "Bytes before the first entry", { before: junk }),
    laid("data-between", "Bytes between entries and directory", { between: junk }),
    laid("data-before-end", "Bytes between directory and end record", { beforeEnd: junk }),
    laid("data-after", "Bytes behind the end record", { after: junk }),
    laid("byte-after", "One byte behind the end record", { after: Buffer.of(0) }),
    laid("comment-cut", "A comment that is shorter than announced", { end: { commentLength: 5 } }),
    laid("second-end-record", "A second, empty archive behind", { after: end }),
    laid("end-record-in-comment", "An end record inside the comment of another", { comment: end }),
    refuses(
      "two-archives",
      "Two archives, one after the other",
      Buffer.concat([whole, zip([{ name: "b", data: "b" }])]),
    ),
    laid("entries-too-many", "More entries announced than there are", { end: { entries: 3 } }),
    laid("entries-too-few", "Fewer entries announced than there are", { end: { entries: 1 } }),
    laid("entries-65535", "The number of entries that announces zip64, without zip64", {
      end: { entries: 0xffff },
    }),
    laid("entries-here-differ", "Two numbers of entries", { end: { entriesHere: 1, entries: 2 } }),
    laid("second-disk", "A second disk", { end: { disk: 1 } }),
    laid("directory-size", "A wrong size of the directory", { end: { size: 1 } }),
    laid("directory-offset", "A wrong offset of the directory", { end: { offset: 0 } }),
    laid("directory-past-the-end", "A directory past the end", { end: { offset: 0x7fffffff } }),
    refuses(
      "offset-past-the-end",
      "An entry past the end",
      zip([good, { name: "a", data: "x", central: { offset: 0x7ffffff0 } }]),
    ),
    refuses(
      "offset-elsewhere",
      "An entry that points into another's data",
      zip([good, { name: "a", data: "x", central: { offset: 4 } }]),
    ),
    refuses(
      "overlap-same-data",
      "Two entries that share one local header",
      zip([good, { name: "good.txt2", data: "good", central: { offset: 0 }, centralOnly: true }]),
    ),
    refuses("overlap-nested", "An entry inside the data of another", overlapping()),
    refuses(
      "entry-on-other-disk",
      "An entry on another disk",
      zip([good, { name: "a", data: "x", central: { disk: 1 } }]),
    ),
    refuses("unlisted-entry", "An entry that the directory does not list", unlisted()),
    refuses(
      "zip64-2-to-63",
      "A zip64 entry of 2^63 bytes",
      zip([
        {
          name: "a",
          data: "x",
          both: { size: 0xffffffff, compressedSize: 0xffffffff, extra: extraField(1, huge) },
        },
      ]),
    ),
    refuses(
      "zip64-without-extra",
      "Sizes that announce zip64, without zip64",
      zip([{ name: "a", data: "x", both: { size: 0xffffffff, compressedSize: 0xffffffff } }]),
    ),
  ];
}

/** A second entry whose local header lies inside the first one's data. */
function overlapping(): Buffer {
  const inner = zip([{ name: "b", data: "inner" }]);
  const local = inner.subarray(0, 30 + 1 + 5);
  return zip([
    { name: "a", data: local },
    { name: "b", data: "inner", central: { offset: 30 + 1 }, centralOnly: true },
  ]);
}

/** The local header and data of an entry, and a directory that only knows the next one. */
function unlisted(): Buffer {
  const first = zip([good]);
  const local = first.subarray(0, 30 + "good.txt".length + "good".length);
  return zip([{ name: "b", data: "b" }], { before: local });
}

function bombs(): Vector[] {
  const zeros = Buffer.alloc((1 << 20) + 1);
  return [
    bad("ratio", "More than 200 to 1 in an entry above 1 MiB", {
      name: "zeros",
      data: zeros,
      method: DEFLATED,
    }),
    bad("ratio-lying-size", "The same with a size of 10 bytes", {
      name: "zeros",
      data: zeros,
      method: DEFLATED,
      both: { size: 10 },
    }),
    bad("unpacked-4-gib", "A size of almost 4 GiB for a few bytes", {
      name: "a",
      data: "x",
      method: DEFLATED,
      both: { size: 0xfffffffe },
    }),
    refuses(
      "10001-entries",
      "One entry more than 10,000",
      zip(Array.from({ length: 10_001 }, (_, i) => ({ name: `f${i}` }))),
    ),
    refuses(
      "overlapping-bomb",
      "100 entries that share 1 MiB of zeros",
      zip([
        { name: "0", data: zeros, method: DEFLATED },
        ...Array.from({ length: 99 }, (_, i) => ({
          name: String(i + 1),
          data: zeros,
          method: DEFLATED,
          central: { offset: 0 },
          centralOnly: true,
        })),
      ]),
    ),
  ];
}

function shown(name: string): string {
  return name.length > 60
    ? `${JSON.stringify(name.slice(0, 20))} and so on, ${Buffer.byteLength(name)} bytes`
    : JSON.stringify(name);
}

function refuses(name: string, description: string, bin: Buffer): Vector {
  return {
    category: "archive-reject",
    name,
    description,
    inputs: {},
    expected: { error: "BundleCorruptError" },
    bin,
  };
}
