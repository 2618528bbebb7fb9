// The least that a push of these files can do with Node's own tools: deflate, encrypt, digest. One after the other, as a
// push must.
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";

const folder = process.argv[2];
const files = readdirSync(folder).map((name) => deflateRawSync(readFileSync(join(folder, name))));
const cipher = createCipheriv("aes-256-gcm", randomBytes(32), randomBytes(12));
const digest = createHash("sha256");
for (const file of files) digest.update(cipher.update(file));
digest.update(cipher.final());
digest.digest();
