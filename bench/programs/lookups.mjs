// A million lookups in a vault and in a Map, in turns. Prints milliseconds of each round.
import { open } from "@muthuishere/vsync-s3-client";

const LOOKUPS = 1_000_000;
const vault = await open();
const keys = Array.from({ length: 40 }, (_, i) => `NAME_${i}`);
const map = new Map(keys.map((key) => [key, vault.getEnv(key)]));
const absent = keys.map((key) => `NOT_${key}`);

const contenders = {
  "Map.get": (i) => map.get(keys[i % keys.length]).length,
  getEnv: (i) => vault.getEnv(keys[i % keys.length]).length,
  "process.env of a name that is nowhere": (i) =>
    process.env[absent[i % absent.length]] === undefined ? 1 : 0,
  "getEnv of a name that is nowhere": (i) => (vault.getEnv(absent[i % absent.length]) === null ? 1 : 0),
};
const rounds = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
let used = 0;
for (let round = 0; round < 10; round++) {
  for (const [name, look] of Object.entries(contenders)) {
    const start = performance.now();
    for (let i = 0; i < LOOKUPS; i++) used += look(i);
    if (round > 0) rounds[name].push(performance.now() - start);
  }
}
if (used === 0) throw new Error("nothing was looked up");
console.log(JSON.stringify(rounds));
await vault.close();
