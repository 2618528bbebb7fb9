// Which names a vault's files may have, so that every machine can hold them and none is harmed. docs/formats.md section 4.
//
// One set of rules for both ends: what a reader would refuse a writer does not write.

import { utf8 } from "./encoding.ts";
import { InputRefusedError } from "./errors.ts";

const MAX_NAME_BYTES = 1024;
const MAX_PART_BYTES = 255;
const MAX_PARTS = 64;

/** C0, DEL, C1 and the two line separators: they forge lines and steer terminals. */
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
/** Marks that turn the direction of text: `gnp.exe` can look like `exe.png`. */
const BIDIRECTIONAL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const WINDOWS_CHARACTERS = /[<>:"|?*]/;
/** With any extension, too: `nul.txt` is the device. */
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/i;
/** HFS+ leaves these out when it compares names, so `.g\u200cit` opens `.git` there. */
const HFS_IGNORED = /[\u200c-\u200d\u206a-\u206f\ufeff]/g;

/** Throws InputRefusedError, naming the file, for names that an archive cannot hold or that get in each other's way. */
export function checkVaultNames(names: Iterable<string>): void {
  const tree = new NameTree();
  for (const name of names) {
    const canonical = canonicalName(name);
    const problem = nameProblem(canonical) ?? tree.add(canonical);
    if (problem !== null)
      throw new InputRefusedError(`cannot put ${quoteName(name)} into the vault: ${problem}`);
  }
}

/** The spelling that the archive has for a file's name. */
export function canonicalName(name: string): string {
  return name.normalize("NFC");
}

/** Why a vault may not hold a file of this name, or lie in a folder of it, or null. */
export function nameProblem(name: string): string | null {
  if (name === "") return "it has no name";
  if (CONTROL.test(name)) return "its name has a control character";
  if (BIDIRECTIONAL.test(name)) return "its name has a character that turns the direction of text";
  if (/\p{Surrogate}/u.test(name)) return "its name is not Unicode text (half of a surrogate pair)";
  if (name !== canonicalName(name)) return "its name is not in Unicode normal form C";
  if (name.includes("\\")) return "its name has a backslash, which separates folders on Windows";
  if (name.startsWith("/")) return "its name is an absolute path";
  if (/^[a-z]:/i.test(name)) return "its name starts with a drive letter";
  if (utf8(name).length > MAX_NAME_BYTES) return `its name is longer than ${MAX_NAME_BYTES} bytes`;
  const parts = name.split("/");
  if (parts.length > MAX_PARTS) return `it lies deeper than ${MAX_PARTS} levels`;
  for (const part of parts) {
    const problem = partProblem(part);
    if (problem !== null) return problem;
  }
  return null;
}

function partProblem(part: string): string | null {
  if (part === "") return "its name has an empty part";
  if (part === "." || part === "..") return `its name has a part "${part}"`;
  if (WINDOWS_CHARACTERS.test(part)) return 'its name has one of < > : " | ? *, which Windows cannot hold';
  if (/[. ]$/.test(part)) return "a part of its name ends in a dot or a space, which Windows drops";
  if (WINDOWS_DEVICE.test(part)) return "a part of its name is a device on Windows";
  if (utf8(part).length > MAX_PART_BYTES) return `a part of its name is longer than ${MAX_PART_BYTES} bytes`;
  // The vault folder lies in a work tree, and git runs the hooks and the configured commands of any `.git` on its way.
  if (/^(?:\.git|git~1)$/i.test(part.replace(HFS_IGNORED, "")))
    return "a part of its name is .git, which git would obey";
  return null;
}

/** The name for a message: no character of it can act on a terminal, and it is not long. */
export function quoteName(name: string): string {
  const shown = name.length > 100 ? `${name.slice(0, 100)}...` : name;
  return JSON.stringify(shown).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

interface Place {
  readonly spelling: string;
  /** What lies in it; null for a file. */
  readonly folder: Map<string, Place> | null;
}

/** The names seen so far as the folders they make, compared as file systems do that ignore case and Unicode form. */
export class NameTree {
  readonly #root: Map<string, Place> = new Map();

  /** Takes the name in; says why it cannot lie beside those that came before, or null. */
  add(name: string): string | null {
    const parts = name.split("/");
    let folder = this.#root;
    for (const [depth, part] of parts.entries()) {
      const isFile = depth === parts.length - 1;
      const key = fold(part);
      const place = folder.get(key);
      const path = () => quoteName([...parts.slice(0, depth), place?.spelling].join("/"));
      if (place === undefined) {
        const made: Place = { spelling: part, folder: isFile ? null : new Map() };
        folder.set(key, made);
        if (made.folder !== null) folder = made.folder;
      } else if (place.spelling !== part) {
        return `its name differs from ${path()} only in case or Unicode form`;
      } else if (isFile) {
        return place.folder === null
          ? "there is another file of this name (perhaps in another Unicode form)"
          : `there are also files in a folder ${path()}`;
      } else if (place.folder === null) {
        return `${path()} is a file and cannot be its folder`;
      } else {
        folder = place.folder;
      }
    }
    return null;
  }
}

/** Lower case first, so that the capital sharp s meets the small one; then upper, so that both meet `ss`. */
function fold(part: string): string {
  return part.normalize("NFD").toLowerCase().toUpperCase().normalize("NFD");
}
