// The floor of a boot: one derivation in a bare process, by the fastest means Node has.
import { pbkdf2 } from "node:crypto";

pbkdf2(
  "correct horse battery staple",
  "c2FsdHNhbHRzYWx0c2FsdHNh",
  Number(process.argv[2] ?? 600_000),
  32,
  "sha256",
  () => {},
);
