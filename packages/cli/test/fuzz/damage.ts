// Damages bytes as transmission, disks and attackers do: bits, cuts, splices, lengths that lie, words of the syntax.

/** Where numbers turn over, and where code has its limits. */
const NUMBERS = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe,
  0xffffffff,
];

const DIGITS = [
  "0",
  "-1",
  "007",
  "1e400",
  "3abc",
  "9007199254740992",
  "NaN",
  "1e3",
  "0x10",
  " 1",
  "99999999999999999999",
];

export interface Supplies {
  /** 0 to below 1. */
  readonly draw: () => number;
  /** To take pieces from. */
  readonly others: readonly Uint8Array[];
  readonly words: readonly string[];
  readonly maxBytes: number;
}

/** One to six changes; most often few, so that much of the input stays sound. */
export function damage(input: Uint8Array, supplies: Supplies): Uint8Array {
  let damaged: Buffer = Buffer.from(input);
  for (let changes = 1 + Math.floor(6 * supplies.draw() ** 3); changes > 0; changes--) {
    damaged = change(damaged, supplies).subarray(0, supplies.maxBytes);
  }
  return new Uint8Array(damaged);
}

function change(input: Buffer, { draw, others, words, maxBytes }: Supplies): Buffer {
  const below = (n: number): number => Math.floor(n * draw());
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const at = below(input.length + 1);
  const length = Math.min(input.length - at, below(2) === 0 ? 1 + below(8) : below(input.length + 1));
  const replace = (piece: Uint8Array, drop: number): Buffer =>
    Buffer.concat([input.subarray(0, at), piece, input.subarray(at + drop)]);
  const word = (): Buffer => Buffer.from(words.length > 0 && below(4) > 0 ? pick(words) : pick(DIGITS));
  switch (below(12)) {
    case 0:
    case 1:
      return input.length === 0 ? input : replace(Uint8Array.of((input[at] ?? 0) ^ (1 << below(8))), 1);
    case 2:
      return replace(Uint8Array.of(below(256)), 1);
    case 3:
      return input.subarray(0, at);
    case 4:
      return replace(new Uint8Array(0), length);
    case 5:
      return replace(word(), 0);
    case 6: {
      const piece = word();
      return replace(piece, piece.length);
    }
    case 7: {
      // A piece of itself once more, up to as often as it goes.
      const piece = input.subarray(at, at + length);
      const times = below(8) > 0 ? 1 : 1 + below(Math.floor(maxBytes / Math.max(1, piece.length)));
      return replace(Buffer.concat(Array.from({ length: times }, () => piece)), 0);
    }
    case 8: {
      const other = others.length > 0 ? pick(others) : input;
      return Buffer.concat([input.subarray(0, at), other.subarray(below(other.length + 1))]);
    }
    case 9:
      return Buffer.concat([input, others.length > 0 ? pick(others) : input]);
    case 10: {
      const near = [input.length - at, input.length, input.length + 1, at];
      const number = below(3) === 0 ? pick(near) : pick(NUMBERS);
      const field = Buffer.alloc(4);
      field.writeUInt32LE(number >>> 0);
      const size = below(2) === 0 ? 2 : 4;
      return replace(field.subarray(0, size), size);
    }
    default:
      return replace(
        Uint8Array.from({ length: 1 + below(16) }, () => below(256)),
        below(16),
      );
  }
}
