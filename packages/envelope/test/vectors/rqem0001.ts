// Vectors for RQEM0001, the pointer seal in front of a bundle's payload. Section 3 of the format document.

import { type ErrorName, hex, seededBytes, type Vector } from "./vector.ts";
import { pointerSeal } from "./writer.ts";

const REMOTE = "20260214-093000";

export function rqem0001(): Vector[] {
  const payload = seededBytes("rqem0001", "payload", 37);
  const sealed = pointerSeal(REMOTE, payload);
  const dates = [
    ["epoch", "19700101-000000"],
    ["last-second", "99991231-235959"],
    ["leap-day", "20240229-120000"],
    ["leap-day-of-a-leap-century", "20000229-235959"],
  ].map(([name, timestamp]) =>
    opens(`date-${name}`, `${timestamp} is a real date and time`, String(timestamp), payload),
  );
  const unreal = [
    ["month-00", "20260014-093000"],
    ["month-13", "20261314-093000"],
    ["day-00", "20260200-093000"],
    ["day-32", "20260132-093000"],
    ["30-february", "20260230-093000"],
    ["31-april", "20260431-093000"],
    ["29-february-of-a-common-year", "20230229-093000"],
    ["29-february-of-a-common-century", "19000229-093000"],
    ["hour-24", "20260214-240000"],
    ["minute-60", "20260214-096000"],
    ["second-60", "20261231-235960"],
    ["letters", "2026021a-093000"],
    ["sign", "+2026214-093000"],
    ["spaces", "2026 214-093000"],
    ["nul", "20260214-09300\0"],
    ["colons", "20260214-09:3:0"],
    ["iso-t", "20260214T093000"],
    ["underscore", "20260214_093000"],
    ["superscript-digits", "2026021\u00b2-09300"],
  ].map(([name, timestamp]) =>
    refuses(
      `date-${name}`,
      `${JSON.stringify(timestamp)} is no real date and time, though the manifest says the same`,
      "BundleCorruptError",
      pointerSeal(String(timestamp), payload),
      String(timestamp),
    ),
  );
  const versions = ["RQEM0000", "RQEM0002", "RQEM0010", "RQEM9999"].map((magic) =>
    refuses(
      `version-${magic.toLowerCase()}`,
      `${magic} is a version this release does not know`,
      "UnsupportedSpecVersionError",
      pointerSeal(REMOTE, payload, magic),
    ),
  );
  const magics = [
    ["lower-case", "rqem0001"],
    ["letter", "RQEM000x"],
    ["spaces", "RQEM   1"],
    ["envelope", "RQE10001"],
    ["none", ""],
  ].map(([name, magic]) =>
    refuses(
      `magic-${name}`,
      `Begins with ${JSON.stringify(magic)}`,
      "BundleCorruptError",
      pointerSeal(REMOTE, payload, magic),
    ),
  );
  const cut = [0, 1, 4, 7, 8, 9, 16, 22].map((length) =>
    refuses(
      `cut-to-${String(length).padStart(2, "0")}`,
      `The first ${length} bytes: magic and timestamp have 23`,
      "BundleCorruptError",
      sealed.subarray(0, length),
    ),
  );
  return [
    opens("payload", "A payload of bytes", REMOTE, payload),
    opens("payload-empty", "Nothing after the timestamp", REMOTE, Buffer.alloc(0)),
    opens("payload-like-a-seal", "A payload that begins like a seal", REMOTE, sealed),
    ...dates,
    ...unreal,
    ...versions,
    ...magics,
    ...cut,
    refuses(
      "another-second",
      "Sealed one second before the one asked for",
      "BundleCorruptError",
      pointerSeal("20260214-092959", payload),
    ),
    refuses(
      "another-year",
      "Sealed a year after the one asked for",
      "BundleCorruptError",
      pointerSeal("20270214-093000", payload),
    ),
    refuses(
      "byte-before",
      "One byte before the magic",
      "BundleCorruptError",
      Buffer.concat([Buffer.of(0), sealed]),
    ),
  ];
}

function opens(name: string, description: string, timestamp: string, payload: Uint8Array): Vector {
  return {
    category: "rqem0001-manifest",
    name,
    description,
    inputs: { remote_ts: timestamp },
    expected: { error: null, embedded_ts: timestamp, payload_hex: hex(payload) },
    bin: pointerSeal(timestamp, payload),
  };
}

function refuses(
  name: string,
  description: string,
  error: ErrorName,
  bin: Uint8Array,
  remote = REMOTE,
): Vector {
  return {
    category: "rqem0001-manifest",
    name,
    description,
    inputs: { remote_ts: remote },
    expected: { error, embedded_ts: null, payload_hex: null },
    bin,
  };
}
