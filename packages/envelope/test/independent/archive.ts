// A zip reader that trusts its input, for archives that are known to be good.

import { parse } from "dotenv";
import { inflateSync } from "fflate";

export interface StoredFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** Walks the central directory; the end record is the last 22 bytes, since archives of vaults have no comment. */
export function readArchive(zip: Uint8Array): StoredFile[] {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = zip.length - 22;
  if (view.getUint32(end, true) !== 0x06054b50) throw new Error("no end record");
  const files: StoredFile[] = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    const [method, packed] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
    const [nameLength, extraLength] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true)];
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const data = zip.subarray(start, start + packed);
    files.push({
      name: new TextDecoder().decode(zip.subarray(at + 46, at + 46 + nameLength)),
      bytes: method === 0 ? data : inflateSync(data),
      executable: (view.getUint32(at + 38, true) & 0x400000) !== 0,
    });
    at += 46 + nameLength + extraLength + view.getUint16(at + 32, true);
  }
  return files;
}

/** dotenv's own parser. Its result is a plain object, in which `__proto__` would be lost, so that name is lent another. */
export function readPairs(bytes: Uint8Array): Map<string, string> {
  const lent = "PROTO_LENT_NAME";
  const pairs = parse(Buffer.from(bytes).toString().replaceAll("__proto__", lent));
  return new Map(Object.entries(pairs).map(([key, value]) => [key === lent ? "__proto__" : key, value]));
}

/** The pairs of `.env.<env>`, or else of `.env`. */
export function readScalars(files: readonly StoredFile[], env: string): Map<string, string> {
  const file = files.find(({ name }) => name === `.env.${env}`) ?? files.find(({ name }) => name === ".env");
  return file === undefined ? new Map() : readPairs(file.bytes);
}
